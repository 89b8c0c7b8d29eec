"""What is wrong or odd with single pictures, from one look at each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from striate.data.check.findings import Finding, about
from striate.data.check.look import contrast
from striate.data.check.see import Seen
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


def left_out(index: Index, seen: Seen) -> list[Finding]:
    """The rows that are not used: those that could not be read, and those with a reason before."""
    before = index.usable()
    paths = index.paths()
    return [
        Finding("unreadable" if before[row] else "left-out", reason, (paths[row],), (row,), used=False)
        for row, reason in enumerate(seen.reasons)
        if reason is not None
    ]


def wrong_suffixes(index: Index, seen: Seen) -> list[Finding]:
    """Files whose name promises another format than they hold; they are read all the same."""
    formats = [name.decode() for name in seen.looks["format"][seen.rows].tolist()]
    found = []
    for row, path, kind in zip(seen.rows.tolist(), index.paths(seen.rows), formats, strict=True):
        suffix = Path(path).suffix.lower()
        if kind and "#" not in suffix and suffix not in SUFFIXES.get(kind, ()):
            reason = f"its content is {kind}, its name ends in {suffix or 'nothing'}"
            found.append(Finding("suffix", reason, (path,), (row,)))
    return found


def odd_pictures(index: Index, seen: Seen) -> Iterator[Finding]:
    """Pictures of odd size or content, each by itself, then what many of them have in common."""
    looks = seen.looks[seen.rows]
    width, height = looks["width"], looks["height"]
    short, long = np.minimum(width, height), np.maximum(width, height)
    flat = contrast(looks) < BLANK
    several = looks["frames"] > 1
    narrow = (long >= NARROW * short) & (long >= TINY)
    for kind, wrong in (("tiny", short < TINY), ("narrow", narrow), ("blank", flat), ("animated", several)):
        for row, look in zip(seen.rows[wrong].tolist(), looks[wrong], strict=True):
            size = f"{look['width']} x {look['height']} pixels"
            reason = {"blank": f"one colour alone, {size}", "animated": f"{look['frames']} pictures in one file"}
            yield about(kind, reason.get(kind, size), index, [row])

    modes = [mode.decode() for mode in looks["mode"].tolist()]
    grey = np.array([mode in GREY_MODES for mode in modes], bool)
    alpha = np.array([mode in ALPHA_MODES for mode in modes], bool)
    turned = looks["orientation"] != 1
    if grey.any() and not grey.all():
        yield _shared("mixed-grey", index, seen.rows[grey], len(looks))
    for kind, which in (("alpha", alpha), ("turned", turned)):
        if which.any():
            yield _shared(kind, index, seen.rows[which], len(looks))


def _shared(kind: str, index: Index, rows: Rows, total: int) -> Finding:
    return about(kind, f"{len(rows):,} of {total:,} pictures", index, rows.tolist())
