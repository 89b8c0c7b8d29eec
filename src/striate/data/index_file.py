"""An index as a Parquet file: how it is written, and what is asked of one before any file that it names is opened."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from striate.augment.resample import IGNORED
from striate.caches import cache_folder
from striate.data.index import LONGEST_CLASS, SCHEMA, SPLITS, Index
from striate.data.paths import SafePaths, open_arrow, to_name, to_text
from striate.errors import DataError
from striate.files import fit_to_print, list_names, open_regular

KEY = b"striate"  # of the schema's metadata
CHUNK = 1 << 20
TEXTS = ["path", "mask", "reason"]
LONGEST_TEXT, TEXT_A_ROW, SPARE_TEXT = 4096, 500, 100_000_000  # bytes
VALUES_A_BYTE, SPARE_VALUES = 4, 1_000_000  # an honest index has a path of its own in each row
Name = Annotated[str, msgspec.Meta(max_length=LONGEST_CLASS)]
Number = Annotated[int, msgspec.Meta(ge=0, le=IGNORED)]


class About(msgspec.Struct, forbid_unknown_fields=True):
    """What the file says of the whole index, as JSON in its schema's metadata."""

    root: str
    classes: tuple[Name, ...]
    several_labels: bool
    mask_classes: tuple[Name, ...]
    mask_values: dict[Annotated[int, msgspec.Meta(ge=-1, lt=2**31)], Number]
    notes: tuple[str, ...]


def save_index(index: Index, path: Path) -> None:
    """Writes an index as Parquet, and remembers that this user made it: what it names may lie anywhere."""
    about = About(
        to_text(str(index.root.resolve())),
        index.classes,
        index.several_labels,
        index.mask_classes,
        dict(index.mask_values),
        index.notes,
    )
    with path.open("wb") as file:
        pq.write_table(index.table.replace_schema_metadata({KEY: msgspec.json.encode(about)}), file)
    with suppress(OSError):  # a full disk, say: then it is one of another user
        made = _made_here(path)
        made.parent.mkdir(parents=True, exist_ok=True)
        made.touch()


def is_index(path: Path) -> bool:
    """Whether `path` is a file that `save_index` wrote, or that says so."""
    try:
        return KEY in (pq.read_schema(open_arrow(path)).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def load_index(path: Path, image_root: Path | None = None) -> Index:
    """Reads what `save_index` wrote.

    An index names the folder that its paths start from. That of another user's is believed where it is the folder of
    the file or lies in it: otherwise, a file that was sent to you could have any folder of yours read.

    Args:
        path: of the file.
        image_root: the folder that its paths start from; the one that it names unless given.

    Raises:
        DataError: if the file is no such index, or one of its rows cannot be meant.
    """
    table, about = _read(path)
    _require_sound(path, table, about)
    root = _root(path, about, image_root)
    index = Index(table, about.classes, root, about.several_labels, about.mask_classes, about.mask_values, about.notes)
    _require_inside(path, index)
    return index


def _read(path: Path) -> tuple[pa.Table, About]:
    """The table, and what the file says of the whole index."""
    try:
        schema = pq.read_schema(open_arrow(path))
        if KEY not in (schema.metadata or {}):
            columns = list_names(schema.names)
            raise DataError(f"index {path}: expected a Parquet file that striate wrote; got one of {columns}.")
        about = msgspec.json.decode(schema.metadata[KEY], type=About)
        if not schema.equals(SCHEMA):
            raise DataError(f"index {path}: expected one of this version of striate; got another. Make it anew.")
        with pq.ParquetFile(open_arrow(path, mapped=True), read_dictionary=TEXTS) as file:
            _require_modest(path, file.metadata)
            table = file.read().replace_schema_metadata(None)
        _require_short(path, table)
        for place, name in enumerate(SCHEMA.names):
            if name in TEXTS:
                table = table.set_column(place, name, table[name].cast(pa.string()))
    except (OSError, pa.ArrowException) as error:
        reason = fit_to_print(str(error).strip().rstrip("."), 200)
        raise DataError(f"index {path}: expected a Parquet file that striate wrote; {reason}.") from error
    except (ValueError, RecursionError) as error:
        reason = fit_to_print(str(error), 200)
        raise DataError(f"index {path}: expected one of this version of striate; {reason}. Make it anew.") from error
    return table, about


def _require_modest(path: Path, metadata: pq.FileMetaData) -> None:
    """Stops where a file claims more values than are written in so many bytes."""
    size = path.stat().st_size
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    for i in range(metadata.num_columns):
        values = sum(group.column(i).num_values for group in groups)
        if values > SPARE_VALUES + VALUES_A_BYTE * size:
            raise DataError(f"index {path}: expected values that fit its {size:,} bytes; got {values:,} in a column.")


def _require_short(path: Path, table: pa.Table) -> None:
    """Stops where texts are longer than names of files; those that repeat are not unpacked yet."""
    for name in TEXTS:
        lengths = [pc.binary_length(chunk.dictionary).take(chunk.indices) for chunk in table[name].chunks]
        total = sum(pc.sum(each).as_py() or 0 for each in lengths)
        longest = max((pc.max(each).as_py() or 0 for each in lengths), default=0)
        if longest > LONGEST_TEXT or total > SPARE_TEXT + TEXT_A_ROW * len(table):
            raise DataError(
                f"index {path}: expected texts of at most {LONGEST_TEXT:,} bytes in `{name}`, not too many of that "
                f"length; got one of {longest:,}, and {total:,} in all."
            )


def _root(path: Path, about: About, image_root: Path | None) -> Path:
    """The folder that paths start from."""
    if image_root is not None:
        return image_root
    try:
        root = path.resolve().parent / to_name(about.root)
        inside = root.resolve().is_relative_to(path.resolve().parent)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"index {path}: expected the name of its images' folder; got {about.root!r}.") from error
    if not inside and not _made_here(path).exists():
        raise DataError(
            f"index {path}: expected images in the folder of the index, because it was not made by you on this "
            f"machine; it names {fit_to_print(about.root, 150)}. If that is meant, add --image-root with that folder."
        )
    return root


