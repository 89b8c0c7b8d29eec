"""Data that a program holds: lists, dicts, and tables of pandas, Arrow or whatever speaks Arrow's interface."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from striate.data.index import SPLITS, Index, build
from striate.data.paths import to_text
from striate.errors import DataError, nearest


def index_of(data: Any, *, path_column: str = "path", label_column: str = "label") -> Index:
    """The index of images that a program names.

    Args:
        data: one of
            a list of (path, label) pairs, or a list of dicts, one an image;
            a dict of class names to lists of paths;
            a dict of columns, a pandas or Arrow table, or any table with Arrow's interface, with the columns `path` and
            `label`, and if you like `split` (train, val or test), `weight` and `box` (x0, y0, x1, y1 in pixels).
            A label is a text or a number; where an image may have several, a list of them; None for none.
        path_column: the name of the column of paths.
        label_column: the name of the column of labels.

    Raises:
        DataError: if the data are none of these, or name no image.
    """
    columns = _columns(data, path_column, label_column)
    if path_column not in columns:
        raise DataError(
            f"data: expected a column `{path_column}` of paths; got the columns {', '.join(map(str, columns))}. "
            f"{nearest(path_column, map(str, columns))}"
        )
    paths = [Path(os.fspath(path)).absolute() for path in columns[path_column]]
    if not paths:
        raise DataError("data: expected images; got none.")
    root = Path(os.path.commonpath([path.parent for path in paths]))
    several, classes, labels = _labels(columns.get(label_column, [None] * len(paths)))
    return build(
        root,
        classes,
        [to_text(path.relative_to(root).as_posix()) for path in paths],
        label=None if several else labels,
        labels=labels if several else None,
        split=_splits(columns.get("split")),
        weight=columns.get("weight"),
        box=columns.get("box"),
    )


def _columns(data: Any, path_column: str, label_column: str) -> dict[str, list[Any]]:
    """The columns of data, each a list of Python's values."""
    if isinstance(data, Mapping) and path_column not in data:  # class names to paths
        pairs = [(path, name) for name, paths in data.items() for path in _listed(paths, name)]
        return {path_column: [path for path, _ in pairs], label_column: [name for _, name in pairs]}
    if isinstance(data, Mapping):
        return {str(name): list(values) for name, values in data.items()}
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _columns_of_rows(data, path_column, label_column)
    if hasattr(data, "to_dict") and hasattr(data, "columns"):  # of pandas; its cells may hold what Arrow cannot
        columns = {str(name): list(data[name]) for name in data.columns}
        return {name: [None if _is_nan(value) else value for value in values] for name, values in columns.items()}
    try:
        table = pa.table(data)
    except (TypeError, ValueError, pa.ArrowException) as error:
        raise DataError(
            "data: expected a path, an index, a list of (path, label), a dict, or a pandas or Arrow table; "
            f"got {type(data).__name__}."
        ) from error
    found: dict[str, list[Any]] = table.to_pydict()
    return found


def _is_nan(value: Any) -> bool:
    """Whether a cell is empty, as pandas has it."""
    return isinstance(value, float) and math.isnan(value)


def _listed(paths: Any, name: Any) -> list[Any]:
    if isinstance(paths, str | bytes | os.PathLike):
        raise DataError(f"data: expected a list of paths for the class {name}; got {paths!r}. Try [{paths!r}].")
    return list(paths)


def _columns_of_rows(rows: Sequence[Any], path_column: str, label_column: str) -> dict[str, list[Any]]:
    if not rows:
        raise DataError("data: expected images; got none.")
    if all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(name for row in rows for name in row)
        return {str(name): [row.get(name) for row in rows] for name in names}
    for number, row in enumerate(rows):
        if not (isinstance(row, Sequence) and not isinstance(row, str) and len(row) == 2):
            raise DataError(f"data: expected (path, label) or a dict as each element; got {row!r} at place {number}.")
    return {path_column: [row[0] for row in rows], label_column: [row[1] for row in rows]}


def _labels(values: Sequence[Any]) -> tuple[bool, tuple[str, ...], list[Any]]:
    """Whether images have lists of labels, the class names in order, and the class numbers."""
    several = any(isinstance(value, list | tuple | set) for value in values)
    each = [[] if value is None else list(value) if several else [value] for value in values]
    found = {label for labels in each for label in labels}
    numeric = all(isinstance(label, int) for label in found)
    ordered = sorted(found) if numeric else sorted(found, key=str)
    number = {label: place for place, label in enumerate(ordered)}
    classes = tuple(str(label) for label in ordered)
    if several:
        numbers: list[Any] = [
            None if value is None else [number[label] for label in labels]
            for value, labels in zip(values, each, strict=True)
        ]
    else:
        numbers = [number[labels[0]] if labels else -1 for labels in each]
    return several, classes, numbers


def _splits(values: Sequence[Any] | None) -> list[str | None] | None:
    if values is None:
        return None
    for value in values:
        if value is not None and value not in SPLITS:
            hint = nearest(str(value), SPLITS)
            raise DataError(f"split: expected {', '.join(SPLITS)} or None; got {value!r}. {hint}")
    return list(values)
