"""Splits: a seeded share of every class held out, where the data has no split of its own."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.augment import Stream, generator
from striate.data.index import SPLITS, Index, Rows
from striate.errors import DataError
from striate.files import list_names

TRAIN, VAL, TEST = range(len(SPLITS))
NONE = -1  # not yet split


def split(
    index: Index,
    *,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    together: Iterable[Sequence[int]] = (),
) -> Index:
    """Gives every usable row a split, and changes none that the data gives.

    Rows without a split are parted between train, val and test where no row has one. Where the data has a train split
    but no val split, val is taken from train; a test split is never made from data that has splits.

    Args:
        index: of which some, all or no rows have a split.
        val_fraction: share of each class for val.
        test_fraction: share of each class for test.
        seed: the same one gives the same parts.
        together: rows that show the same image; those that are parted here go to one split, to train if any of them
            does, so that no image is both trained on and asked about.
    """
    place = pc.index_in(index.table["split"].cast(pa.string()), value_set=pa.array(SPLITS))
    parts = np.array(place.fill_null(NONE), np.int8)  # (N,) of each row, its place in SPLITS
    usable = index.usable() & index.labelled()
    has_no_split = bool((parts[usable] == NONE).all())
    parts[parts == NONE] = TRAIN
    if not (parts[usable] == VAL).any():
        shares = {TEST: test_fraction if has_no_split else 0.0, VAL: val_fraction}
        rows = np.flatnonzero(usable & (parts == TRAIN))
        hold_out = _hold_out_several if index.several_labels else _hold_out
        rng, groups = generator(seed, Stream.SPLIT), list(together)
        hold_out(index, rows, parts, shares, rng)
        _keep_together(groups, rows, parts)
        if not index.several_labels:
            _hold_out_copies(index, rows, parts, shares, groups, rng)
    return index.with_column("split", pa.array(SPLITS).take(pa.array(parts)))


def _keep_together(together: Iterable[Sequence[int]], rows: Rows, parts: NDArray[np.int8]) -> None:
    """Gives those of `rows` that show the same image one split: the first of SPLITS that any of them has."""
    parted = np.isin(np.arange(len(parts)), rows)
    for same in together:
        copies = [row for row in same if parted[row]]
        parts[copies] = parts[copies].min() if copies else NONE


def _hold_out_copies(
    index: Index,
    rows: Rows,
    parts: NDArray[np.int8],
    shares: dict[int, float],
    together: Iterable[Sequence[int]],
    rng: np.random.Generator,
) -> None:
    """Gives all copies of an image to each split that was left without a class because they went to train together.

    So a class of images that have copies each, as augmentation writes them, is in every split all the same.
    """
    image_of = np.arange(len(parts))  # of each row, the first that shows the same image
    for same in together:
        image_of[list(same)] = min(same)
    of_several = {min(same) for same in together if len(np.unique(index.labels(np.array(same)))) > 1}  # classes
    for members in _by_class(index, rows):
        images = np.unique(image_of[members])
        if len(images) == len(members):  # none has a copy
            continue
        left = [image for image in rng.permutation(images).tolist() if image not in of_several]
        for part, count in _held_out(len(images), shares).items():
            if not (parts[members] == part).any():
                in_train = parts[members] == TRAIN
                left = [image for image in left if in_train[image_of[members] == image].all()]
                dealt, left = left[: min(count, len(left) - 1)], left[min(count, len(left) - 1) :]
                parts[members[np.isin(image_of[members], dealt)]] = part


def _by_class(index: Index, rows: Rows) -> list[Rows]:
    """The `rows` of each class."""
    labels = index.labels(rows)
    by_class = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[by_class], prepend=-1))
    return np.split(rows[by_class], starts[1:])


def _held_out(size: int, shares: dict[int, float]) -> dict[int, int]:
    """How many of a class's images each split gets; of three or more, at least one.

    At least one stays in train, whatever the shares, so that nothing is asked that was not taught.
    """
    counts: dict[int, int] = {}
    left = size
    for part, share in shares.items():
        least = 1 if share > 0 and size >= 3 else 0
        counts[part] = min(max(round(share * size), least), left - 1)
        left -= counts[part]
    return counts


def _hold_out(
    index: Index, rows: Rows, parts: NDArray[np.int8], shares: dict[int, float], rng: np.random.Generator
) -> None:
    """Gives a share of each class's `rows` to the splits of `shares`."""
    for members in _by_class(index, rows):
        left = rng.permutation(members)
        for part, count in _held_out(len(members), shares).items():
            parts[left[:count]] = part
            left = left[count:]


