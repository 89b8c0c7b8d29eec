"""A CSV with a header: path, label and, if it likes, split and weight."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.data.index import Index, build
from striate.data.paths import SafePaths
from striate.data.readers.folders import SPLIT_FOLDERS
from striate.errors import DataError, nearest

BLOCK = 1 << 10  # rows that are Python's values at a time; its garbage collector slows down with more


def recognises(path: Path) -> bool:
    """Whether `path` is a CSV file."""
    return path.is_file() and path.suffix.lower() == ".csv"


def read(
    path: Path, path_column: str, label_column: str, separator: str, image_root: Path, weight_column: str = "weight"
) -> Index:
    """Reads a CSV of pictures.

    A row whose path leads out of `image_root` stays in the table with that reason and is never opened.

    Args:
        path: of the CSV, UTF-8, its first line the names of its columns.
        path_column: column of the picture's path, relative to `image_root`.
        label_column: column of the class name; an empty one means no label.
        separator: what parts several class names of one picture; "" where each has one.
        image_root: folder that the paths start from.
        weight_column: column of how often a picture is drawn, in proportion; it may be missing, or empty for 1.

    Raises:
        DataError: if a column is missing, a split or weight is not one, or the file is not such a CSV.
    """
    texts = columns(path, (path_column, label_column), ("split", weight_column))
    unused = [name for name in header(path) if name not in texts]
    paths, labels, splits, weights = (texts[name] for name in (path_column, label_column, "split", weight_column))
    return index_of(Texts(path, paths, labels, splits, weights, partial(_line, path)), separator, image_root, unused)


@dataclass(frozen=True)
class Texts:
    """A table's columns, (N,) texts each; an empty one is a value that is not given."""

    file: Path
    paths: pa.Array
    labels: pa.Array
    splits: pa.Array
    weights: pa.Array
    line: Callable[[int], int]
    """Gives the number of a row's line, for a message."""


def index_of(texts: Texts, separator: str, image_root: Path, unused: Sequence[str]) -> Index:
    """The index of a table, as `read` describes it.

    Args:
        texts: its columns.
        separator: what parts several class names of one picture; "" where each has one.
        image_root: folder that the paths start from.
        unused: names of the columns that are not read.

    Raises:
        DataError: if a split or weight is not one.
    """
    label, labels, names = _labels(texts.labels, separator)
    return build(
        image_root,
        names,
        texts.paths,
        label=label,
        labels=labels,
        split=_splits(texts),
        weight=_weights(texts),
        reason=SafePaths(image_root).reasons(texts.paths),
        notes=[f"columns that are not read: {', '.join(unused)}."] if unused else (),
    )


def columns(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> dict[str, pa.Array]:
    """Columns of a CSV as text.

    Arrow's own reader is quicker, but it takes text after a closing quote, refuses a line that is short, and does not
    say which line is wrong.

    Raises:
        DataError: as `lines`.
    """
    names = (*needed, *optional)
    rows = (texts for _, texts in lines(path, needed, optional))
    parts: dict[str, list[pa.Array]] = {name: [pa.array([], pa.string())] for name in names}
    while block := list(islice(rows, BLOCK)):
        for name, texts in zip(names, zip(*block, strict=True), strict=True):
            parts[name].append(pa.array(texts))
    return {name: pa.concat_arrays(parts.pop(name)) for name in list(parts)}  # each part is held once


def header(path: Path) -> list[str]:
    """The names in the first line of a CSV.

    Raises:
        DataError: if the file cannot be read as one.
    """
    with reading(path), path.open(newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(file, strict=True), [])


def lines(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[int, list[str]]]:
    """The number of each line that is not empty, and its values in the columns `needed`, then `optional`.

    A value that is missing is "".

    Raises:
        DataError: if a needed column is missing, or the file is no CSV in UTF-8.
    """
    with reading(path), path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        columns = next(reader, [])
        for column in needed:
            if column not in columns:
                hint = nearest(column, columns) if columns else "The file is empty."
                raise DataError(f"{path}: expected a column `{column}`; got {', '.join(columns) or 'none'}. {hint}")
        places = [columns.index(column) if column in columns else len(columns) for column in (*needed, *optional)]
        for values in reader:
            if values:
                yield reader.line_num, [values[place] if place < len(values) else "" for place in places]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what goes wrong in a CSV into a sentence."""
    try:
        yield
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV in UTF-8; {error}.") from error


def _labels(texts: pa.Array, separator: str) -> tuple[NDArray[np.int64] | None, pa.Array | None, list[str]]:
    """The class number of each row or, where a separator is given, its class numbers; and the names of the classes."""
    if not separator:
        given = pc.utf8_trim_whitespace(texts)
        names = _sorted(given)
        return np.asarray(_numbers(given, names).fill_null(-1), np.int64), None, names
    several = pc.split_pattern(texts, separator)
    given = pc.utf8_trim_whitespace(several.flatten())
    names = _sorted(given)
    numbers = _numbers(given, names)
    rows = np.asarray(pc.list_parent_indices(several))[np.asarray(numbers.is_valid())]
    ends = np.cumsum(np.bincount(rows, minlength=len(texts)))
    offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
    return None, pa.ListArray.from_arrays(offsets, numbers.drop_null().cast(pa.int64())), names


def _sorted(texts: pa.Array) -> list[str]:
    """The class names among texts, of which an empty one is none."""
    return sorted(set(pc.unique(texts).to_pylist()) - {""})


def _numbers(texts: pa.Array, names: list[str]) -> pa.Array:
    return pc.index_in(texts, value_set=pa.array(names, pa.string()))


def _splits(texts: Texts) -> pa.Array:
    place = _numbers(pc.utf8_lower(texts.splits), list(SPLIT_FOLDERS))
    unknown = np.flatnonzero(pc.and_(place.is_null(), pc.not_equal(texts.splits, "")))
    if len(unknown):
        row = int(unknown[0])
        raise DataError(
            f"{texts.file}, line {texts.line(row)}: expected a split of {', '.join(SPLIT_FOLDERS)}; "
            f"got {texts.splits[row].as_py()!r}."
        )
    return pa.array(list(SPLIT_FOLDERS.values())).take(place)


def _weights(texts: Texts) -> pa.Array:
    given = pc.if_else(pc.equal(texts.weights, ""), None, pc.utf8_trim_whitespace(texts.weights))
    try:
        return given.cast(pa.float32())
    except pa.ArrowInvalid as error:
        row = next(row for row, text in enumerate(given) if not _is_number(text))
        raise DataError(
            f"{texts.file}, line {texts.line(row)}: expected a number as weight; got {texts.weights[row].as_py()!r}."
        ) from error


def _line(path: Path, row: int) -> int:
    """The number of a row's last line, which is asked for only where something is wrong with it."""
    line, _ = next(islice(lines(path, ()), row, None))
    return line


def _is_number(text: pa.Scalar) -> bool:
    try:
        text.cast(pa.float32())
    except pa.ArrowInvalid:
        return False
    return True
