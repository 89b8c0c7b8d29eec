"""The planner's figure: accuracy against depth, and against the number of images.

Pillow draws it, for matplotlib takes longer to import and to draw it than all heads of a small plan to fit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from striate.files import write_whole
from striate.report.svg import ticks

SIZE = (1320, 504)  # pixels: width and height
FINE = 3  # lines are drawn this many times as large, and made smaller: their edges are smooth then
TOP, MIDDLE, SIDES = 34, 18, (82, 12)  # pixels above the frames, between them, and to the left and right of them
NAMES, LABEL = 8, 26  # pixels between a frame and the names below it, and for the label below these
TEXT, TITLE = 15, 19  # pixels high
INNER = 0.05  # of a frame, that stays free beside the outermost points
APART = 22  # pixels between two names below a frame, at least
DOT, CAP = 6, 5  # pixels from a point to the edge of its dot, and to an end of its interval's bars
MOST_TICKS, SHOWN_NAME = 9, 24
BLUE, FRAME, GRID = "#1f77b4", "black", "#e2e2e2"


@dataclass(frozen=True)
class Point:
    """An estimate with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class _Panel:
    """One curve in its frame, whose edges are in pixels of the figure."""

    left: float
    right: float
    bottom: float
    range: tuple[float, float]
    """Of values, from the bottom to the top."""

    points: Sequence[Point]
    places: Sequence[float]
    """Of the points, from the left to the right, in any unit."""

    names: Sequence[str]
    title: str
    label: str

    def x(self, place: float) -> float:
        """The pixel of a place."""
        first, last = self.places[0], self.places[-1]
        share = (place - first) / (last - first) if last > first else 0.5
        return self.left + (self.right - self.left) * (INNER + (1 - 2 * INNER) * share)

    def y(self, value: float) -> float:
        """The pixel of a value."""
        low, high = self.range
        return self.bottom - (self.bottom - TOP) * (value - low) / (high - low)

    @property
    def ticks(self) -> list[float]:
        """Values that are written beside the frame."""
        return ticks(*self.range, MOST_TICKS)

    @property
    def named(self) -> list[int]:
        """Which of the points have a name below the frame: all that there is room for."""
        every = math.ceil(APART * len(self.places) / (self.right - self.left))
        return list(range(0, len(self.places), every))

    def draw_lines(self, pen: "_Pen") -> None:
        """Draws all that is no text."""
        for value in self.ticks:
            pen.line([(self.left, self.y(value)), (self.right, self.y(value))], GRID, 1)
            pen.line([(self.left - 4, self.y(value)), (self.left, self.y(value))], FRAME, 1)
        for number in self.named:
            x = self.x(self.places[number])
            pen.line([(x, TOP), (x, self.bottom)], GRID, 1)
            pen.line([(x, self.bottom), (x, self.bottom + 4)], FRAME, 1)
        corners = [(self.left, TOP), (self.right, TOP), (self.right, self.bottom), (self.left, self.bottom)]
        pen.line([*corners, corners[0]], FRAME, 1.3)
        pen.line(
            [(self.x(place), self.y(point.value)) for place, point in zip(self.places, self.points, strict=True)],
            BLUE,
            2.4,
        )
        for place, point in zip(self.places, self.points, strict=True):
            x = self.x(place)
            pen.line([(x, self.y(point.low)), (x, self.y(point.high))], BLUE, 2.4)
            for end in (point.low, point.high):
                pen.line([(x - CAP, self.y(end)), (x + CAP, self.y(end))], BLUE, 1.6)
            pen.dot((x, self.y(point.value)))


class _Pen:
    """Draws lines and dots on an image that is `FINE` times as large as the figure."""

    def __init__(self, image: Image.Image) -> None:
        self._draw = ImageDraw.Draw(image)

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float) -> None:
        """A line through points."""
        self._draw.line([(x * FINE, y * FINE) for x, y in points], colour, round(width * FINE), joint="curve")

    def dot(self, centre: tuple[float, float]) -> None:
        """A filled circle."""
        self._draw.circle([value * FINE for value in centre], DOT * FINE, BLUE)


