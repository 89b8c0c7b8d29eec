"""Columns of a table that an index has no place for, such as who took an image: their values, by the index's rows."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from striate.data.index import Index
from striate.data.layouts.finder import ImageFinder
from striate.data.layouts.options import PATH_COLUMN, ReadOptions
from striate.data.layouts.sheet import SUFFIXES, open_sheet
from striate.data.layouts.tables import table_of
from striate.data.layouts.tree import survey
from striate.data.paths import PARQUET_SUFFIX, file_and_number, file_of, open_arrow
from striate.data.readers.table import resolve
from striate.errors import DataError, nearest
from striate.files import list_names

Values = list[str | None]


def values_of(
    index: Index, names: Sequence[str], table: Path | None = None, path_column: str = PATH_COLUMN
) -> list[Values]:
    """The values of some columns, a list each of one value a row of the index; None for a row that has none.

    Args:
        index: of the images.
        names: of the columns.
        table: the file that holds them beside paths of the images; without it, the Parquet files that hold the images.
        path_column: name of the table's column of paths; common synonyms are known.

    Raises:
        DataError: if there is no such table or column, or it names none of the images.
    """
    if table is not None and table.suffix.lower() in (*SUFFIXES, ".json"):
        return _of_table(index, names, table, path_column)
    paths = [file_and_number(path) for path in index.paths()]
    files = {file for file, number in paths if number is not None and file.lower().endswith(PARQUET_SUFFIX)}
    if not files:
        raise DataError(
            f"columns: expected a table that holds {list_names(names)}; got data without one. "
            "Try --table with a CSV file of paths and these columns."
        )
    found = {file: _of_parquet(file_of(index.root, file), names) for file in files}
    return [
        [found[file][place][number] if file in files and number is not None else None for file, number in paths]
        for place in range(len(names))
    ]


def _of_table(index: Index, names: Sequence[str], file: Path, path_column: str) -> list[Values]:
    near = file.resolve().parent
    inside = near.is_relative_to(index.root.resolve())
    folder = near.relative_to(index.root.resolve()).as_posix() if inside else ""
    place = f"{folder}/{file.name}" if folder not in ("", ".") else file.name
    finder = ImageFinder(survey(index.root))
    read = table_of(place, open_sheet(file), finder, ReadOptions(path_column=path_column))
    _require_columns(file, names, read.sheet.names)
    if read.columns.path is None:
        raise DataError(f"{file}: expected a column of paths; got {list_names(read.sheet.names)}. Try --path-column.")
    texts = read.sheet.columns([read.columns.path, *names])
    rows = {path: row for row, path in enumerate(resolve(texts[read.columns.path], read.folder, finder).to_pylist())}
    where = [rows.get(path) for path in index.paths()]
    if all(row is None for row in where):
        raise DataError(f"{file}: expected paths of the images in {index.root}; got none of them.")
    return [_taken(texts[name], where) for name in names]


def _taken(texts: pa.Array, where: Sequence[int | None]) -> Values:
    values: Values = texts.take(pa.array(where, pa.int64())).to_pylist()
    return values


def _of_parquet(file: Path, names: Sequence[str]) -> list[Values]:
    _require_columns(file, names, pq.read_schema(open_arrow(file)).names)
    table = pq.read_table(open_arrow(file), columns=list(names))
    return [[None if value is None else str(value) for value in table[name].to_pylist()] for name in names]


def _require_columns(file: Path, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise DataError(f"{file}: expected a column `{name}`; got {list_names(known)}. {nearest(name, known)}")
