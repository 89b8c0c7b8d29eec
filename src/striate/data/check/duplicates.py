"""Copies of images: the same file, the same pixels, or nearly so; within a class, across classes, across splits."""

from collections import defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from striate.data.check.cache import Digests, Pairs, recall_pairs, remember_pairs
from striate.data.check.classes import classes_of
from striate.data.check.findings import Finding, about
from striate.data.check.images import BLANK
from striate.data.check.near import close_pairs, same_detail
from striate.data.check.scan import SIDE, contrast, thumbnail, view
from striate.data.check.scan_index import Scan, in_parts
from striate.data.decode import UnreadableError
from striate.data.images import Images
from striate.data.index import SPLITS, Index, Rows
from striate.data.workers import silent
from striate.files import list_names

LIKENESS = ("the same file", "the same pixels", "nearly the same", "mirror images")  # from like to less alike


@dataclass(frozen=True)
class Copies:
    """Images of which each is a copy of another."""

    rows: tuple[int, ...]
    """In order; two at least."""

    links: tuple[int, ...]
    """How many of them joined the others by each of LIKENESS: one less than there are rows, together."""

    def __str__(self) -> str:
        """The same in words."""
        counts = {what: count for what, count in zip(LIKENESS, self.links, strict=True) if count}
        kinds = [f"{what} ({count})" for what, count in counts.items()] if len(counts) > 1 else [*counts]
        return f"{len(self.rows)} images, {list_names(kinds)}"


def find_copies(
    scan: Scan,
    digests: Digests,
    images: Images,
    *,
    workers: int = 1,
    cache: Path | None = None,
) -> list[Copies]:
    """Groups of images that are copies of each other.

    Images of less than 32 pixels or of one colour alone are compared for being the same, not for being nearly so.

    Args:
        scan: what the images look like.
        digests: of each row's content.
        images: those that look alike are opened once more.
        workers: threads that do so.
        cache: the file beside which the pairs that are nearly the same are kept.
    """
    links = _Links()
    again = _repeated(digests.take(pa.array(scan.rows)), scan.rows)
    links.join_equal(again, digests.take(pa.array(again)).to_pylist(), 0)
    again = _repeated(pa.array(scan.records["pixels"][scan.rows]), scan.rows)
    records = scan.records[again]
    links.join_equal(again, zip(records["pixels"].tolist(), records["width"].tolist(), strict=True), 1)

    rows = np.setdiff1d(worth_comparing(scan), links.later(), assume_unique=True)
    of_rows = digests.take(pa.array(rows))
    pairs = recall_pairs(cache, of_rows) if cache is not None else None
    if pairs is None:
        pairs = _near_pairs(scan, rows, images, workers)
        if cache is not None:
            remember_pairs(cache, of_rows, pairs)
    for one, other, likeness in pairs.tolist():
        links.join(int(rows[one]), int(rows[other]), likeness)
    return links.groups()


def _repeated(values: pa.Array, rows: Rows) -> Rows:
    """The rows of values that are there more than once, null apart."""
    encoded = values.dictionary_encode()
    counts = np.bincount(np.asarray(encoded.indices.drop_null()), minlength=1)
    return np.asarray(rows[counts[np.asarray(encoded.indices.fill_null(0))] * np.asarray(encoded.is_valid()) > 1])


def _near_pairs(scan: Scan, rows: Rows, images: Images, workers: int) -> Pairs:
    """Pairs of `rows`, by their places, of which one is nearly the other or its mirror image; and which of LIKENESS."""
    hashes, mirrored = scan.records["hash"][rows], scan.records["mirrored"][rows]
    alike, reversed_ = close_pairs(hashes, hashes), close_pairs(mirrored, hashes)
    again = np.unique(np.concatenate([alike.ravel(), reversed_.ravel()]))
    thumbnails = _thumbnails(images, rows[again], workers)
    found = []
    for pairs, is_mirrored, likeness in ((alike, False, 2), (reversed_, True, 3)):
        same = pairs[same_detail(thumbnails, np.searchsorted(again, pairs), mirrored=is_mirrored)]
        found.append(np.insert(same, 2, likeness, axis=1))
    return np.concatenate(found)


