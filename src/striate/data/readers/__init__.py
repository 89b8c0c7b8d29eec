"""Readers: each turns one layout of pictures on disk into the one Index."""

from pathlib import Path

from striate.data.index import Index
from striate.data.readers import folders, idx, parquet, table
from striate.errors import DataError


def read(
    path: Path,
    *,
    path_column: str = "path",
    label_column: str = "label",
    label_separator: str = "",
    image_root: Path | None = None,
) -> Index:
    """Finds out which layout `path` holds and reads it.

    Args:
        path: a CSV file; a Parquet file or a folder of them; a folder of idx files; or a folder of class folders.
        path_column: name of a CSV's column of picture paths.
        label_column: name of a CSV's or Parquet file's column of labels.
        label_separator: what parts several labels of one picture in a CSV; none unless given.
        image_root: folder that a CSV's paths start from; the CSV's own unless given.

    Raises:
        DataError: if nothing is there, or nothing that a reader knows.
    """
    path = path.expanduser()
    if not path.exists():
        raise DataError(f"data: expected a folder, CSV or Parquet file; got {path}, which does not exist.")
    if path.is_file() and path.suffix.lower() == ".csv":
        return table.read(path, path_column, label_column, label_separator, image_root or path.parent)
    if parquet.recognises(path):
        return parquet.read(path, label_column)
    if idx.recognises(path):
        return idx.read(path)
    if path.is_dir():
        return folders.read(path)
    raise DataError(f"data: expected a folder, CSV or Parquet file; got {path}.")