def _made_here(path: Path) -> Path:
    """The file that is there where this user has written the index."""
    digest = hashlib.blake2b(digest_size=16)
    with open_regular(path) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return cache_folder("indexes") / digest.hexdigest()


def _require_sound(path: Path, table: pa.Table, about: About) -> None:
    """Stops where a row says what no reader would."""
    classes, values = len(about.classes), table["labels"].combine_chunks().flatten()
    boxes = table["boxes"].combine_chunks()
    counts = pc.equal(boxes.value_lengths(), table["labels"].combine_chunks().value_lengths())
    problems = {
        "names of classes that differ": len(set(about.classes)) < classes,
        "names of classes in masks that differ": len(set(about.mask_classes)) < len(about.mask_classes),
        "masks of the classes that it names": not {*about.mask_values.values()}
        <= {*range(len(about.mask_classes)), IGNORED},
        "a path in every row": table["path"].null_count > 0,
        f"labels from -1 to {classes - 1}": _outside(table["label"], -1, classes),
        f"class numbers from 0 to {classes - 1}": _outside(values, 0, classes),
        "a class for each box": not pc.all(pc.fill_null(counts, True)).as_py()
        or bool(np.any(np.asarray(boxes.is_valid()) & ~np.asarray(table["labels"].is_valid()))),
        f"splits {list_names(SPLITS)}": not set(table["split"].cast(pa.string()).unique().to_pylist())
        <= {*SPLITS, None},
    }
    for expected, wrong in problems.items():
        if wrong:
            raise DataError(f"index {path}: expected {expected}; got others. Make it anew.")


def _outside(numbers: pa.Array, least: int, end: int) -> bool:
    """Whether any number is null, below `least`, or `end` or more."""
    if not len(numbers):
        return False
    ends = pc.min_max(numbers)
    return bool(numbers.null_count) or ends["min"].as_py() < least or ends["max"].as_py() >= end


def _require_inside(path: Path, index: Index) -> None:
    """Stops where a row that is used names an image or a mask outside the folder."""
    safe = SafePaths(index.root)
    used = index.table.filter(pa.array(index.usable()))
    for name in ("path", "mask"):
        named = used[name].combine_chunks().drop_null()
        reasons = safe.reasons(named)
        if reasons.null_count < len(reasons):
            first = int(np.flatnonzero(np.asarray(reasons.is_valid()))[0])
            shown = fit_to_print(named[first].as_py(), 100)
            raise DataError(
                f"index {path}: expected images and masks in {fit_to_print(str(index.root), 100)}; got {shown} in "
                f"`{name}`: {fit_to_print(reasons[first].as_py(), 100)}."
            )