def draw_curves(depths: dict[str, Point], sizes: dict[int, Point], best: str, path: Path) -> None:
    """Draws both curves side by side, as one PNG.

    Args:
        depths: accuracy of a head on each stage, input to output.
        sizes: accuracy by number of images; at least one.
        best: the stage that `sizes` is of.
        path: of the PNG.
    """
    points = [*depths.values(), *sizes.values()]
    low, high = min(point.low for point in points), max(point.high for point in points)
    free = INNER * (high - low) or INNER
    stages = [_turned(_short(stage), 45) for stage in depths]
    bottom = SIZE[1] - NAMES - LABEL - max(name.height for name in stages)
    values, centre = (low - free, high + free), (SIDES[0] + SIZE[0] - SIDES[1]) / 2
    left = _Panel(
        SIDES[0],
        centre - MIDDLE / 2,
        bottom,
        values,
        list(depths.values()),
        range(len(depths)),
        list(depths),
        "A head on each stage",
        "last frozen stage",
    )
    right = _Panel(
        centre + MIDDLE / 2,
        SIZE[0] - SIDES[1],
        bottom,
        values,
        list(sizes.values()),
        [math.log2(count) for count in sizes],
        [f"{count:,}" for count in sizes],
        f"Heads on {_short(best)}, by number of images",
        "images",
    )
    figure = Image.new("RGB", (SIZE[0] * FINE, SIZE[1] * FINE), "white")
    for panel in (left, right):
        panel.draw_lines(_Pen(figure))
    figure = figure.reduce(FINE)
    _write_texts(figure, left, right, stages)
    write_whole(path, lambda aside: figure.save(aside, format="PNG"))


def _write_texts(figure: Image.Image, left: _Panel, right: _Panel, stages: Sequence[Image.Image]) -> None:
    """Writes titles, labels, values and names on the figure."""
    pen, font, larger = ImageDraw.Draw(figure), ImageFont.load_default(TEXT), ImageFont.load_default(TITLE)
    for panel in (left, right):
        middle = (panel.left + panel.right) / 2
        pen.text((middle, TOP - 8), panel.title, FRAME, larger, anchor="md")
    names_end = max(stage.height for stage in stages)
    pen.text(((left.left + left.right) / 2, left.bottom + NAMES + names_end + 4), left.label, FRAME, font, anchor="ma")
    pen.text(((right.left + right.right) / 2, right.bottom + NAMES + TEXT + 10), right.label, FRAME, font, anchor="ma")
    digits = 2 if len(left.ticks) < 2 or left.ticks[1] - left.ticks[0] > 0.005 else 4
    for value in left.ticks:
        pen.text((left.left - 8, left.y(value)), f"{value:.{digits}f}", FRAME, font, anchor="rm")
    for number in left.named:
        name = stages[number]
        x = left.x(left.places[number]) - name.width + TEXT / 2
        figure.paste(FRAME, (round(x), round(left.bottom + NAMES)), name)
    for number in right.named:
        x = right.x(right.places[number])
        pen.text((x, right.bottom + NAMES), right.names[number], FRAME, font, anchor="ma")
    label = _turned("cross-validated accuracy", 90)
    figure.paste(FRAME, (6, round((TOP + left.bottom - label.height) / 2)), label)


def _short(name: str) -> str:
    """A name that has room, on one line."""
    name = " ".join(name.split())
    return name if len(name) <= SHOWN_NAME else f"{name[: SHOWN_NAME - 1]}…"


def _turned(text: str, degrees: int) -> Image.Image:
    """A mask of a text that is turned to the left."""
    font = ImageFont.load_default(TEXT)
    left, top, right, bottom = font.getbbox(text)
    mask = Image.new("L", (math.ceil(right - left) + 2, math.ceil(bottom - top) + 2))
    ImageDraw.Draw(mask).text((1 - left, 1 - top), text, 255, font)
    return mask.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
