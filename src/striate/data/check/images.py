"""What is wrong or odd with single images, from one look at each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from striate.data.check.findings import Finding, about
from striate.data.check.scan import contrast
from striate.data.check.scan_index import Scan
from striate.data.index import Index, Rows

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm"),
}
GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B")
ALPHA_MODES = ("LA", "PA", "RGBA")
TINY = 8  # pixels
NARROW = 10  # times as long as the other side
BLANK = 2.0  # of 255: what noise of compression may reach


def left_out(index: Index, scan: Scan) -> list[Finding]:
    """The rows that are not used: those that could not be read, and those with a reason before."""
    before = index.usable()
    paths = index.paths()
    return [
        Finding("unreadable" if before[row] else "left-out", reason, (paths[row],), (row,), used=False)
        for row, reason in enumerate(scan.reasons)
        if reason is not None
    ]


def wrong_suffixes(index: Index, scan: Scan) -> list[Finding]:
    """Files whose name promises another format than they hold; they are read all the same."""
    formats = [name.decode() for name in scan.records["format"][scan.rows].tolist()]
    found = []
    for row, path, kind in zip(scan.rows.tolist(), index.paths(scan.rows), formats, strict=True):
        suffix = Path(path).suffix.lower()
        if kind and "#" not in suffix and suffix not in SUFFIXES.get(kind, ()):
            reason = f"its content is {kind}, its name ends in {suffix or 'nothing'}"
            found.append(Finding("suffix", reason, (path,), (row,)))
    return found


def odd_images(index: Index, scan: Scan) -> Iterator[Finding]:
    """Images of odd size or content, each by itself, then what many of them have in common."""
    records = scan.records[scan.rows]
    width, height = records["width"], records["height"]
    short, long = np.minimum(width, height), np.maximum(width, height)
    flat = contrast(records) < BLANK
    several = records["frames"] > 1
    narrow = (long >= NARROW * short) & (long >= TINY)
    for kind, wrong in (("tiny", short < TINY), ("narrow", narrow), ("blank", flat), ("animated", several)):
        for row, record in zip(scan.rows[wrong].tolist(), records[wrong], strict=True):
            size = f"{record['width']} x {record['height']} pixels"
            reason = {"blank": f"one colour alone, {size}", "animated": f"{record['frames']} images in one file"}
            yield about(kind, reason.get(kind, size), index, [row])

    modes = [mode.decode() for mode in records["mode"].tolist()]
    grey = np.array([mode in GREY_MODES for mode in modes], bool)
    alpha = np.array([mode in ALPHA_MODES for mode in modes], bool)
    turned = records["orientation"] != 1
    if grey.any() and not grey.all():
        yield _shared("mixed-grey", index, scan.rows[grey], len(records))
    for kind, which in (("alpha", alpha), ("turned", turned)):
        if which.any():
            yield _shared(kind, index, scan.rows[which], len(records))


def _shared(kind: str, index: Index, rows: Rows, total: int) -> Finding:
    return about(kind, f"{len(rows):,} of {total:,} images", index, rows.tolist())
