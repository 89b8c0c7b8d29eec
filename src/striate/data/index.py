"""The index of a data set: a table with one row a picture, held as columns by Arrow."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from striate.errors import DataError

Rows = NDArray[np.int64]  # row numbers

SPLITS = ("train", "val", "test")
SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # relative to the root; "FILE#N" is picture N of a file that holds many
        ("label", pa.int64()),  # class number; -1: none
        ("labels", pa.list_(pa.int64())),  # class numbers, where a picture may have several; else null
        ("box", pa.list_(pa.float32(), 4)),  # xyxy in pixels of the upright picture; null: none
        ("mask", pa.string()),  # path of the mask; null: none
        ("split", pa.dictionary(pa.int8(), pa.string())),  # train, val or test; null: not yet split
        ("reason", pa.string()),  # why the row is left out; null: it is used
    ]
)


@dataclass(frozen=True)
class Index:
    """A data set's rows, its class names, and the folder that its paths start from."""

    table: pa.Table
    classes: tuple[str, ...]
    root: Path
    several_labels: bool = False

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
        """(N,) class numbers, or where a picture may have several labels (N, classes) of 0 and 1."""
        if not self.several_labels:
            return self._label[rows]
        many_hot = np.zeros((len(rows), len(self.classes)), np.float32)
        for i, labels in enumerate(self.table["labels"].take(pa.array(rows)).to_pylist()):
            many_hot[i, labels] = 1
        return many_hot

    def counts(self, split: str) -> dict[str, int]:
        """Pictures of each class in a split."""
        labels = self.labels(self.rows(split))
        if self.several_labels:
            numbers = labels.sum(axis=0)
        else:
            numbers = np.bincount(labels.astype(np.int64), minlength=len(self.classes))
        return {name: int(number) for name, number in zip(self.classes, numbers, strict=True)}

    def with_column(self, name: str, values: Sequence[str | None]) -> "Index":
        """A copy with one column replaced."""
        place = SCHEMA.get_field_index(name)
        column = pa.array(values, pa.string()).cast(SCHEMA.field(place).type)
        return replace(self, table=self.table.set_column(place, SCHEMA.field(place), column))

    def with_classes(self, classes: Sequence[str]) -> "Index":
        """The same rows with labels numbered as in `classes`, matched by name.

        Raises:
            DataError: if a class that has pictures is not among `classes`.
        """
        missing = sorted(set(self.classes) - set(classes))
        if missing:
            raise DataError(
                f"classes: expected only those that the model knows ({', '.join(sorted(classes))}); "
                f"got also {', '.join(missing)}. Rename or leave out those folders or labels."
            )
        number = np.array([classes.index(name) for name in self.classes] + [-1], np.int64)
        label = pa.array(number[self._label])
        several = [None if row is None else number[row].tolist() for row in self.table["labels"].to_pylist()]
        table = self.table.set_column(1, SCHEMA.field(1), label)
        table = table.set_column(2, SCHEMA.field(2), pa.array(several, SCHEMA.field(2).type))
        return replace(self, table=table, classes=tuple(classes))

    def fingerprint(self) -> str:
        """Names the set of pictures: equal for the same paths and labels, whatever their split."""
        digest = hashlib.sha256(json.dumps(self.classes).encode())
        for column in ("path", "label", "labels"):
            digest.update(json.dumps(self.table[column].to_pylist()).encode())
        return digest.hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Writes the index as Parquet."""
        about = {"classes": self.classes, "root": str(self.root), "several_labels": self.several_labels}
        pq.write_table(self.table.replace_schema_metadata({"striate": json.dumps(about)}), path)

    @staticmethod
    def load(path: Path) -> "Index":
        """Reads what `save` wrote.

        Raises:
            DataError: if the file is not such an index.
        """
        try:
            table = pq.read_table(path, memory_map=True)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"index {path}: expected a Parquet file that striate wrote; {error}.") from error
        if b"striate" not in (table.schema.metadata or {}):
            columns = ", ".join(table.column_names)
            raise DataError(f"index {path}: expected a Parquet file that striate wrote; got one of {columns}.")
        about = json.loads(table.schema.metadata[b"striate"])
        table = table.replace_schema_metadata(None)
        return Index(table, tuple(about["classes"]), Path(about["root"]), about["several_labels"])


def build(
    root: Path,
    classes: Sequence[str],
    paths: Sequence[str],
    *,
    label: Sequence[int] | NDArray[np.int64] | None = None,
    labels: Sequence[Sequence[int] | None] | None = None,
    split: Sequence[str | None] | None = None,
    reason: Sequence[str | None] | None = None,
) -> Index:
    """An index from its columns; those that are left out are empty.

    Args:
        root: folder that `paths` start from.
        classes: names, by class number.
        paths: one a row.
        label: (N,) class numbers, -1 for none.
        labels: class numbers of each row, where a picture may have several; None for a row that has none given.
        split: "train", "val", "test" or None a row.
        reason: why a row is left out, or None.

    Raises:
        DataError: if a path's name is not UTF-8.
    """
    n = len(paths)
    try:
        path = pa.array(paths, pa.string())
    except UnicodeEncodeError as error:
        raise DataError(f"data: expected names of files in UTF-8; got {error.object!r}. Rename it.") from error
    split_type = SCHEMA.field("split").type
    columns = {
        "path": path,
        "label": pa.array(np.full(n, -1) if label is None else label, pa.int64()),
        "labels": pa.nulls(n, SCHEMA.field("labels").type)
        if labels is None
        else pa.array(labels, SCHEMA.field("labels").type),
        "box": pa.nulls(n, SCHEMA.field("box").type),
        "mask": pa.nulls(n, pa.string()),
        "split": pa.nulls(n, split_type) if split is None else pa.array(split, pa.string()).cast(split_type),
        "reason": pa.nulls(n, pa.string()) if reason is None else pa.array(reason, pa.string()),
    }
    return Index(pa.table(columns, schema=SCHEMA), tuple(classes), root, several_labels=labels is not None)
