"""The planner's figure: accuracy against depth, and against the number of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from striate.files import write_whole


@dataclass(frozen=True)
class Point:
    """An estimate with its interval."""

    value: float
    low: float
    high: float


def draw_curves(depths: dict[str, Point], sizes: dict[int, Point], best: str, path: Path) -> None:
    """Draws both curves side by side, as one PNG.

    Args:
        depths: accuracy of a head on each stage, input to output.
        sizes: accuracy by number of images; at least one.
        best: the stage that `sizes` is of.
        path: of the PNG.
    """
    figure = Figure(figsize=(11, 4.2), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw(left, range(len(depths)), list(depths.values()))
    left.set_xticks(range(len(depths)), depths, rotation=45, ha="right")
    left.set(xlabel="last frozen stage", ylabel="cross-validated accuracy", title="A head on each stage")
    _draw(right, list(sizes), list(sizes.values()))
    right.set_xscale("log", base=2)
    right.set_xticks(list(sizes), [f"{count:,}" for count in sizes])
    right.minorticks_off()
    right.set(xlabel="images", title=f"Heads on {best}, by number of images")
    write_whole(path, lambda aside: figure.savefig(aside, format="png"))


def _draw(axes: Axes, x: Sequence[int], points: Sequence[Point]) -> None:
    values = [point.value for point in points]
    below = [point.value - point.low for point in points]
    above = [point.high - point.value for point in points]
    axes.errorbar(x, values, yerr=(below, above), marker="o", capsize=3)
    axes.grid(alpha=0.3)
