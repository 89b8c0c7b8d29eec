"""Splits: a seeded share of every class held out, where the data has no split of its own."""

import numpy as np
from numpy.typing import NDArray

from striate.augment import Stream, generator
from striate.data.index import Index, Rows
from striate.errors import DataError


def split(index: Index, *, val_fraction: float, test_fraction: float, seed: int) -> Index:
    """Gives every usable row a split, and changes none that the data gives.

    Rows without a split are parted between train, val and test where no row has one. Where the data has a train split
    but no val split, val is taken from train; a test split is never made from data that has splits.

    Args:
        index: of which some, all or no rows have a split.
        val_fraction: share of each class for val.
        test_fraction: share of each class for test.
        seed: the same one gives the same parts.
    """
    names = np.array([name or "" for name in index.table["split"].to_pylist()], dtype="<U5")
    usable = index.usable() & index.labelled()
    has_no_split = not names[usable].astype(bool).any()
    names[names == ""] = "train"
    if not (names[usable] == "val").any():
        shares = {"test": test_fraction if has_no_split else 0.0, "val": val_fraction}
        _hold_out(index, np.flatnonzero(usable & (names == "train")), names, shares, seed)
    return index.with_column("split", names.tolist())


def _hold_out(index: Index, rows: Rows, names: NDArray[np.str_], shares: dict[str, float], seed: int) -> None:
    """Names a share of each class's `rows`; a class of three pictures or more gives at least one to each share.

    At least one of each class stays in train, whatever the shares, so that nothing is asked that was not taught.
    """
    labels = index.labels(rows)
    groups = labels.argmax(axis=1) if index.several_labels else labels  # several labels: by the first of them
    rng = generator(seed, Stream.SPLIT)
    for group in np.unique(groups):
        members = rng.permutation(rows[groups == group])
        size = len(members)
        for name, share in shares.items():
            least = 1 if share > 0 and size >= 3 else 0
            count = min(max(round(share * size), least), len(members) - 1)
            names[members[:count]] = name
            members = members[count:]


def require_trainable(index: Index) -> None:
    """Stops where there is nothing to learn from, or something to be asked that was not taught.

    Raises:
        DataError: if a class of val or test has no picture in train, train is empty, or there is one class alone.
    """
    train = index.counts("train")
    if not any(train.values()):
        raise DataError(f"train: expected at least one labelled picture; got none under {index.root}.")
    if len(index.classes) < 2 and not index.several_labels:
        raise DataError(f"train: expected at least two classes to tell apart; got {index.classes[0]} alone.")
    for name in ("val", "test"):
        unknown = [c for c, count in index.counts(name).items() if count and not train[c]]
        if unknown:
            raise DataError(
                f"{name}: expected only classes that train has too; got also {', '.join(unknown)}. "
                "Class names are matched between splits by name: look for a misspelt folder or label."
            )
