"""Every picture is opened once before training, so that a bad file is named now and not in the middle of the night."""

import csv
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.data.decode import MAX_PIXELS, UnreadableError
from striate.data.index import Index
from striate.data.pictures import IndexedPictures
from striate.errors import DataError

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


@dataclass(frozen=True)
class Finding:
    """What is wrong or odd with one file."""

    path: str
    used: bool
    reason: str


def check(
    index: Index, *, max_pixels: int = MAX_PIXELS, workers: int = 1, advance: Callable[[int], None] = lambda count: None
) -> tuple[Index, list[Finding]]:
    """Decodes every usable picture of `index` at its smallest scale.

    Args:
        index: of which rows that already have a reason are not opened.
        max_pixels: a picture of more is not decoded and counts as unreadable.
        workers: threads that decode.
        advance: called with the number of pictures done since the last call.

    Returns:
        The index with a reason at each row that cannot be read, and the findings, in the order of the rows: those
        rows, the rows that had a reason before, and pictures that are read but whose name does not fit their content.
    """
    pictures = IndexedPictures(index, max_pixels)
    reasons: list[str | None] = index.table["reason"].to_pylist()
    oddities: dict[int, str] = {}

    def look(rows: Iterable[int]) -> None:
        for row in rows:
            try:
                picture = pictures.open(row)
                picture.verify()
            except UnreadableError as error:
                reasons[row] = str(error)
                continue
            suffix = Path(pictures.path(row)).suffix.lower()
            kind = picture.image.format
            if kind is not None and "#" not in suffix and suffix not in SUFFIXES.get(kind, ()):
                oddities[row] = f"its content is {kind}, its name ends in {suffix or 'nothing'}"

    rows = np.flatnonzero(index.usable())
    with ThreadPoolExecutor(workers) as pool:
        parts = [rows[start : start + 64] for start in range(0, len(rows), 64)]
        for part, _ in zip(parts, pool.map(look, parts), strict=True):
            advance(len(part))

    findings = [
        Finding(path, reason is None, reason or oddities[row])
        for row, (path, reason) in enumerate(zip(index.paths(), reasons, strict=True))
        if reason is not None or row in oddities
    ]
    return index.with_column("reason", reasons), findings


def require_few_bad(before: Index, after: Index, max_bad: float) -> None:
    """Stops where too many pictures turned out to be unreadable.

    Raises:
        DataError: if more than the share `max_bad` of the rows that were usable before `check` are not after it.
    """
    opened = int(before.usable().sum())
    bad = opened - int(after.usable().sum())
    if bad > max_bad * opened:
        raise DataError(
            f"data: expected at most {max_bad:.1%} unreadable pictures; got {bad} of {opened} ({bad / opened:.1%}). "
            "They are named in check.csv: mend or remove them, or raise --max-bad."
        )


def write_findings(findings: Iterable[Finding], path: Path) -> None:
    """Writes findings as a CSV of path, used (yes or no) and reason."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "used", "reason"))
        writer.writerows((f.path, "yes" if f.used else "no", f.reason) for f in findings)
