"""The figure of a study, drawn from its numbers."""

from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from striate.files import write_whole
from striate.studies.numbers import Numbers
from striate.studies.study import Dots, Lines, Maps, Study

DASHES = ("-", "--", "-.", ":")  # so that lines that lie on each other are seen
COLOURS = ("#2f6fb3", "#d1662f", "#3f8f5b", "#8a5aa8", "#b08a1e", "#5f6b7a", "#c2497b", "#2a8f96")
WIDTH = 8.0  # inches
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a94a0",
    "text.color": "#1c2430",
    "axes.labelcolor": "#1c2430",
    "svg.hashsalt": "striate",  # so that the same numbers make the same file
}


def draw(study: Study, numbers: Numbers, stamp: str, path: Path) -> None:
    """Draws a study's figure as SVG.

    Args:
        study: whose figure says what is shown.
        numbers: that are drawn.
        stamp: kept in the file, to tell which numbers it shows.
        path: of the SVG.
    """
    with mpl.rc_context(STYLE):
        match study.figure:
            case Dots() as dots:
                figure = _dots(dots, numbers, intervals=study.chance)
            case Lines() as lines:
                figure = _lines(lines, numbers)
            case Maps() as maps:
                figure = _maps(maps, numbers)
        about = {"Title": study.claim, "Description": stamp, "Date": None, "Creator": None}
        write_whole(path, lambda aside: figure.savefig(aside, format="svg", metadata=about))


def _new(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def _dots(spec: Dots, numbers: Numbers, intervals: bool) -> Figure:
    """A row for each arm that has the measure: a dot for each seed, the mean, and its interval."""
    arms = [arm for arm, measures in numbers.values.items() if spec.measure in measures]
    figure, axes = _new(0.9 + 0.42 * len(arms))
    shown: list[float] = []
    for row, arm in enumerate(arms):
        values, found = numbers.of(arm, spec.measure), numbers.interval(arm, spec.measure)
        colour, ends = COLOURS[row % len(COLOURS)], [found.low, found.high]
        shown += [*values, found.value]
        if intervals and np.isfinite(ends).all():
            shown += ends
            axes.plot(ends, [row, row], color=colour, linewidth=6, alpha=0.25, solid_capstyle="butt")
        axes.plot(values, np.full(len(values), row), "o", color=colour, markersize=4.5, alpha=0.75)
        axes.plot([found.value] * 2, [row - 0.3, row + 0.3], color=colour, linewidth=2)
        if spec.log and not values.any():
            axes.text(0.01, row, "0", color=colour, transform=axes.get_yaxis_transform(), va="center")
    if spec.log:
        axes.set_xscale("log")
        axes.set_xlim(*_decades(shown))
    else:
        room = 0.04 * (max(shown) - min(shown)) or 0.5
        axes.set_xlim(min(shown) - room, max(shown) + room)
    axes.set_yticks(range(len(arms)), arms)
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.set_xlabel(spec.measure)
    axes.grid(axis="x", alpha=0.25)
    return figure


def _decades(values: list[float]) -> tuple[float, float]:
    """The powers of ten between which all values above 0 lie, with some room."""
    above = np.log10([value for value in values if value > 0])
    return float(10.0 ** np.floor(above.min() - 0.1)), float(10.0 ** np.ceil(above.max() + 0.1))


def _lines(spec: Lines, numbers: Numbers) -> Figure:
    """A line for each arm through the means of its points, a band for the range of the seeds."""
    figure, axes = _new(3.9)
    places = np.arange(len(spec.points))
    arms = [arm for arm, measures in numbers.values.items() if spec.measure in measures]
    for number, arm in enumerate(arms):
        values, colour = numbers.of(arm, spec.measure), COLOURS[number % len(COLOURS)]
        axes.fill_between(places, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, linewidth=0)
        dashes = DASHES[number % len(DASHES)]
        axes.plot(places, values.mean(axis=0), dashes, marker="o", color=colour, markersize=4, label=arm)
    if spec.log:
        axes.set_yscale("log")
    shown = places[:: max(1, len(places) // 12)]
    axes.set_xticks(shown, [spec.points[place] for place in shown])
    axes.set(xlabel=spec.label, ylabel=spec.measure)
    axes.grid(alpha=0.25)
    if len(arms) > 1:
        figure.legend(frameon=False, loc="outside upper left", ncols=3)
    return figure


def _maps(spec: Maps, numbers: Numbers) -> Figure:
    """A matrix for each arm, of the first seed, its values written in it."""
    arms = [arm for arm, measures in numbers.values.items() if spec.measure in measures]
    figure = Figure(figsize=(WIDTH, 0.6 + WIDTH / max(len(arms), 3)), layout="constrained")
    for axes, arm in zip(figure.subplots(1, len(arms), squeeze=False)[0], arms, strict=True):
        matrix = numbers.of(arm, spec.measure)[0].reshape(-1, spec.columns)
        largest = float(np.abs(matrix).max()) or 1.0
        axes.imshow(matrix, cmap="RdBu_r", vmin=-largest, vmax=largest)
        for (row, column), value in np.ndenumerate(matrix):
            dark = abs(value) > 0.6 * largest
            axes.text(column, row, f"{value:.3g}", ha="center", va="center", color="white" if dark else "black")
        axes.set_title(fill(arm, 26), fontsize=10)
        axes.axis("off")
    return figure
