"""A check as one page that needs nothing else: what was found, with small images of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from striate.augment.geometry import Map, crop
from striate.data import IndexedImages, UnreadableError
from striate.data.check import KINDS, Check, Finding, Severity, boxes_of, by_kind
from striate.data.check.boxes import Boxes
from striate.data.check.classes import class_counts, classes_of
from striate.data.index import Index, Rows
from striate.recipe.ranges import MAX_PIXELS
from striate.report.html import address, render, tail

SIDE = 144  # pixels: the longer side of a small image
MOST_FINDINGS = 24  # of a kind that are shown; all of them are counted
MOST_IMAGES = 6  # of a finding
MOST_CLASSES = 50
BOX_COLOUR = (230, 40, 60)


@dataclass
class Thumbnails:
    """Small images of an index's rows, with their boxes drawn on them."""

    images: IndexedImages
    rows: Rows
    """(M,) the row of each box, in order."""

    boxes: Boxes

    known: list[str]
    """What is known of each row: its class and split."""

    made: dict[int, str] = field(default_factory=dict)
    """By row, as a data address; empty where the image cannot be read."""

    def of(self, row: int) -> str:
        """The image of a row, small, as a `data:` address that an `img` can show; empty where it cannot be read."""
        if row not in self.made:
            try:
                self.made[row] = self._draw(row)
            except UnreadableError:
                self.made[row] = ""
        return self.made[row]

    def _draw(self, row: int) -> str:
        image = self.images.open(row)
        width, height = image.size
        scale = SIDE / max(width, height)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        small = Image.fromarray(image.read(Map(crop((0, 0, width, height), size)), size, 3, image.own_levels))
        pen = ImageDraw.Draw(small)
        first, last = np.searchsorted(self.rows, [row, row + 1])
        for box in self.boxes[first:last]:
            corners = drawable(box * scale, size)
            if corners is not None:
                pen.rectangle(corners, outline=BOX_COLOUR)
        return address(small)


def drawable(box: NDArray[np.float64], size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """The corners of a box as a pen takes them, cut to the image: an empty box as a line or a dot; None for NaN."""
    if np.isnan(box).any():
        return None
    last = np.array([*size, *size]) - 1
    x0, y0, x1, y1 = np.clip(box, 0, last).tolist()
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def page(check: Check, title: str, max_pixels: int = MAX_PIXELS) -> str:
    """HTML without scripts and outside resources, of a bounded size; every name is escaped.

    Args:
        check: what was found.
        title: of the data.
        max_pixels: an image of more is not shown.
    """
    rows, boxes = boxes_of(check.index)
    thumbnails = Thumbnails(IndexedImages(check.index, max_pixels), rows, boxes, _known(check.index))
    return render(
        "check_page.html",
        title=f"Check of {title}",
        passed=check.passed,
        images=f"{len(check.index):,}",
        usable=f"{int(check.index.usable().sum()):,}",
        notes=check.index.notes,
        severities=[{"name": severity.value, "count": f"{check.count(severity):,}"} for severity in Severity],
        classes=_classes(check),
        sections=[_section(kind, found, thumbnails) for kind, found in by_kind(check.findings).items()],
    )


def _known(index: Index) -> list[str]:
    """The class, or classes, and the split of each row, as far as there are any."""
    splits = index.table["split"].to_pylist()
    return [", ".join([*names, *filter(None, [split])]) for names, split in zip(classes_of(index), splits, strict=True)]


def _classes(check: Check) -> dict[str, Any]:
    """A table of classes by splits, the largest first, cut where there are many."""
    counts = class_counts(check.index)
    names = sorted(check.index.classes, key=lambda name: -sum(of[name] for of in counts.values()))
    return {
        "splits": [split or "not split" for split in counts],
        "rows": [
            {"name": name, "counts": [f"{of[name]:,}" for of in counts.values()]} for name in names[:MOST_CLASSES]
        ],
        "more": max(len(names) - MOST_CLASSES, 0),
    }


def _section(kind: str, found: Sequence[Finding], thumbnails: Thumbnails) -> dict[str, Any]:
    about = KINDS[kind]
    return {
        "severity": about.severity.value,
        "title": about.title,
        "advice": about.advice,
        "count": f"{len(found):,}",
        "findings": [_finding(finding, thumbnails) for finding in found[:MOST_FINDINGS]],
        "more": max(len(found) - MOST_FINDINGS, 0),
    }


def _finding(finding: Finding, thumbnails: Thumbnails) -> dict[str, Any]:
    shown = list(zip(finding.rows, finding.paths, strict=True))[:MOST_IMAGES]
    return {
        "reason": finding.reason,
        "images": [
            {"path": tail(path), "known": thumbnails.known[row], "address": thumbnails.of(row)} for row, path in shown
        ],
        "more": len(finding.rows) - len(shown),
    }
