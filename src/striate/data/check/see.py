"""Every picture is looked at once, by as many threads as there are."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.data.check.cache import Digest, recall, remember
from striate.data.check.look import LOOK, Looks, look
from striate.data.decode import MAX_PIXELS, UnreadableError
from striate.data.index import Index, Rows
from striate.data.pictures import IndexedPictures

PART = 64  # pictures that a thread takes at a time
Advance = Callable[[int], None]


def silent(count: int) -> None:
    """Takes note of no progress."""


@dataclass(frozen=True)
class Seen:
    """What was seen of each row of an index."""

    looks: Looks
    """(N,), zeros for a row that was not opened or cannot be read."""

    reasons: tuple[str | None, ...]
    """Why each row is left out, or None."""

    @property
    def rows(self) -> Rows:
        """The rows that can be read."""
        return np.flatnonzero(self.looks["count"])


def see(
    index: Index,
    *,
    max_pixels: int = MAX_PIXELS,
    workers: int = 1,
    advance: Advance = silent,
    digests: list[Digest] | None = None,
    cache: Path | None = None,
) -> Seen:
    """Looks at every usable picture of an index.

    Args:
        index: of which rows that already have a reason are not opened.
        max_pixels: a picture of more is not decoded and counts as unreadable.
        workers: threads that decode.
        advance: called with the number of pictures done since the last call.
        digests: of the content of each row, where what was seen is kept.
        cache: the file that keeps it.
    """
    usable = index.usable()
    looks = np.zeros(len(index), LOOK)
    if cache is not None and digests is not None:
        looks = recall(cache, digests)
        pixels = looks["width"].astype(np.int64) * looks["height"]
        looks[~usable | (pixels > max_pixels)] = 0
    reasons: list[str | None] = index.table["reason"].to_pylist()
    rows = np.flatnonzero(usable & (looks["count"] == 0))
    advance(int(usable.sum()) - len(rows))
    pictures = IndexedPictures(index, max_pixels)

    def look_at(part: Iterable[int]) -> None:
        for row in part:
            try:
                looks[row] = look(pictures.open(row))
            except UnreadableError as error:
                reasons[row] = str(error)

    in_parts(look_at, rows, workers, advance)
    if cache is not None and digests is not None and len(rows):
        remember(cache, digests, looks)
    return Seen(looks, tuple(reasons))


def in_parts(work: Callable[[Rows], None], rows: Rows, workers: int, advance: Advance) -> None:
    """Lets threads work on `rows`, some at a time."""
    parts = [rows[start : start + PART] for start in range(0, len(rows), PART)]
    pool = ThreadPoolExecutor(workers)
    try:
        for part, _ in zip(parts, pool.map(work, parts), strict=True):
            advance(len(part))
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, what has not begun does not begin