def worth_comparing(scan: Scan) -> Rows:
    """The rows of images that hold enough for being nearly the same to mean something."""
    return scan.rows_where(
        lambda records: (np.minimum(records["width"], records["height"]) >= SIDE) & (contrast(records) >= BLANK)
    )


def _thumbnails(images: Images, rows: Rows, workers: int) -> NDArray[np.uint8]:
    """(N, SIDE, SIDE, 3) of these rows; zeros, which are like nothing, for one that can no longer be read."""
    thumbnails = np.zeros((len(rows), SIDE, SIDE, 3), np.uint8)

    def fill(part: Rows) -> None:
        for place in part.tolist():
            try:
                thumbnails[place] = thumbnail(view(images.open(int(rows[place])))).round()
            except UnreadableError:  # it was read a moment ago
                continue

    in_parts(fill, np.arange(len(rows)), workers, silent)
    return thumbnails


def copy_findings(index: Index, copies: Iterable[Copies], twins: Container[tuple[str, ...]] = ()) -> Iterator[Finding]:
    """What each group of copies means: a leak between splits, a conflict of labels, both, or neither.

    Args:
        index: that they are rows of.
        copies: the groups.
        twins: pairs of classes that share many images, which is told of the pair and not of each group.
    """
    copies = list(copies)
    some = sorted({row for group in copies for row in group.rows})
    names = dict(zip(some, classes_of(index, some), strict=True))
    of_some = index.table["split"].take(pa.array(some, pa.int64())).to_pylist()
    splits: dict[int, str | None] = dict(zip(some, of_some, strict=True))
    for group in copies:
        rows = list(group.rows)
        in_splits = [split for split in SPLITS if any(splits[row] == split for row in rows)]
        in_classes = sorted({"+".join(names[row]) for row in rows if names[row]})
        if len(in_splits) > 1:
            yield about("leak", f"{group}: in {list_names(in_splits)}", index, rows)
        if len(in_classes) > 1 and tuple(in_classes) not in twins:
            yield about("conflict", f"{group}: as {list_names(in_classes)}", index, rows)
        if len(in_splits) <= 1 and len(in_classes) <= 1:
            yield about("duplicate", str(group), index, rows)


class _Links:
    """Which rows belong together (a disjoint-set forest), and by what."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}  # of rows that were joined to another
        self._counts: dict[int, list[int]] = {}

    def first(self, row: int) -> int:
        """The lowest row of the group that `row` is in."""
        while (above := self._above.get(row)) is not None:
            if above in self._above:
                self._above[row] = self._above[above]
            row = above
        return row

    def later(self) -> Rows:
        """The rows that were joined to an earlier one."""
        return np.array(list(self._above), np.int64)

    def join(self, one: int, other: int, likeness: int) -> None:
        """Makes one group of the groups of two rows."""
        low, high = sorted((self.first(one), self.first(other)))
        if low != high:
            self._above[high] = low
            none = [0] * len(LIKENESS)
            of_both = zip(self._counts.get(low, none), self._counts.pop(high, none), strict=True)
            self._counts[low] = [one + other for one, other in of_both]
            self._counts[low][likeness] += 1

    def join_equal(self, rows: Rows, keys: Iterable[Hashable], likeness: int) -> None:
        """Joins rows of equal keys; None is equal to nothing."""
        earlier: dict[Hashable, int] = {}
        for row, key in zip(rows.tolist(), keys, strict=True):
            if key is not None:
                self.join(earlier.setdefault(key, row), row, likeness)

    def groups(self) -> list[Copies]:
        """All groups of two rows or more, by their first."""
        members = defaultdict(list)
        for row in sorted({*self._above, *self._above.values()}):
            members[self.first(row)].append(row)
        return [Copies(tuple(rows), tuple(self._counts[first])) for first, rows in members.items()]
