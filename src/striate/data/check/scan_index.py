"""Every image is looked at once, by as many threads as there are."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.data.check.cache import Digests, recall, remember
from striate.data.check.scan import RECORD, Records, scan_images
from striate.data.images import GivenImages, IndexedImages
from striate.data.index import Index, Rows
from striate.data.pixel_limit import JPEG_ALLOWANCE
from striate.data.workers import ALONE, Done, Workers, silent
from striate.recipe.ranges import MAX_PIXELS

AT_A_TIME = 1 << 14  # records
PART = 64  # images that a worker takes at a time


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

    def rows_where(self, test: Callable[[Records], NDArray[np.bool_]]) -> Rows:
        """Those of `rows` whose records pass a test; a copy of all records at once would take much memory."""
        rows = self.rows
        parts = [rows[start : start + AT_A_TIME] for start in range(0, len(rows), AT_A_TIME)]
        return np.concatenate([np.zeros(0, np.int64), *(part[test(self.records[part])] for part in parts)])


def scan_index(
    index: Index,
    *,
    max_pixels: int = MAX_PIXELS,
    workers: Workers = ALONE,
    advance: Done = silent,
    digests: Digests | None = None,
    cache: Path | None = None,
) -> Scan:
    """Looks at every usable image of an index.

    Args:
        index: of which rows that already have a reason are not opened.
        max_pixels: an image of more is not decoded and counts as unreadable.
        workers: that decode.
        advance: called with the number of images done since the last call.
        digests: of the content of each row, where what was seen is kept.
        cache: the file that keeps it.
    """
    usable = index.usable()
    records = np.zeros(len(index), RECORD)
    if cache is not None and digests is not None:
        records = recall(cache, digests)
        pixels = records["width"].astype(np.int64) * records["height"]
        records[~usable | (pixels > max_pixels * _allowances(records))] = 0
    reasons: list[str | None] = index.table["reason"].to_pylist()
    rows = np.flatnonzero(usable & (records["count"] == 0))
    advance(int(usable.sum()) - len(rows))
    images = IndexedImages(index, max_pixels)

    def look_at(part: Rows) -> None:
        paths = images.files(part)
        if paths is None:
            records[part], unreadable = scan_images(images.open, part.tolist())
        else:
            records[part], unreadable = workers.call(scan_files, paths, max_pixels)
        for place, reason in unreadable.items():
            reasons[part[place]] = reason

    workers.expect(len(rows))
    in_parts(look_at, rows, workers.count, advance)
    if cache is not None and digests is not None and len(rows):
        remember(cache, digests, records)
    return Scan(records, tuple(reasons))


def _allowances(records: Records) -> NDArray[np.int64]:
    """(N,) by how much the limit of pixels is multiplied for each image; see `why_too_large`."""
    is_jpeg = np.isin(records["format"], (b"JPEG", b"MPO")) & np.isin(records["mode"], (b"L", b"RGB"))
    return np.where(is_jpeg, JPEG_ALLOWANCE, 1)


def scan_files(files: list[Path], max_pixels: int) -> tuple[Records, dict[int, str]]:
    """What `scan_images` gives of files: work for a process of its own."""
    return scan_images(GivenImages(files, max_pixels).open, range(len(files)))


def in_parts(work: Callable[[Rows], None], rows: Rows, workers: int, advance: Done) -> None:
    """Lets threads work on `rows`, some at a time."""
    parts = [rows[start : start + PART] for start in range(0, len(rows), PART)]
    pool = ThreadPoolExecutor(workers)
    try:
        for part, _ in zip(parts, pool.map(work, parts), strict=True):
            advance(len(part))
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, what has not begun does not begin
