"""The charts of a report: intervals, learning curves and the reliability diagram."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from striate.evaluation.calibration import Bin
from striate.evaluation.intervals import Interval
from striate.report.svg import Point, Svg, ticks, whole_ticks

WIDTH, HEIGHT = 380, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 16, 36  # pixels around the axes of a chart
BAR_WIDTH, BAR_HEIGHT = 150, 16
PERCENT = "\N{NO-BREAK SPACE}%"
CONFIDENT = f"with 95{PERCENT} confidence"
LETTER = 6.2  # pixels of a letter's width, about
MOST_DOTS = 40  # points of a curve up to which each has a dot
MOST_POINTS = 300  # of a curve; of more, some are left out evenly
KINDS = ("first", "second")  # the looks of two curves: a full line with dots, a dashed one with squares


@dataclass(frozen=True)
class Curve:
    """A figure by epoch."""

    name: str
    x: tuple[float, ...]
    """Epochs, rising."""

    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    """Bounds of the 95 % intervals, where there are any."""

    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Axes:
    """Where the values of a chart lie on it."""

    x: tuple[float, float]
    """The least and the largest value."""

    y: tuple[float, float]
    whole: bool = False
    """Whether x has whole numbers alone, as epochs are."""

    def at(self, x: float, y: float) -> Point:
        """Where a value lies, in pixels."""
        (x0, x1), (y0, y1) = self.x, self.y
        return (
            LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM),
        )

    def draw(self, svg: Svg, x_title: str, y_title: str) -> None:
        """Draws grid lines with their numbers, and what the axes are of."""
        (x0, x1), (y0, y1) = self.x, self.y
        y_ticks = ticks(y0, y1)
        for value in y_ticks:
            svg.line(self.at(x0, value), self.at(x1, value), "grid")
            svg.text((LEFT - 5, self.at(x0, value)[1] + 4), written(value), "end")
        for value in whole_ticks(x0, x1) if self.whole else ticks(x0, x1):
            svg.text((self.at(value, y0)[0], HEIGHT - BOTTOM + 15), written(value), "middle")
        svg.line(self.at(x0, y0), self.at(x1, y0), "axis")
        if y_title:
            svg.text((LEFT, TOP - 5), y_title, "start", "dim")
        svg.text((WIDTH - RIGHT, HEIGHT - 4), x_title, "end", "dim")


def written(value: float) -> str:
    """A number as an axis shows it.

    >>> written(0.30000000000000004), written(12000.0)
    ('0.3', '12,000')
    """
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 10 else f"{value:.4g}"


def percent(share: float, digits: int = 1) -> str:
    """A share in percent, with a space that no line breaks at; "unknown" where it is NaN.

    >>> percent(0.954).split(), percent(1.0).split()
    (['95.4', '%'], ['100', '%'])
    """
    if math.isnan(share):
        return "unknown"
    return f"{100 * share:.{digits}f}".removesuffix(f".{'0' * digits}") + PERCENT


def scale_from(intervals: Iterable[Interval]) -> float:
    """Where a scale that ends at 1 may begin so that all intervals are on it: a tenth, 0.8 at most.

    >>> scale_from([Interval(0.95, 0.91, 0.98), Interval(0.7, 0.66, 0.74)])
    0.6
    """
    lows = [interval.value if math.isnan(interval.low) else interval.low for interval in intervals]
    least = min((low for low in lows if not math.isnan(low)), default=0.0)
    return min(max(math.floor(10 * least) / 10, 0.0), 0.8)


def bar(interval: Interval, start: float = 0.0, mark: float = math.nan) -> Markup:
    """An interval on a scale that ends at 1, for a cell of a table that has its numbers beside it.

    Args:
        interval: drawn as a band with a dot at its value; nothing where that is unknown.
        start: of the scale.
        mark: where a thin line stands, such as the score of all classes; none where it is NaN.
    """
    drawing = Svg("bar", (BAR_WIDTH, BAR_HEIGHT), "", "")
    middle, margin = BAR_HEIGHT / 2, 4

    def place(share: float) -> float:
        return margin + min(max((share - start) / (1 - start), 0.0), 1.0) * (BAR_WIDTH - 2 * margin)

    drawing.line((place(start), middle), (place(1), middle), "grid")
    for end in (start, 1.0):
        drawing.line((place(end), middle - 3), (place(end), middle + 3), "grid")
    if not math.isnan(mark):
        drawing.line((place(mark), 0), (place(mark), BAR_HEIGHT), "mark")
    if not math.isnan(interval.value):
        if not math.isnan(interval.low):
            low, high = place(interval.low), place(interval.high)
            drawing.rect((low, middle - 4), (max(high - low, 1.0), 8), "band first")
        drawing.circle((place(interval.value), middle), 3, "dot first")
    return drawing.decoration()


def curves(name: str, title: str, shown: Sequence[Curve], best: float, y_title: str) -> Markup:
    """Up to two curves by epoch, the second dashed with squares; a line stands at the best epoch.

    Args:
        name: of the drawing, one a page.
        title: what is shown.
        shown: at least one curve with a finite value.
        best: epoch of the model that was kept; NaN for none.
        y_title: what the values are.
    """
    curves_ = [_thinned(curve) for curve in shown]
    values = [v for curve in curves_ for v in (*curve.y, *curve.low, *curve.high) if math.isfinite(v)]
    epochs = [x for curve in curves_ for x in curve.x]
    axes = Axes(_range(epochs, 0.0), _range(values, 0.05), whole=True)
    drawing = Svg(name, (WIDTH, HEIGHT), title, " ".join(_told(curve) for curve in shown))
    room = WIDTH - RIGHT - LEFT - sum(LETTER * len(curve.name) + 42 for curve in curves_)
    axes.draw(drawing, "epoch", y_title if LETTER * len(y_title) < room else "")  # long names of curves say it too
    if not math.isnan(best):
        drawing.line(axes.at(best, axes.y[0]), axes.at(best, axes.y[1]), "mark")
    right = float(WIDTH - RIGHT)
    for look, curve in reversed(list(zip(KINDS, curves_, strict=False))):
        _draw_curve(drawing, axes, curve, look)
        drawing.text((right, TOP - 5), curve.name, "end", look)
        right -= LETTER * len(curve.name) + 8
        drawing.line((right - 22, TOP - 9), (right, TOP - 9), f"curve {look}")
        _dot(drawing, (right - 11, TOP - 9), look)
        right -= 34
    return drawing.markup()


def _draw_curve(drawing: Svg, axes: Axes, curve: Curve, look: str) -> None:
    if curve.low:
        bounds = [(x, low, high) for x, low, high in zip(curve.x, curve.low, curve.high, strict=True) if low <= high]
        lower, upper = [axes.at(x, low) for x, low, _ in bounds], [axes.at(x, high) for x, _, high in bounds]
        drawing.polygon([*lower, *reversed(upper)], f"band {look}")
    points = [axes.at(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
    if not points:
        return
    drawing.polyline(points, f"curve {look}")
    for point in points if len(points) <= MOST_DOTS else points[-1:]:
        _dot(drawing, point, look)


def _dot(drawing: Svg, at: Point, look: str) -> None:
    if look == KINDS[0]:
        drawing.circle(at, 2.5, f"dot {look}")
    else:
        drawing.rect((at[0] - 2.5, at[1] - 2.5), (5, 5), f"dot {look}")


def _told(curve: Curve) -> str:
    known = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
    if not known:
        return f"{curve.name}: no values."
    (first_x, first), (last_x, last) = known[0], known[-1]
    return f"{curve.name}: from {first:.4g} after epoch {first_x:g} to {last:.4g} after epoch {last_x:g}."


def _thinned(curve: Curve) -> Curve:
    count = len(curve.x)
    if count <= MOST_POINTS:
        return curve
    kept = sorted({round(k * (count - 1) / (MOST_POINTS - 1)) for k in range(MOST_POINTS)})
    x, y, low, high = (
        tuple(values[k] for k in kept) if values else () for values in (curve.x, curve.y, curve.low, curve.high)
    )
    return Curve(curve.name, x, y, low, high)


def _range(values: Sequence[float], margin: float) -> tuple[float, float]:
    """The least and the largest value with some room, a range of its own where they are one."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low == high:
        return low - 0.5, high + 0.5
    room = margin * (high - low)
    return low - room, high + room


def reliability(bins: Sequence[Bin]) -> Markup:
    """The share of right answers against the probability that was given: what is to be trusted lies on the diagonal."""
    told = "; ".join(
        f"{bin_.count:,} answers of about {percent(bin_.confidence, 0)}: {percent(bin_.accuracy.value, 0)} right"
        for bin_ in bins
    )
    drawing = Svg("reliability", (WIDTH, HEIGHT), "How often answers are right, by their probability", f"{told}.")
    axes = Axes((0.0, 1.0), (0.0, 1.0))
    axes.draw(drawing, "probability given", "share right")
    drawing.line(axes.at(0, 0), axes.at(1, 1), "mark")
    most = max((bin_.count for bin_ in bins), default=1)
    for bin_ in bins:
        x = bin_.confidence
        drawing.line(axes.at(x, bin_.accuracy.low), axes.at(x, bin_.accuracy.high), "whisker first")
        drawing.circle(axes.at(x, bin_.accuracy.value), 2.5 + 3.5 * math.sqrt(bin_.count / most), "dot first")
    return drawing.markup()
