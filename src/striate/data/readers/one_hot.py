"""Columns that say of each class whether an image shows it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.data.layouts.columns import FALSE, TRUE
from striate.data.layouts.names import natural_key
from striate.data.layouts.sheet import Sheet
from striate.data.readers.labels import Labels, lists_by_row
from striate.errors import DataError
from striate.files import list_names

UNCERTAIN = pa.array(["-1", "-1.0"])
NO = pa.array(["0", "0.0"])


def one_hot_labels(sheet: Sheet, texts: Mapping[str, pa.Array], names: Sequence[str]) -> tuple[Labels, list[str]]:
    """The labels of each row, one where every row has exactly one, else several; and notes on them.

    An empty cell says no. So does -1: where it stands beside 0, as "uncertain" does in chest X-rays, a note counts it.
    """
    hot = np.stack([_true(sheet, texts[name], name) for name in names], axis=1)  # (N, classes)
    order = sorted(names, key=natural_key)
    hot = hot[:, [names.index(name) for name in order]]
    notes = _uncertain(texts, order)
    if (hot.sum(axis=1) == 1).all():
        return Labels(order, one=hot.argmax(axis=1).astype(np.int64)), notes
    rows, classes = np.nonzero(hot)
    return Labels(order, several=lists_by_row(rows, classes, len(hot))), notes


def _uncertain(texts: Mapping[str, pa.Array], names: Sequence[str]) -> list[str]:
    """A word on values of -1 in columns that hold 0 as well."""
    counts = {name: pc.sum(pc.is_in(texts[name], value_set=UNCERTAIN)).as_py() or 0 for name in names}
    if not any(counts.values()) or not any(pc.any(pc.is_in(texts[name], value_set=NO)).as_py() for name in names):
        return []
    shown = list_names((f"{name} ({count:,})" for name, count in counts.items() if count), 6)
    return [f"-1 beside 0 and 1 is taken for uncertain, and read as 0: {shown}."]


def _true(sheet: Sheet, texts: pa.Array, name: str) -> NDArray[np.bool_]:
    lower = pc.utf8_lower(texts)
    known = pc.is_in(lower, value_set=pa.array([*TRUE, *FALSE, ""]))
    if not pc.all(known).as_py() and len(texts):
        row = int(np.flatnonzero(~np.asarray(known))[0])
        raise DataError(
            f"{sheet.path}, line {sheet.line(row)}: expected 0 or 1 in column `{name}`; got {texts[row].as_py()!r}."
        )
    return np.asarray(pc.is_in(lower, value_set=pa.array([*TRUE])), np.bool_)
