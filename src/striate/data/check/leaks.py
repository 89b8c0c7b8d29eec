"""Leaks: images of train that are copies, or nearly, of images in val or test, and what is done about them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from striate.data.check.duplicates import Copies
from striate.data.check.findings import Finding
from striate.data.index import Index
from striate.errors import DataError
from striate.files import list_names

HELD_OUT = ("val", "test")


@dataclass(frozen=True)
class Leak:
    """A usable image of train that val or test has too."""

    row: int
    of: int
    """The row of the first image in val, else in test, that it is a copy of."""

    split: str
    """That image's split."""


def leaks(index: Index, copies: Iterable[Copies]) -> list[Leak]:
    """The usable rows of train that are copies, or nearly, of usable rows in val or test, in order."""
    splits: list[str | None] = index.table["split"].to_pylist()
    usable = index.usable()
    found = []
    for group in copies:
        rows = [row for row in group.rows if usable[row]]
        held_out = [(split, row) for split in HELD_OUT for row in rows if splits[row] == split]
        if held_out:
            split, of = held_out[0]
            found += [Leak(row, of, split) for row in rows if splits[row] == "train"]
    return sorted(found, key=lambda leak: leak.row)


def without(index: Index, found: Iterable[Leak]) -> Index:
    """The index with a reason at each row that leaks.

    Raises:
        DataError: if a class has images in train and would have none.
    """
    reasons: list[str | None] = index.table["reason"].to_pylist()
    for leak in found:
        [path] = index.paths([leak.of])
        reasons[leak.row] = f"a copy, or nearly, of {path} in {leak.split}"
    left = index.with_column("reason", reasons)
    before, after = index.counts("train"), left.counts("train")
    emptied = [name for name, count in before.items() if count and not after[name]]
    if emptied:
        raise DataError(
            f"train: expected images of {list_names(emptied)} that val and test have not got too; got copies of theirs "
            "alone. Put other images into val and test, or try --keep-leaks, whose scores count what was trained on."
        )
    return left


def sentence(index: Index, found: list[Leak], *, keep: bool) -> str:
    """What is done about leaks, with their number and an example."""
    splits = Counter(leak.split for leak in found)
    counts = " and ".join(f"{split} ({splits[split]:,})" for split in HELD_OUT if splits[split])
    path, of = index.paths([found[0].row, found[0].of])
    number = f"{len(found):,} of {len(index.rows('train')):,} images of train"
    what = f"copies, or nearly, of images in {counts}, such as {path} of {of}"
    if keep:
        return f"warning: {number} are {what}; --keep-leaks trains on them, so scores count what was trained on"
    return f"left out of training: {number}, {what}; --keep-leaks trains on them"


def findings(index: Index, found: Iterable[Leak]) -> list[Finding]:
    """A line a row that `without` leaves out, for a table of findings."""
    rows = [leak.row for leak in found]
    reasons = index.table["reason"].take(np.array(rows, np.int64)).to_pylist()
    paths = index.paths(rows)
    return [
        Finding("left-out", reason, (path,), (row,), used=False)
        for row, path, reason in zip(rows, paths, reasons, strict=True)
    ]
