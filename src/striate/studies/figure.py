"""The figure of a study, drawn from its numbers."""

from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from striate.files import write_whole
from striate.studies.images import Source
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
                figure = _dots(dots, numbers, _panels(study, numbers, dots.measure), intervals=study.chance)
            case Lines() as lines:
                figure = _lines(lines, numbers, _panels(study, numbers, lines.measure))
            case Maps() as maps:
                figure = _maps(maps, numbers)
        about = {"Title": study.claim, "Description": stamp, "Date": None, "Creator": None}
        write_whole(path, lambda aside: figure.savefig(aside, format="svg", metadata=about))


def _panels(study: Study, numbers: Numbers, measure: str) -> list[list[str]]:
    """The arms that have the measure, those of each source by themselves: digits and photos need axes of their own."""
    panels: dict[Source, list[str]] = {}
    for arm in [arm for arm, measures in numbers.values.items() if measure in measures]:
        panels.setdefault(study.source_of(arm), []).append(arm)
    return list(panels.values())


def _dots(spec: Dots, numbers: Numbers, panels: list[list[str]], intervals: bool) -> Figure:
    """A row for each arm: a dot for each seed, the mean, and its interval."""
    rows = [len(arms) for arms in panels]
    figure = Figure(figsize=(WIDTH, 0.9 * len(panels) + 0.42 * sum(rows)), layout="constrained")
    first = 0
    for axes, arms in zip(figure.subplots(len(panels), squeeze=False, height_ratios=rows)[:, 0], panels, strict=True):
        _dots_of(axes, spec, numbers, arms, first, intervals)
        first += len(arms)
    return figure


def _dots_of(axes: Axes, spec: Dots, numbers: Numbers, arms: list[str], first: int, intervals: bool) -> None:
    """The panel of some arms, which begins with the colour of number `first`."""
    shown: list[float] = []
    for row, arm in enumerate(arms):
        values, found = numbers.of(arm, spec.measure), numbers.interval(arm, spec.measure)
        colour, ends = COLOURS[(first + row) % len(COLOURS)], [found.low, found.high]
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


def _decades(values: list[float]) -> tuple[float, float]:
    """The powers of ten between which all values above 0 lie, with some room."""
    above = np.log10([value for value in values if value > 0])
    return float(10.0 ** np.floor(above.min() - 0.1)), float(10.0 ** np.ceil(above.max() + 0.1))


def _lines(spec: Lines, numbers: Numbers, panels: list[list[str]]) -> Figure:
    """A line for each arm through the means of its points, a band for the range of the seeds."""
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    first = 0
    for axes, arms in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _lines_of(axes, spec, numbers, arms, first)
        first += len(arms)
    if first > 1:
        figure.legend(frameon=False, loc="outside upper left", ncols=2 if len(panels) > 1 else 3)
    return figure


def _lines_of(axes: Axes, spec: Lines, numbers: Numbers, arms: list[str], first: int) -> None:
    """The panel of some arms, which begins with the colour of number `first`."""
    places = np.arange(len(spec.points))
    for number, arm in enumerate(arms, first):
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
