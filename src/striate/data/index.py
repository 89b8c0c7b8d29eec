"""The index of a data set: a table with one row an image, held as columns by Arrow."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.data.paths import as_text, to_texts
from striate.errors import DataError
from striate.files import NAME_LENGTH, fit_to_print, list_names

Rows = NDArray[np.int64]  # row numbers

SPLITS = ("train", "val", "test")
SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # relative to the root; "FILE#N" is image N of a file that holds many
        ("label", pa.int64()),  # class number; -1: none
        ("labels", pa.list_(pa.int64())),  # class numbers, where an image may have several; else null
        ("box", pa.list_(pa.float32(), 4)),  # xyxy in pixels of the upright image; null: none
        ("mask", pa.string()),  # path of the mask; null: none
        ("split", pa.dictionary(pa.int8(), pa.string())),  # train, val or test; null: not yet split
        ("reason", pa.string()),  # why the row is left out; null: it is used
        ("boxes", pa.list_(pa.list_(pa.float32(), 4))),  # of every object; its classes are `labels`, in this order
        ("weight", pa.float32()),  # how often the row is drawn, in proportion; null: 1
    ]
)
LONGEST_CLASS = 1000  # characters of a class's name
PART = 1 << 16  # rows that are turned into Python's values at a time


@dataclass(frozen=True)
class Index:
    """A data set's rows, its class names, and the folder that its paths start from.

    Where an image shows several objects, `boxes` and `labels` hold all of them, `box` and `label` the largest.
    """

    table: pa.Table
    classes: tuple[str, ...]
    root: Path
    several_labels: bool = False
    """Whether an image has any number of classes, those in `labels`, instead of the one in `label`."""

    mask_classes: tuple[str, ...] = ()
    """Names of the class numbers in a mask."""

    mask_values: Mapping[int, int] = field(default_factory=dict)
    """Class number of each value that a mask's file holds: a grey level, a palette's index, or 0xRRGGBB."""

    notes: tuple[str, ...] = ()
    """What the reader left out, in sentences."""

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def _label(self) -> NDArray[np.int64]:
        """The column `label`, laid out once: a step of training asks for a few rows of it."""
        return np.asarray(self.table["label"], np.int64)

    def paths(self, rows: Iterable[int] | None = None) -> list[str]:
        """The paths of `rows`, or of all, as they stand in the table."""
        column = self.table["path"] if rows is None else self.table["path"].take(pa.array(rows, pa.int64()))
        paths: list[str] = column.to_pylist()
        return paths

    def usable(self) -> NDArray[np.bool_]:
        """(N,) whether each row is read, rather than left out for a reason."""
        return np.asarray(self.table["reason"].is_null())

    def rows(self, split: str) -> Rows:
        """The usable, labelled rows of "train", "val" or "test", in order."""
        chosen = pc.fill_null(pc.equal(self.table["split"].cast(pa.string()), split), False)
        return np.flatnonzero(np.asarray(chosen) & self.usable() & self.labelled())

    def labelled(self) -> NDArray[np.bool_]:
        """(N,) whether each row has its label or labels."""
        if self.several_labels:
            return np.asarray(self.table["labels"].is_valid())
        return self._label >= 0

    def labels(self, rows: Rows) -> NDArray[np.int64] | NDArray[np.float32]:
        """(N,) class numbers, or where an image may have several labels (N, classes) of 0 and 1."""
        if not self.several_labels:
            return self._label[rows]
        many_hot = np.zeros((len(rows), len(self.classes)), np.float32)
        several = self.table["labels"].take(pa.array(rows, pa.int64())).combine_chunks()
        many_hot[np.asarray(several.value_parent_indices()), np.asarray(several.flatten())] = 1
        return many_hot

    def counts(self, split: str) -> dict[str, int]:
        """Images of each class in a split."""
        rows = self.rows(split)
        if self.several_labels:
            several = self.table["labels"].take(pa.array(rows, pa.int64())).combine_chunks()
            pairs = np.stack([several.value_parent_indices(), several.flatten()])  # a class named twice counts once
            labels = np.unique(pairs, axis=1)[1].astype(np.int64)
        else:
            labels = self._label[rows]
        numbers = np.bincount(labels, minlength=len(self.classes))
        return {name: int(number) for name, number in zip(self.classes, numbers, strict=True)}

    def with_column(self, name: str, values: Sequence[str | None] | pa.Array) -> "Index":
        """A copy with one column replaced."""
        place = SCHEMA.get_field_index(name)
        column = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
        return replace(
            self, table=self.table.set_column(place, SCHEMA.field(place), column.cast(SCHEMA.field(place).type))
        )

    def with_classes(self, classes: Sequence[str]) -> "Index":
        """The same rows with labels numbered as in `classes`, matched by name.

        Raises:
            DataError: if a class that has images is not among `classes`.
        """
        missing = sorted(set(self.classes) - set(classes))
        if missing:
            raise DataError(
                f"classes: expected only those that the model knows ({list_names(sorted(classes))}); "
                f"got also {list_names(missing)}. Rename or leave out those folders or labels."
            )
        place = {name: number for number, name in enumerate(classes)}
        number = np.array([place[name] for name in self.classes] + [-1], np.int64)
        several = self.table["labels"].combine_chunks()
        several = several.cast(SCHEMA.field("labels").type)
        numbers = pa.array(number[np.asarray(several.values)], pa.int64())
        several = pa.ListArray.from_arrays(several.offsets, numbers, mask=several.is_null())
        renumbered = replace(self, classes=tuple(classes)).with_column("label", pa.array(number[self._label]))
        return renumbered.with_column("labels", several)

    def fingerprint(self) -> str:
        """Names the set of images: equal for the same paths, labels, boxes and masks, whatever their split."""
        digest = hashlib.sha256(json.dumps(self.classes).encode())
        for column in ("path", "label", "labels", "box", "boxes", "mask"):
            for start in range(0, len(self), PART):
                digest.update(json.dumps(self.table[column].slice(start, PART).to_pylist()).encode())
        return digest.hexdigest()[:16]


def build(
    root: Path,
    classes: Sequence[str],
    paths: Sequence[str] | pa.Array,
    *,
    label: Sequence[int] | NDArray[np.int64] | None = None,
    labels: Sequence[Sequence[int] | None] | None = None,
    box: Sequence[Sequence[float] | None] | None = None,
    boxes: Sequence[Sequence[Sequence[float]] | None] | None = None,
    mask: Sequence[str | None] | None = None,
    split: Sequence[str | None] | pa.Array | None = None,
    reason: Sequence[str | None] | pa.Array | None = None,
    weight: Sequence[float | None] | pa.Array | None = None,
    mask_classes: Sequence[str] = (),
    mask_values: Mapping[int, int] | None = None,
    notes: Sequence[str] = (),
) -> Index:
    """An index from its columns; those that are left out are empty.

    Args:
        root: folder that `paths` start from.
        classes: names, by class number.
        paths: one a row.
        label: (N,) class numbers, -1 for none. Where `boxes` are given and this is not, that of the largest object.
        labels: class numbers of each row, where an image may have several; None for a row that has none given. With
            `boxes`, the class of each.
        box: xyxy in pixels of the upright image, or None. Where `boxes` are given and this is not, the largest one.
        boxes: those of each row's objects, or None.
        mask: path of the mask, or None.
        split: "train", "val", "test" or None a row.
        reason: why a row is left out, or None.
        weight: how often the row is drawn, in proportion, or None for 1.
        mask_classes: names of the class numbers in masks.
        mask_values: class number of each value in a mask's file.
        notes: what the reader left out, in sentences.

    Raises:
        DataError: if a class's name is too long, or a text is none.
    """
    n = len(paths)
    if boxes is not None and labels is not None:
        largest = [_largest(each) for each in boxes]
        label = _chosen(labels, largest, -1) if label is None else label
        box = _chosen(boxes, largest, None) if box is None else box
    values = {
        "label": np.full(n, -1) if label is None else label,
        "labels": labels,
        "box": box,
        "mask": mask,
        "split": split,
        "reason": reason,
        "boxes": boxes,
        "weight": weight,
    }
    try:
        columns = {"path": _column("path", paths, n)} | {name: _column(name, of, n) for name, of in values.items()}
        names = [as_text(name) for name in classes]
        for name in names:
            name.encode()
    except UnicodeEncodeError as error:  # half of a character, which JSON can hold and no file's name
        raise DataError(f"data: expected names that are text; got {error.object!r}. Rename it.") from error
    longest = max(names, key=len, default="")
    if len(longest) > LONGEST_CLASS:
        raise DataError(
            f"data: expected names of classes of at most {LONGEST_CLASS:,} characters; got one of {len(longest):,}: "
            f"{fit_to_print(longest, NAME_LENGTH)}. Which column or folder holds the labels?"
        )
    return Index(
        pa.table(columns, schema=SCHEMA),
        tuple(names),
        root,
        several_labels=labels is not None and boxes is None,
        mask_classes=tuple(mask_classes),
        mask_values=dict(mask_values or {}),
        notes=tuple(notes),
    )


def _column(name: str, values: Any, n: int) -> pa.Array:
    kind = SCHEMA.field(name).type
    if values is None:
        return pa.nulls(n, kind)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.cast(kind)
    if name in ("path", "mask", "reason"):
        return to_texts(values)
    return pa.array(values, pa.string()).cast(kind) if name == "split" else pa.array(values, kind)


def _largest(boxes: Sequence[Sequence[float]] | None) -> int | None:
    """Which of an image's boxes covers most; the first of equals."""
    if not boxes:
        return None
    return max(range(len(boxes)), key=lambda i: _area(*boxes[i]))


def _area(x0: float, y0: float, x1: float, y1: float) -> float:
    return (x1 - x0) * (y1 - y0) if x1 > x0 and y1 > y0 else 0.0  # also where one of them is not a number


def _chosen(rows: Sequence[Sequence[Any] | None], places: Sequence[int | None], nothing: Any) -> list[Any]:
    """The value of each row that stands at its place, or `nothing` where it has none."""
    return [nothing if i is None or row is None else row[i] for i, row in zip(places, rows, strict=True)]
