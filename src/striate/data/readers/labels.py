"""The labels of a table's rows: one class each, or any number of them."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from striate.data.layouts.names import natural_key

CHOICES = r'^\{"choices": *(\[.*\])\}$'  # several labels, as Label Studio writes them in CSV
LIST = r"^(\[.*\])?$"
ITEM = re.compile(r"""'([^']*)'|"([^"]*)"|([^][,'"]+)""")  # of a list


@dataclass(frozen=True)
class Labels:
    """The labels of N rows."""

    names: list[str]
    """The classes, by number."""

    one: NDArray[np.int64] | None = None
    """(N,) the class of each row, -1 where it has none; None where rows may have several."""

    several: pa.Array | None = None
    """(N,) the list of the classes of each row, where rows may have several."""


def labels_of(texts: pa.Array, separator: str) -> Labels:
    """The labels that texts (N,) name: one each or, where they are lists or a separator is given, several."""
    if not separator and pc.any(pc.match_substring_regex(texts, CHOICES)).as_py():
        lists = pc.replace_substring_regex(texts, CHOICES, r"\1")  # of one label, it is the label alone
        texts = pc.if_else(pc.starts_with(lists, "["), lists, pc.binary_join_element_wise('["', lists, '"]', ""))
    if not separator and are_lists(texts):
        items = pa.array([[a or b or c.strip() for a, b, c in ITEM.findall(text)] for text in texts.to_pylist()])
        return _of_lists(items.cast(pa.list_(pa.string())), len(texts))
    if separator:
        return _of_lists(pc.split_pattern(texts, separator), len(texts))
    given = pc.utf8_trim_whitespace(texts)
    names = _sorted(given)
    return Labels(names, one=np.asarray(_numbers(given, names).fill_null(-1), np.int64))


def are_lists(texts: pa.Array) -> bool:
    """Whether each text is a list as Python or JSON writes it, such as ['ant', 'bee']."""
    return bool(pc.any(pc.starts_with(texts, "[")).as_py() and pc.all(pc.match_substring_regex(texts, LIST)).as_py())


def lists_by_row(rows: NDArray[np.int64], classes: ArrayLike, count: int) -> pa.Array:
    """The list of the classes of each of `count` rows.

    Args:
        rows: (M,) the row of each label, ascending.
        classes: (M,) its class.
        count: of rows.

    >>> lists_by_row(np.array([0, 0, 2]), [5, 6, 5], 3).to_pylist()
    [[5, 6], [], [5]]
    """
    ends = np.cumsum(np.bincount(rows, minlength=count))
    offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(np.asarray(classes), pa.int64()))


def _of_lists(texts: pa.Array, count: int) -> Labels:
    """The labels of `count` rows, of which each is a list of texts."""
    given = pc.utf8_trim_whitespace(texts.flatten())
    names = _sorted(given)
    numbers = _numbers(given, names)
    rows = np.asarray(pc.list_parent_indices(texts))[np.asarray(numbers.is_valid())]
    return Labels(names, several=lists_by_row(rows, numbers.drop_null(), count))


def _sorted(texts: pa.Array) -> list[str]:
    """The class names among texts, of which an empty one is none."""
    return sorted(set(pc.unique(texts).to_pylist()) - {"", None}, key=natural_key)


def _numbers(texts: pa.Array, names: list[str]) -> pa.Array:
    return pc.index_in(texts, value_set=pa.array(names, pa.string()))
