"""A CSV with a header: path, label and, if it likes, split."""

import csv
from pathlib import Path

from striate.data.index import Index, build
from striate.data.readers.folders import SPLIT_FOLDERS
from striate.errors import DataError, nearest


def read(path: Path, path_column: str, label_column: str, separator: str, image_root: Path) -> Index:
    """Reads a CSV of pictures.

    A row whose path leads out of `image_root` stays in the table with that reason and is never opened.

    Args:
        path: of the CSV, UTF-8, its first line the names of its columns.
        path_column: column of the picture's path, relative to `image_root`.
        label_column: column of the class name; an empty one means no label.
        separator: what parts several class names of one picture; "" where each has one.
        image_root: folder that the paths start from.

    Raises:
        DataError: if a column is missing, a split is unknown, or the file is not such a CSV.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or []
            for column in (path_column, label_column):
                if column not in columns:
                    hint = nearest(column, columns) if columns else "The file is empty."
                    raise DataError(f"{path}: expected a column `{column}`; got {', '.join(columns) or 'none'}. {hint}")
            numbered = [(reader.line_num, line) for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV in UTF-8; {error}.") from error

    lines = [line for _, line in numbered]
    labels_of = [_names(line[label_column], separator) for line in lines]
    names = sorted({name for names in labels_of for name in names})
    numbers = {name: i for i, name in enumerate(names)}
    labels = [[numbers[name] for name in names] for names in labels_of]
    root = image_root.resolve()
    return build(
        image_root,
        names,
        [line[path_column] or "" for line in lines],
        label=None if separator else [row[0] if row else -1 for row in labels],
        labels=labels if separator else None,
        split=[_split(path, line.get("split"), number) for number, line in numbered],
        reason=[_outside(root, line[path_column]) for line in lines],
    )


def _names(text: str | None, separator: str) -> list[str]:
    parts = (text or "").split(separator) if separator else [text or ""]
    return [part.strip() for part in parts if part.strip()]


def _split(path: Path, name: str | None, number: int) -> str | None:
    if not name:
        return None
    if name.lower() not in SPLIT_FOLDERS:
        raise DataError(f"{path}, line {number}: expected a split of {', '.join(SPLIT_FOLDERS)}; got {name!r}.")
    return SPLIT_FOLDERS[name.lower()]


def _outside(root: Path, path: str | None) -> str | None:
    if not path:
        return "no path is given"
    try:
        files = (path, path.rpartition("#")[0])  # the second holds many pictures, if it is one at all
        inside = all((root / file).resolve().is_relative_to(root) for file in files)
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a zero byte
        return f"its path cannot be followed: {error}"
    return None if inside else "its path leads out of the data's folder"
