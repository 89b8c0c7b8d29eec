"""Which rows of an index show one object, and where it is."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from striate.data import Index

NO_OBJECT = "no object"
"""The class of images that show nothing of the other classes, where these are wanted."""

SEVERAL = "it shows several objects (`--boxes largest` uses such images)"
NONE = "it shows no object (`--task-args.no-object true` uses such images)"


@dataclass(frozen=True)
class Objects:
    """How many objects the usable images of an index show."""

    one: int
    several: int
    none: int

    @property
    def images(self) -> int:
        """All of them."""
        return self.one + self.several + self.none

    def cannot_locate(self) -> str:
        """Why such images cannot be located in, and what can be done with them."""
        if not self.several:
            return f"boxes: expected images with a box, to locate objects in; got none in {self.images:,}."
        return (
            f"boxes: expected images of one object each, to locate it; got {self.several:,} of {self.images:,} images "
            f"with several. To find all of them is detection, which striate does not do. "
            "Try --boxes largest, or --task classify, or --task segment where there are masks."
        )


def boxes_of(index: Index) -> NDArray[np.float32]:
    """(N, 4) the box of each row, xyxy in pixels of the upright image; NaN for a row that has none with an area."""
    column = index.table["box"].combine_chunks()
    known = np.asarray(column.is_valid())
    boxes = np.full((len(index), 4), np.nan, np.float32)
    boxes[known] = np.asarray(column.filter(pa.array(known)).flatten(), np.float32).reshape(-1, 4)
    boxes[~(boxes[:, 2:] > boxes[:, :2]).all(axis=1)] = np.nan
    return boxes


def counts_of(index: Index) -> NDArray[np.int64]:
    """(N,) how many objects each row shows."""
    several = np.asarray(index.table["boxes"].combine_chunks().value_lengths().fill_null(0), np.int64)
    single = np.isfinite(boxes_of(index)).all(axis=1).astype(np.int64)
    return np.where(several > 1, several, single)


def objects_of(index: Index) -> Objects:
    """How many usable rows show one object, several or none."""
    counts = counts_of(index)[index.usable()]
    return Objects(int((counts == 1).sum()), int((counts > 1).sum()), int((counts == 0).sum()))


def matched(index: Index, classes: tuple[str, ...], *, largest: bool) -> Index:
    """The index with a label and a box for each row that is used; the others get a reason.

    Args:
        index: whose classes are among `classes`.
        classes: names, by class number; with `NO_OBJECT` last where images without an object are used.
        largest: whether an image of several objects is used by its largest.

    Raises:
        DataError: if the index has a class that is not among `classes`.
    """
    named = index if index.classes == classes else index.with_classes(classes)
    counts, usable = counts_of(named), named.usable()
    reasons: list[str | None] = named.table["reason"].to_pylist()
    notes = []
    empty, several = usable & (counts == 0), usable & (counts > 1)
    if classes[-1] == NO_OBJECT:
        label = np.where(empty, len(classes) - 1, np.asarray(named.table["label"], np.int64))
        named = named.with_column("label", pa.array(label))
    elif empty.any():
        _give(reasons, empty, NONE)
    if several.any() and not largest:
        _give(reasons, several, SEVERAL)
    elif several.any():
        notes.append(f"used by their largest object, images of several: {several.sum():,}.")
    notes = [note for note in notes if note not in named.notes]  # of an index that was matched before
    return replace(named.with_column("reason", reasons), notes=(*named.notes, *notes), several_labels=False)


def _give(reasons: list[str | None], rows: NDArray[np.bool_], reason: str) -> None:
    for row in np.flatnonzero(rows).tolist():
        reasons[row] = reason
