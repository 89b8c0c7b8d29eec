"""Masks that are drawn from the outlines of annotations, when they are asked for."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.data import run_lengths
from striate.data.coco import Canvas, polygon_runs
from striate.data.decode import UnreadableError
from striate.data.formats import records_of, yolo
from striate.data.formats.record import Points, Record, code_of
from striate.data.layouts.annotation_files import json_kind
from striate.data.pixel_limit import why_too_large
from striate.errors import DataError
from striate.recipe.ranges import MAX_PIXELS

TABLES = (".csv", ".tsv")  # of runs
Values = NDArray[np.int32]  # (H, W)


def stored_values(path: Path, key: str, max_pixels: int = MAX_PIXELS) -> Values:
    """The value of each pixel by the outlines of an image's objects: `code_of` its class, or of YOLO its number plus 1.

    Where objects overlap, the smaller one is in front. A box without an outline is filled.

    Args:
        path: of the file of annotations.
        key: which image is meant: its number in the file and its size, "3:640x480"; of YOLO, the size alone; of a table
            of runs, the number that `run_lengths.stored_values` takes.
        max_pixels: an image of more is refused.

    Raises:
        UnreadableError: if the file cannot be read, lacks the image, or an outline is broken.
    """
    number, _, size = key.rpartition(":")
    width, height = (int(text) for text in size.split("x"))
    if min(width, height) < 1:
        raise UnreadableError(f"expected a mask of 1 pixel or more; got {width} x {height}")
    if (reason := why_too_large((width, height), max_pixels)) is not None:
        raise UnreadableError(f"its mask: {reason}")
    try:
        if path.suffix.lower() in TABLES:
            return run_lengths.stored_values(path, int(number), width, height)
        if path.suffix.lower() == ".txt":
            shapes = [(each.number + 1, _scaled(each, width, height)) for each in yolo.parse(path)]
        else:
            record = _records(path, path.stat().st_mtime_ns)[int(number)]
            shapes = [(code_of(each.label), each.points or _corners(each.box)) for each in record.shapes]
    except (DataError, OSError, LookupError, ValueError) as error:
        raise UnreadableError(f"its mask cannot be drawn: {error}") from error
    return _drawn(shapes, width, height)


def mask_path(file: str, number: int, width: int, height: int) -> str:
    """The path in an index of the mask that is drawn from image `number` of a file.

    >>> mask_path("via.json", 3, 640, 480)
    'via.json#3:640x480'
    """
    return f"{file}#{number}:{width}x{height}"


@lru_cache(maxsize=64)
def _records(path: Path, mtime_ns: int) -> list[Record]:
    """The records of a file; read anew once the file has changed."""
    kind = "cvat" if path.suffix.lower() == ".xml" else json_kind(path)
    return records_of(path, kind or "labelme")


def _scaled(each: yolo.YoloObject, width: int, height: int) -> Points:
    corners = each.corners or _corners(each.box)
    return [(x * width, y * height) for x, y in corners]


def _corners(box: tuple[float, float, float, float]) -> Points:
    x0, y0, x1, y1 = box
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _drawn(shapes: list[tuple[int, Points]], width: int, height: int) -> Values:
    canvas = Canvas(width, height, len(shapes))
    for value, points in shapes:
        canvas.add(polygon_runs([[number for point in points for number in point]], width, height), value)
    return canvas.drawn()
