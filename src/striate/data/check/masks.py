"""Masks that cannot be right: not there, of another shape than their image, with values or classes of nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.augment.geometry import Size
from striate.data.check.findings import Finding, about
from striate.data.check.scan_index import Scan, in_parts
from striate.data.decode import UnreadableError
from striate.data.index import Index, Rows
from striate.data.masks import classes_of, is_deep, stored_values, unknown_values
from striate.data.paths import file_of
from striate.data.workers import Done, silent
from striate.files import list_names
from striate.recipe.ranges import MAX_PIXELS

SAME_SHAPE = 0.01  # relative difference of width over height that rounding may explain
LYING = 5  # the EXIF orientations from here on change width and height
MOST_OF_A_BYTE = 255
MANY = 10  # masks of which a class should be in more than one


def masked(index: Index, scan: Scan) -> Rows:
    """The rows that can be read and have a mask."""
    has_mask = np.asarray(index.table["mask"].is_valid())
    return np.asarray(scan.rows[has_mask[scan.rows]])


def mask_findings(
    index: Index, scan: Scan, *, max_pixels: int = MAX_PIXELS, workers: int = 1, advance: Done = silent
) -> list[Finding]:
    """What is wrong with the masks of the images that can be read; each is decoded.

    Args:
        index: of the images.
        scan: their sizes.
        max_pixels: a mask of more is not decoded.
        workers: threads that decode.
        advance: called with the number of masks done since the last call.
    """
    rows = masked(index, scan)
    of_row: dict[int, list[Finding]] = {}
    shown = np.zeros((len(index), len(index.mask_classes)), bool)  # which classes the mask of each row shows

    def look_at(part: Rows) -> None:
        for row in part.tolist():
            of_row[row] = _of_mask(index, row, scan, max_pixels, shown[row])

    in_parts(look_at, rows, workers, advance)
    findings = [finding for row in rows.tolist() for finding in of_row[row]]
    resized = [finding.rows[0] for finding in findings if finding.kind == "mask-size"]
    alone = [finding for finding in findings if finding.kind != "mask-size"]
    without = np.setdiff1d(scan.rows, rows).tolist() if len(rows) else []
    return [
        *_of_classes(index, shown, rows[shown[rows].any(axis=1)]),
        *_shared("mask-missing", index, without, len(scan.rows), "images"),
        *alone,
        *_shared("mask-size", index, resized, len(rows), "masks"),
    ]


def _of_classes(index: Index, shown: NDArray[np.bool_], rows: Rows) -> Iterator[Finding]:
    """Classes that no mask of these rows shows, or one of many alone."""
    if not len(rows):
        return
    counts = shown.sum(axis=0)
    absent = [index.mask_classes[number] for number in np.flatnonzero(counts == 0)]
    if absent:
        yield Finding("mask-classes", f"no mask has a pixel of {list_names(absent)}")
    for number in np.flatnonzero((counts == 1) & (len(rows) >= MANY)):
        reason = f"1 of {len(rows):,} masks alone has {list_names([index.mask_classes[number]])}"
        yield about("mask-classes", reason, index, np.flatnonzero(shown[:, number]).tolist())


def _of_mask(index: Index, row: int, scan: Scan, max_pixels: int, shown: NDArray[np.bool_]) -> list[Finding]:
    """What is wrong with the mask of one row; notes the classes (classes,) that it shows."""
    path = file_of(index.root, index.table["mask"][row].as_py())
    try:
        values = stored_values(path, max_pixels)
    except UnreadableError as error:
        return [about("mask-unreadable", str(error), index, [row])]
    numbers = np.unique(classes_of(values, index))
    shown[numbers[numbers < len(shown)]] = True
    findings = []
    height, width = values.shape
    of = int(scan.records["width"][row]), int(scan.records["height"][row])
    if (width, height) != of:
        kind = "mask-size" if _alike((width, height), of) else "mask-shape"
        reason = f"the mask has {width} x {height} pixels, the image {of[0]} x {of[1]}"
        if scan.records["orientation"][row] >= LYING and _alike((height, width), of):
            reason += ", which its EXIF orientation turned and the mask was not"
        findings.append(about(kind, reason, index, [row]))
    unknown = unknown_values(values, index)
    if unknown:
        reason = f"values of no class: {list_names(_written(unknown, path))}"
        findings.append(about("mask-values", reason, index, [row]))
    return findings


def _alike(mask: Size, image: Size) -> bool:
    """Whether a mask has the shape of its image, but for the rounding of a width or a height to whole pixels."""
    off = abs(mask[0] * image[1] - mask[1] * image[0])  # a pixel more of width makes it larger by the image's height
    return off <= max(*image, SAME_SHAPE * mask[1] * image[0])


def _written(values: Sequence[int], path: Path) -> list[str]:
    """Values of a mask's file as `--mask-classes` takes them: colours as #rrggbb where some are none of a byte."""
    if max(values) > MOST_OF_A_BYTE and not is_deep(path):
        return [f"#{value:06x}" for value in values]
    return [str(value) for value in values]


def _shared(kind: str, index: Index, rows: Sequence[int], total: int, what: str) -> list[Finding]:
    return [about(kind, f"{len(rows):,} of {total:,} {what}", index, rows)] if rows else []
