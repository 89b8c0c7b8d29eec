"""YOLO: a text file an image, a line an object: class number, then a box or an outline in shares of the image's size.

Four numbers are the box's centre, width and height; five, with a confidence; an even number from six on, the corners of
an outline; any other number, a box and key points, which are not read.
"""

from dataclasses import dataclass
from pathlib import Path

from striate.augment import Size
from striate.data.formats.record import Points
from striate.data.layouts.text_file import read_lines
from striate.errors import DataError

MOST = 50_000  # objects on an image
NUMBERS = 1 << 17  # of a line


@dataclass(frozen=True)
class YoloObject:
    """An object, in shares of the image's width and height."""

    number: int
    """Of its class."""

    box: tuple[float, float, float, float]
    """xmin, ymin, xmax, ymax."""

    corners: Points = ()

    def scaled(self, size: Size) -> tuple[float, float, float, float]:
        """The box in pixels of an image of this width and height."""
        width, height = size
        return self.box[0] * width, self.box[1] * height, self.box[2] * width, self.box[3] * height


def parse(path: Path, *, has_key_points: bool = False) -> list[YoloObject]:
    """The objects of a file.

    Args:
        path: of the file.
        has_key_points: whether what follows a box are key points.

    Raises:
        DataError: if a line is none of YOLO's.
    """
    found: list[YoloObject] = []
    for number, line in enumerate(read_lines(path), 1):
        if len(found) == MOST:
            raise DataError(f"{path}: expected at most {MOST:,} objects on an image; got more.")
        if line:
            try:
                found.append(_object(line.split(), has_key_points))
            except ValueError as error:
                raise DataError(
                    f"{path}, line {number}: expected a class number and four numbers or more; got {line:.80}."
                ) from error
    return found


def _object(texts: list[str], has_key_points: bool) -> YoloObject:
    if not 5 <= len(texts) <= NUMBERS or not texts[0].isdecimal() or len(texts[0]) > 6:
        raise ValueError
    values = [float(text) for text in texts[1:]]
    if len(values) >= 6 and len(values) % 2 == 0 and not has_key_points:
        xs, ys = values[::2], values[1::2]
        return YoloObject(int(texts[0]), (min(xs), min(ys), max(xs), max(ys)), list(zip(xs, ys, strict=True)))
    x, y, width, height = values[:4]
    return YoloObject(int(texts[0]), (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
