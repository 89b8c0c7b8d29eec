"""Masks in a table, as the lengths of runs of pixels: `ImageId, ClassId, EncodedPixels`, as competitions have them.

A run is a number of a pixel, from 1, and how many follow it; pixels are numbered down the columns or along the rows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.data.coco import Canvas
from striate.data.decode import UnreadableError
from striate.data.formats.record import code_of
from striate.data.layouts.sheet import Sheet, open_sheet
from striate.data.layouts.synonyms import LABELS, PATHS, plain

RUNS = re.compile(r"\s*[0-9]{1,10} +[0-9]{1,10}( +[0-9]{1,10} +[0-9]{1,10})*\s*")
NAMES = ("encodedpixels", "rle", "rlemask", "maskrle", "encodedmask", "runlength")  # of columns that hold runs
NONE = ("", "-1", "nan", "-")  # a cell without runs
ONE_CLASS = "foreground"
SHORTEST = 4  # numbers, of which an area has at least two runs: two numbers may be a place


@dataclass(frozen=True)
class RunColumns:
    """Which columns of a table hold an image, the runs of an object, and its class."""

    path: str
    runs: str
    label: str | None = None
    is_joined: bool = False
    """Whether the image's text has the class behind an underscore, as `ImageId_ClassId` says."""


@dataclass
class RunImage:
    """The objects of an image in a table."""

    text: str
    """What the table calls it."""

    objects: list[tuple[str, str]] = field(default_factory=list)
    """The class and the runs of each."""


def run_columns(sheet: Sheet) -> RunColumns | None:
    """The columns of a table of runs, by their names and by what they hold; None of another table."""
    if not sheet.has_header:
        return None
    texts = {name: [values[place] for values in sheet.head] for place, name in enumerate(sheet.names)}
    runs = next((name for name in sheet.names if _holds_runs(name, texts[name])), None)
    if runs is None:
        return None
    by_plain = {plain(name): name for name in reversed(sheet.names) if name != runs}
    path = next((by_plain[name] for name in PATHS if name in by_plain), None)
    joined = next((name for name in sheet.names if _is_joined(name)), None)
    if path is None and joined is not None:
        return RunColumns(joined, runs, is_joined=True)
    known = (by_plain[name] for rank in LABELS for name in rank if name in by_plain and by_plain[name] != path)
    return RunColumns(path, runs, next(known, None)) if path is not None else None


def _holds_runs(name: str, texts: Sequence[str]) -> bool:
    given = [text for text in texts if text.lower() not in NONE]
    if not all(map(RUNS.fullmatch, given)):
        return False
    if plain(name) in NAMES:
        return True
    runs = [np.array(text.split()[:200], np.int64) for text in given]
    long = [each for each in runs if len(each) >= SHORTEST]
    ascending = (bool((each[2::2] >= each[:-2:2] + each[1:-2:2]).all() and (each[1::2] > 0).all()) for each in long)
    return 2 * len(long) > len(given) and all(ascending)


def _is_joined(name: str) -> bool:
    first, _, last = name.rpartition("_")
    return plain(first) in PATHS and any(plain(last) in rank for rank in LABELS)


def run_images(path: Path) -> list[RunImage]:
    """The images of a table of runs, in the order of their first rows.

    Raises:
        DataError: if the file is no such table.
    """
    status = path.stat()
    return _images(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _images(path: Path, mtime_ns: int, size: int) -> list[RunImage]:
    """The same, read anew once the file has changed."""
    sheet = open_sheet(path)
    columns = run_columns(sheet)
    if columns is None:
        return []
    place, runs = sheet.names.index(columns.path), sheet.names.index(columns.runs)
    label = None if columns.label is None else sheet.names.index(columns.label)
    found: dict[str, RunImage] = {}
    for _, values in sheet.rows():
        text, name = values[place], ONE_CLASS if label is None else values[label]
        if columns.is_joined:
            text, _, name = text.rpartition("_")
        image = found.setdefault(text, RunImage(text))
        if values[runs].lower() not in NONE and name:
            image.objects.append((name, values[runs]))
    return list(found.values())


def stored_values(path: Path, number: int, width: int, height: int) -> NDArray[np.int32]:
    """The value of each pixel (H, W) of an image: 0, or `code_of` the class of the smallest object there.

    Args:
        path: of the table.
        number: of the image in `run_images`, doubled, plus 1 where pixels are numbered along the rows; that of no image
            where the table does not name it, and it shows the background alone.
        width: of the image.
        height: of the image.

    Raises:
        UnreadableError: if a run reaches out of the image.
    """
    images = run_images(path)
    objects = images[number // 2].objects if number // 2 < len(images) else []
    along_rows = number % 2 == 1
    canvas = Canvas(*((height, width) if along_rows else (width, height)), len(objects))
    for name, text in objects:
        canvas.add(_lengths(text, width * height), code_of(name))
    values = canvas.drawn()
    return values.T if along_rows else values


def _lengths(text: str, count: int) -> NDArray[np.int64]:
    """Lengths of runs outside and inside by turns, of an image of so many pixels."""
    starts, lengths = _starts(text)
    ends = starts + lengths
    edges = np.stack([starts, ends], 1).ravel()
    if len(edges) and (edges[0] < 0 or edges[-1] > count or (np.diff(edges) < 0).any()):
        raise UnreadableError(f"an outline is broken: expected runs within {count:,} pixels, in order; got others")
    return np.diff(np.concatenate([[0], edges, [count]]))


def _starts(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    numbers = np.array(text.split(), np.int64) if RUNS.fullmatch(text) and len(text) < 1 << 24 else None
    if numbers is None:
        raise UnreadableError(f"an outline is broken: expected numbers of pixels and lengths; got {text:.40}")
    return numbers[::2] - 1, numbers[1::2]


def goes_along_rows(images: Sequence[tuple[RunImage, int, int]]) -> bool | None:
    """Whether pixels are numbered along the rows; None where that cannot be told, as of square images.

    Runs of an object that lie in neighbouring columns begin about a height apart, and in neighbouring rows a width.

    Args:
        images: some images, with their width and height.
    """
    columns = rows = 0
    for image, width, height in images:
        for _, text in image.objects:
            try:
                starts, lengths = _starts(text)
            except UnreadableError:  # which the check names
                continue
            steps, reach = np.diff(starts), lengths[:-1]
            to_column, to_row = np.abs(steps - height), np.abs(steps - width)
            columns += int(((to_column < to_row) & (to_column < reach)).sum())
            rows += int(((to_row < to_column) & (to_row < reach)).sum())
    if max(columns, rows) < 2 * min(columns, rows) or columns == rows:
        return None
    return rows > columns
