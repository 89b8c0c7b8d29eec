"""What a file of annotations says of one image."""

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

    def add(self, shape: Shape | None) -> None:
        """Adds a shape, or counts one that is none."""
        if shape is None:
            self.left_out += 1
        else:
            self.shapes.append(shape)

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


def code_of(name: str) -> int:
    """The value that stands for a class in a mask that is drawn from outlines, above 0 and the same everywhere.

    >>> code_of("cat") == code_of("cat") != code_of("dog")
    True
    """
    return (zlib.crc32(name.encode("utf-8", "surrogateescape")) & 0x3FFFFFFF) + 1
