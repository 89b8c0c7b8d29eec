"""Drawings as inline SVG: plain shapes in the colours of the page, with words for those who do not see them."""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

Point = tuple[float, float]


class Svg:
    """A drawing of a fixed size, which the page scales; its colours are classes of `base.html`.

    Args:
        name: of its identifiers, of letters and hyphens; one a page.
        size: width and height, in pixels at the page's own scale.
        title: what it shows, in a few words.
        description: what is to be seen in it, for those who do not see it.
    """

    def __init__(self, name: str, size: tuple[int, int], title: str, description: str) -> None:
        self.name, self.size, self.title, self.description = name, size, title, description
        self._parts: list[Markup] = []

    def line(self, start: Point, end: Point, look: str) -> None:
        """A straight line."""
        (x0, y0), (x1, y1) = start, end
        self._add('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>', look, _n(x0), _n(y0), _n(x1), _n(y1))

    def polyline(self, points: Sequence[Point], look: str) -> None:
        """A line through points."""
        self._add('<polyline class="{}" points="{}"/>', look, _joined(points))

    def polygon(self, points: Sequence[Point], look: str) -> None:
        """An area within points."""
        self._add('<polygon class="{}" points="{}"/>', look, _joined(points))

    def circle(self, centre: Point, radius: float, look: str) -> None:
        """A dot."""
        self._add('<circle class="{}" cx="{}" cy="{}" r="{}"/>', look, _n(centre[0]), _n(centre[1]), _n(radius))

    def rect(self, corner: Point, size: tuple[float, float], look: str) -> None:
        """A rectangle, by its upper left corner."""
        (x, y), (width, height) = corner, size
        self._add('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>', look, _n(x), _n(y), _n(width), _n(height))

    def text(self, at: Point, text: str, anchor: str = "start", look: str = "") -> None:
        """A line of text; its anchor is start, middle or end."""
        self._add('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>', look, _n(at[0]), _n(at[1]), anchor, text)

    def markup(self) -> Markup:
        """The drawing, for a template."""
        width, height = self.size
        head = Markup(
            '<svg class="chart" role="img" viewBox="0 0 {} {}" aria-labelledby="{}-title {}-desc">'
            '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>'
        ).format(width, height, self.name, self.name, self.name, self.title, self.name, self.description)
        return head + Markup("").join(self._parts) + Markup("</svg>")

    def decoration(self) -> Markup:
        """The same for those who see alone, where its numbers stand beside it."""
        head = Markup('<svg class="bar" aria-hidden="true" viewBox="0 0 {} {}">').format(*self.size)
        return head + Markup("").join(self._parts) + Markup("</svg>")

    def _add(self, form: str, *values: str) -> None:
        self._parts.append(Markup(form).format(*map(escape, values)))


def _n(number: float) -> str:
    """A number with one digit after the point, which is a tenth of a pixel."""
    return f"{number:.1f}".removesuffix(".0")


def _joined(points: Sequence[Point]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def whole_ticks(low: float, high: float) -> list[float]:
    """Whole numbers from `low` to `high`, at most eight steps apart.

    >>> whole_ticks(1, 3)
    [1.0, 2.0, 3.0]
    """
    return [value for value in ticks(low, high, most=8) if value == round(value)]


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, at most `most` steps apart.

    >>> ticks(0, 1)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> ticks(3, 47)
    [10.0, 20.0, 30.0, 40.0]
    """
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(each * power for each in (1, 2, 5, 10, 20) if each * power >= span / most * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]
