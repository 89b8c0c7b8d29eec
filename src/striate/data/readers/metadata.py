"""Hugging Face's folder of pictures: a table beside them, metadata.csv or metadata.jsonl, with a column file_name.

JSON lines may have objects in place of a label: {"bbox": [[x, y, width, height], ...], "categories": [class, ...]}.

Source: the Hugging Face Hub's description of image data sets; a table may also lie in each split's folder.
"""

from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from striate.data.index import Index, build
from striate.data.readers import table
from striate.data.readers.folders import SPLIT_FOLDERS
from striate.data.readers.table import Texts, index_of
from striate.errors import DataError, nearest

NAMES = ("metadata.csv", "metadata.jsonl")
PATH_COLUMN = "file_name"
OBJECTS = "objects"
VALUES = (str, int, float)  # that a column of text can be made of


class Objects(msgspec.Struct):
    """The objects of one picture."""

    bbox: list[tuple[float, float, float, float]]
    """x, y, width, height of each."""

    categories: list[str | int]
    """The class of each."""


def recognises(path: Path) -> bool:
    """Whether `path` is such a table, or a folder that holds one itself or in its split folders."""
    return path.name in NAMES if path.is_file() else path.is_dir() and bool(_files(path))


def read(path: Path, label_column: str, separator: str, weight_column: str) -> Index:
    """Reads the table of a folder, or those of its split folders; classes are matched between them by name.

    Raises:
        DataError: if a column is missing, or a table cannot be read.
    """
    if path.is_file():
        return _read(path, label_column, separator, weight_column)
    parts = {file: _read(file, label_column, separator, weight_column) for file in _files(path)}
    classes = sorted({name for part in parts.values() for name in part.classes})
    moved = [_beneath(path, file, part.with_classes(classes)) for file, part in parts.items()]
    notes = dict.fromkeys(note for part in moved for note in part.notes)
    return replace(moved[0], table=pa.concat_tables(part.table for part in moved), root=path, notes=tuple(notes))


def _files(root: Path) -> list[Path]:
    splits = [folder for folder in sorted(root.iterdir()) if folder.name.lower() in SPLIT_FOLDERS]
    return [folder / name for folder in (root, *splits) for name in NAMES if (folder / name).is_file()]


def _beneath(root: Path, file: Path, part: Index) -> Index:
    """The rows of one table with paths that start from `root`, and the split of the table's folder."""
    if file.parent == root:
        return part
    prefix = f"{file.parent.relative_to(root).as_posix()}/"
    paths = pc.binary_join_element_wise(prefix, part.table["path"].combine_chunks(), "")
    split = pa.repeat(pa.scalar(SPLIT_FOLDERS[file.parent.name.lower()]), len(part))
    return part.with_column("path", paths).with_column("split", split)


def _read(file: Path, label_column: str, separator: str, weight_column: str) -> Index:
    if file.suffix == ".csv":
        return table.read(file, PATH_COLUMN, label_column, separator, file.parent, weight_column)
    rows = _rows(file)
    names = list(dict.fromkeys(name for row in rows for name in row))
    has_objects = OBJECTS in names and label_column not in names
    for needed in (PATH_COLUMN, OBJECTS if has_objects else label_column):
        if needed not in names:
            hint = nearest(needed, names) if names else "The file is empty."
            raise DataError(f"{file}: expected a key `{needed}`; got {', '.join(names) or 'none'}. {hint}")
    used = (PATH_COLUMN, label_column, "split", weight_column)
    paths, labels, splits, weights = (
        pa.array([_text(row.get(name), name, file) for row in rows], pa.string()) for name in used
    )
    texts = Texts(file, paths, labels, splits, weights, lambda row: row + 1)
    read_too = {OBJECTS} if has_objects else set()
    index = index_of(texts, separator, file.parent, [name for name in names if name not in read_too.union(used)])
    return _with_objects(index, [_objects(row, file) for row in rows]) if has_objects else index


def _rows(file: Path) -> list[dict[str, object]]:
    try:
        rows: list[dict[str, object]] = msgspec.json.Decoder(dict[str, object]).decode_lines(file.read_bytes())
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise DataError(f"{file}: expected a JSON object a line; {error}.") from error
    return rows


def _objects(row: dict[str, object], file: Path) -> Objects:
    """The objects of a line; none where it has no such key, or null."""
    given = row.get(OBJECTS)
    try:
        objects = Objects([], []) if given is None else msgspec.convert(given, Objects)
    except msgspec.ValidationError as error:
        raise DataError(f"{file}: expected lists bbox and categories as `{OBJECTS}`; {error}.") from error
    if len(objects.bbox) != len(objects.categories):
        raise DataError(
            f"{file}: expected a category for each bbox in `{OBJECTS}`; "
            f"got {len(objects.categories)} for {len(objects.bbox)}."
        )
    return objects


def _with_objects(index: Index, objects: list[Objects]) -> Index:
    """The same rows with boxes, and classes that are the categories of the objects."""
    classes = sorted({str(category) for each in objects for category in each.categories})
    number = {name: i for i, name in enumerate(classes)}
    return build(
        index.root,
        classes,
        index.table["path"].combine_chunks(),
        labels=[[number[str(category)] for category in each.categories] for each in objects],
        boxes=[[(x, y, x + width, y + height) for x, y, width, height in each.bbox] for each in objects],
        split=index.table["split"].combine_chunks(),
        reason=index.table["reason"].combine_chunks(),
        weight=index.table["weight"].combine_chunks(),
        notes=index.notes,
    )


def _text(value: object, name: str, file: Path) -> str:
    if value is None:
        return ""
    if not isinstance(value, VALUES):
        raise DataError(f"{file}: expected a text or number a line as `{name}`; got {value!r:.40}.")
    return str(value)