def _hold_out_several(
    index: Index, rows: Rows, parts: NDArray[np.int8], shares: dict[int, float], rng: np.random.Generator
) -> None:
    """Gives a share of each class's `rows` to the splits of `shares`, where an image may have several classes.

    Iterative stratification: the class with the fewest images left is dealt out next, each image to the split that
    lacks most of that class, of equals to the one that lacks most images. Rare classes come first because common
    ones can still be balanced afterwards. At last, a class that train has nothing of gets an image back.

    Source: Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of multi-label data", algorithm 1.
    """
    rows = rng.permutation(rows)
    of_row = _classes_of(index, rows)
    of_class = _members(of_row, len(index.classes))
    wanted = np.zeros((len(index.classes), len(SPLITS)), np.int64)  # images of each class that each split lacks
    for each, members in enumerate(of_class):
        for part, count in _held_out(len(members), shares).items() if members else ():
            wanted[each, part] = count
        wanted[each, TRAIN] = len(members) - wanted[each].sum()
    lacks = np.zeros(len(SPLITS), np.int64)  # images that each split lacks
    for part, share in shares.items():
        lacks[part] = round(share * len(rows))
    lacks[TRAIN] = len(rows) - lacks.sum()
    left = np.array([len(members) for members in of_class])
    dealt = np.full(len(rows), NONE, np.int8)

    def deal(place: int, part: int) -> None:
        dealt[place] = part
        lacks[part] -= 1
        wanted[of_row[place], part] -= 1
        left[of_row[place]] -= 1

    while left.any():
        rarest = int(np.where(left > 0, left, len(rows) + 1).argmin())
        for place in of_class[rarest]:
            if dealt[place] == NONE:
                deal(place, int(np.lexsort((lacks, wanted[rarest]))[-1]))
    for place in np.flatnonzero(dealt == NONE).tolist():  # images of no class
        deal(place, int(lacks.argmax()))
    for members in of_class:
        if members and not (dealt[members] == TRAIN).any():
            dealt[members[0]] = TRAIN
    parts[rows] = dealt


def _classes_of(index: Index, rows: Rows) -> list[NDArray[np.int64]]:
    """The class numbers of each row, none of them twice."""
    several = index.table["labels"].take(pa.array(rows)).combine_chunks()
    starts = np.cumsum(np.asarray(several.value_lengths()))[:-1]
    return [np.unique(labels) for labels in np.split(np.asarray(several.flatten(), np.int64), starts)]


def _members(of_row: list[NDArray[np.int64]], classes: int) -> list[list[int]]:
    """The places in `of_row` that have each class."""
    members: list[list[int]] = [[] for _ in range(classes)]
    for place, labels in enumerate(of_row):
        for label in labels.tolist():
            members[label].append(place)
    return members


def require_trainable(index: Index) -> None:
    """Stops where there is nothing to learn from, or something to be asked that was not taught.

    Raises:
        DataError: if a class of val or test has no image in train, or train is empty.
    """
    train = index.counts("train")
    if not any(train.values()):
        others = [f"{count:,} in {name}" for name in ("val", "test") if (count := len(index.rows(name)))]
        got = list_names(others) or "none"
        tried = " Try it without the folder or column of splits: train needs images too." if others else ""
        raise DataError(f"train: expected at least one labelled image; got {got} under {index.root}.{tried}")
    for name in ("val", "test"):
        unknown = [c for c, count in index.counts(name).items() if count and not train[c]]
        if unknown:
            raise DataError(
                f"{name}: expected only classes that train has too; got also {', '.join(unknown)}. "
                "Class names are matched between splits by name: look for a misspelt folder or label."
            )
