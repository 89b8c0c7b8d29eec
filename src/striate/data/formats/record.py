"""What a file of annotations says of one image."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

FARTHEST = 1e7  # pixels, that a corner may lie from the image's
Points = Sequence[tuple[float, float]]  # x and y in pixels


@dataclass(frozen=True, slots=True)
class Shape:
    """An object of an image."""

    label: str
    box: tuple[float, float, float, float]
    """xmin, ymin, xmax, ymax in pixels."""

    points: Points = ()
    """The corners of its outline; none where there is a box alone."""


@dataclass(slots=True)
class Record:
    """An image and what is on it."""

    image: str
    """Its path or name, as the file writes it."""

    shapes: list[Shape] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    """Classes of the whole image."""

    width: int = 0
    height: int = 0
    """In pixels; 0 where the file does not say."""

    split: str | None = None
    left_out: int = 0
    """Shapes that are neither boxes nor outlines, or lack a class or a number."""

    has_unread_area: bool = False
    """Whether one of those covers pixels, as a brush or a bitmap does, so that a mask of the others would be wrong."""

    def add(self, shape: Shape | None) -> None:
        """Adds a shape, or counts one that is none."""
        if shape is None:
            self.left_out += 1
        else:
            self.shapes.append(shape)

    def leave_out_area(self) -> None:
        """Counts a shape that covers pixels and is not read."""
        self.left_out += 1
        self.has_unread_area = True

    @property
    def has_outlines(self) -> bool:
        """Whether a mask can be drawn of it."""
        return any(shape.points for shape in self.shapes)


def outlined(label: str, points: Points) -> Shape | None:
    """A shape of its outline; None where that has fewer than three corners, or one that is nowhere."""
    if len(points) < 3 or not all(abs(x) <= FARTHEST and abs(y) <= FARTHEST for x, y in points):
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Shape(label, (min(xs), min(ys), max(xs), max(ys)), points)


def boxed(label: str, x0: float, y0: float, x1: float, y1: float) -> Shape | None:
    """A shape of two opposite corners; None where one of them is nowhere."""
    if not all(abs(each) <= FARTHEST for each in (x0, y0, x1, y1)):  # of NaN, this is false
        return None
    return Shape(label, (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))


def turned(label: str, box: tuple[float, float, float, float], degrees: float, pivot: Points) -> Shape | None:
    """The upright box around a box that is turned clockwise about a point.

    Args:
        label: its class.
        box: xmin, ymin, xmax, ymax before it is turned.
        degrees: by how much.
        pivot: the point, alone in a list.
    """
    if not degrees:
        return boxed(label, *box)
    [(across, down)] = pivot
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(x - across, y - down) for x in box[::2] for y in box[1::2]]
    xs = [across + x * cos - y * sin for x, y in corners]
    ys = [down + x * sin + y * cos for x, y in corners]
    return boxed(label, min(xs), min(ys), max(xs), max(ys))


def ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0) -> list[tuple[float, float]]:
    """Corners on an ellipse that is turned clockwise about its centre."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turns = [2 * math.pi * step / 32 for step in range(32)]
    around = [(radius_x * math.cos(turn), radius_y * math.sin(turn)) for turn in turns]
    return [(x + across * cos - down * sin, y + across * sin + down * cos) for across, down in around]


def code_of(name: str) -> int:
    """The value that stands for a class in a mask that is drawn from outlines, above 0 and the same everywhere.

    >>> code_of("cat") == code_of("cat") != code_of("dog")
    True
    """
    return (zlib.crc32(name.encode("utf-8", "surrogateescape")) & 0x3FFFFFFF) + 1
