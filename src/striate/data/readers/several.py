"""Whether the labels of a column are several in one text, such as "sea sunset", and what parts them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from striate.data.index import Index
from striate.errors import DataError
from striate.files import list_names

SEPARATORS = ("|", ";", ",", "+", "/", " ")
WHOLE = "none"  # as `--label-separator`: each text is one label
RECURRING = 0.8  # share of the parts of labels that are in two labels or more, where they are labels themselves
REPEATED = 0.2  # share of images with rows of different labels above which these are several labels, and no mistakes
MOST = 100_000  # different labels that are looked at


@dataclass(frozen=True)
class _Parts:
    """The different labels of a column, each parted."""

    several: Sequence[tuple[str, ...]]
    """Those of two parts or more."""

    alone: frozenset[str]
    """Labels of one part."""

    @property
    def recur(self) -> bool:
        """Whether most parts are in two labels or more."""
        counts = Counter(part for parts in self.several for part in set(parts))
        counts.update(self.alone & counts.keys())
        return sum(count > 1 for count in counts.values()) >= RECURRING * len(counts)

    @property
    def is_certain(self) -> bool:
        """Whether the parts are hardly words of a name.

        They are numbers, or many labels hold parts that are labels too, or parts in any number and order. "up", "left"
        and "up left" could be three directions, and pairs of numbers places or sizes.
        """
        used = {part for parts in self.several for part in parts}
        are_many = len(self.several) > len(used) or max(map(len, self.several)) > 2
        lengths = {len(parts) for parts in self.several} | ({1} if self.alone else set())
        if all(map(str.isdecimal, used)) and len(lengths) > 1:
            return True
        if are_many and 2 * len(used & self.alone) >= len(used):
            return True
        places = Counter(part for part, _ in {(p, i) for parts in self.several for i, p in enumerate(parts)})
        mixed = 2 * sum(count > 1 for count in places.values()) >= len(used)
        return are_many and mixed and len(lengths) > 1


def separator_of(labels: Sequence[str], place: str) -> str:
    """What parts several labels in each text; "" where each text is one label.

    Several are meant where the parts recur in other labels, and most of them are labels of their own or they come in
    any number and order: "sea", "sea sunset", "sunset trees". "African elephant" and "Asian elephant" are names, and
    so is what says the same twice, such as "7 7".

    Args:
        labels: the different texts.
        place: file and column, for the message.

    Raises:
        DataError: if either may be meant, as of "red dress", "red shirt", "black dress" and "black shirt".
    """
    for separator in SEPARATORS:
        parted = [tuple(filter(None, map(str.strip, label.split(separator)))) for label in labels[:MOST]]
        several = [parts for parts in parted if len(parts) > 1]
        found = _Parts(several, frozenset(parts[0] for parts in parted if len(parts) == 1))
        says_twice = any(len(set(parts)) < len(parts) for parts in several)
        if not several or says_twice or not found.recur:
            continue
        if found.is_certain or separator in "|;" or (separator in ",+/" and found.alone):
            return separator
        example = separator.join(several[0])
        raise DataError(
            f"{place}: expected one label or several in each text; got {len(several):,} such as {example!r:.60}, which "
            f"may be names (--label-separator {WHOLE}) or several labels, {list_names(several[0], 3)} "
            f"(--label-separator {separator!r}). Say which."
        )
    return ""


def with_rows_joined(index: Index) -> Index:
    """The index with a row an image, where a table has a row for each of its labels.

    Where a label of an image is repeated, as by several people who labelled it, or few images have two labels, rows
    stay as they are, and the check names those that contradict each other.
    """
    paths, labels = index.table["path"], np.asarray(index.table["label"])
    if index.several_labels or len(index) < 2 or pc.count_distinct(paths).as_py() == len(index):
        return index
    rows: dict[str, list[int]] = {}
    for row, path in enumerate(paths.to_pylist()):
        rows.setdefault(path, []).append(row)
    found = [[int(labels[row]) for row in each if labels[row] >= 0] for each in rows.values()]
    many = sum(len(set(each)) > 1 for each in found)
    if any(len(set(each)) < len(each) for each in found) or many < REPEATED * len(rows):
        return index
    first = index.table.take(pa.array([each[0] for each in rows.values()]))
    note = f"images with several rows, whose labels are all theirs: {many:,}."
    joined = replace(index, table=first, several_labels=True, notes=(*index.notes, note))
    joined = joined.with_column("labels", pa.array(found, pa.list_(pa.int64())))
    return joined.with_column("label", pa.array(np.full(len(rows), -1)))
