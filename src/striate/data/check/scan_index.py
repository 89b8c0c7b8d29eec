"""Every image is looked at once, by as many threads as there are."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.data.check.cache import Digest, recall, remember
from striate.data.check.scan import RECORD, Records, scan_image
from striate.data.decode import MAX_PIXELS, UnreadableError
from striate.data.images import IndexedImages
from striate.data.index import Index, Rows

PART = 64  # images that a thread takes at a time
Advance = Callable[[int], None]


def silent(count: int) -> None:
    """Takes note of no progress."""


@dataclass(frozen=True)
class Scan:
    """What was seen of each row of an index."""

    records: Records
    """(N,), zeros for a row that was not opened or cannot be read."""

    reasons: tuple[str | None, ...]
    """Why each row is left out, or None."""

    @property
    def rows(self) -> Rows:
        """The rows that can be read."""
        return np.flatnonzero(self.records["count"])


def scan_index(
    index: Index,
    *,
    max_pixels: int = MAX_PIXELS,
    workers: int = 1,
    advance: Advance = silent,
    digests: list[Digest] | None = None,
    cache: Path | None = None,
) -> Scan:
    """Looks at every usable image of an index.

    Args:
        index: of which rows that already have a reason are not opened.
        max_pixels: an image of more is not decoded and counts as unreadable.
        workers: threads that decode.
        advance: called with the number of images done since the last call.
        digests: of the content of each row, where what was seen is kept.
        cache: the file that keeps it.
    """
    usable = index.usable()
    records = np.zeros(len(index), RECORD)
    if cache is not None and digests is not None:
        records = recall(cache, digests)
        pixels = records["width"].astype(np.int64) * records["height"]
        records[~usable | (pixels > max_pixels)] = 0
    reasons: list[str | None] = index.table["reason"].to_pylist()
    rows = np.flatnonzero(usable & (records["count"] == 0))
    advance(int(usable.sum()) - len(rows))
    images = IndexedImages(index, max_pixels)

    def look_at(part: Iterable[int]) -> None:
        for row in part:
            try:
                records[row] = scan_image(images.open(row))
            except UnreadableError as error:
                reasons[row] = str(error)

    in_parts(look_at, rows, workers, advance)
    if cache is not None and digests is not None and len(rows):
        remember(cache, digests, records)
    return Scan(records, tuple(reasons))


def in_parts(work: Callable[[Rows], None], rows: Rows, workers: int, advance: Advance) -> None:
    """Lets threads work on `rows`, some at a time."""
    parts = [rows[start : start + PART] for start in range(0, len(rows), PART)]
    pool = ThreadPoolExecutor(workers)
    try:
        for part, _ in zip(parts, pool.map(work, parts), strict=True):
            advance(len(part))
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, what has not begun does not begin
