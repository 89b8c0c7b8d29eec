"""Copies of images: the same file, the same pixels, or nearly so; within a class, across classes, across splits."""

from collections import defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.check.cache import Digest
from striate.data.check.classes import classes_of
from striate.data.check.findings import Finding, about
from striate.data.check.images import BLANK
from striate.data.check.near import close_pairs, same_detail
from striate.data.check.scan import SIDE, contrast, thumbnail, view
from striate.data.check.scan_index import Advance, Scan, in_parts, silent
from striate.data.decode import UnreadableError
from striate.data.images import Images
from striate.data.index import SPLITS, Index, Rows
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
    scan: Scan, digests: list[Digest], images: Images, *, workers: int = 1, advance: Advance = silent
) -> list[Copies]:
    """Groups of images that are copies of each other.

    Images of less than 32 pixels or of one colour alone are compared for being the same, not for being nearly so.

    Args:
        scan: what the images look like.
        digests: of each row's content.
        images: those that look alike are opened once more.
        workers: threads that do so.
        advance: called with the number of images opened since the last call.
    """
    links = _Links(len(scan.records))
    rows = scan.rows
    records = scan.records[rows]
    links.join_equal(rows, [digests[row] for row in rows.tolist()], 0)
    links.join_equal(rows, zip(records["pixels"].tolist(), records["width"].tolist(), strict=True), 1)

    rows = np.array([row for row in worth_comparing(scan).tolist() if links.first(row) == row], np.int64)
    hashes, mirrored = scan.records["hash"][rows], scan.records["mirrored"][rows]
    alike, reversed_ = rows[close_pairs(hashes, hashes)], rows[close_pairs(mirrored, hashes)]
    again = np.unique(np.concatenate([alike.ravel(), reversed_.ravel()]))
    thumbnails = _thumbnails(images, again, workers, advance)
    for pairs, mirror, likeness in ((alike, False, 2), (reversed_, True, 3)):
        places = np.searchsorted(again, pairs)
        for one, other in pairs[same_detail(thumbnails, places, mirrored=mirror)].tolist():
            links.join(one, other, likeness)
    return links.groups()


def worth_comparing(scan: Scan) -> Rows:
    """The rows of images that hold enough for being nearly the same to mean something."""
    records = scan.records[scan.rows]
    large = np.minimum(records["width"], records["height"]) >= SIDE
    return np.asarray(scan.rows[large & (contrast(records) >= BLANK)])


def _thumbnails(images: Images, rows: Rows, workers: int, advance: Advance) -> NDArray[np.uint8]:
    """(N, SIDE, SIDE, 3) of these rows; zeros, which are like nothing, for one that can no longer be read."""
    thumbnails = np.zeros((len(rows), SIDE, SIDE, 3), np.uint8)

    def fill(part: Rows) -> None:
        for place in part.tolist():
            try:
                thumbnails[place] = thumbnail(view(images.open(int(rows[place])))).round()
            except UnreadableError:  # it was read a moment ago
                continue

    in_parts(fill, np.arange(len(rows)), workers, advance)
    return thumbnails


def copy_findings(index: Index, copies: Iterable[Copies], twins: Container[tuple[str, ...]] = ()) -> Iterator[Finding]:
    """What each group of copies means: a leak between splits, a conflict of labels, both, or neither.

    Args:
        index: that they are rows of.
        copies: the groups.
        twins: pairs of classes that share many images, which is told of the pair and not of each group.
    """
    names = classes_of(index)
    splits: list[str | None] = index.table["split"].to_pylist()
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

    def __init__(self, count: int) -> None:
        self._above = list(range(count))
        self._counts: dict[int, list[int]] = {}

    def first(self, row: int) -> int:
        """The lowest row of the group that `row` is in."""
        while self._above[row] != row:
            self._above[row] = self._above[self._above[row]]
            row = self._above[row]
        return row

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
        for row in range(len(self._above)):
            members[self.first(row)].append(row)
        return [Copies(tuple(rows), tuple(self._counts[first])) for first, rows in members.items() if len(rows) > 1]
