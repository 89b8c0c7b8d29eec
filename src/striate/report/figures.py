"""Figures: the first filters, the confusion matrix and the mistakes of a model."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from striate.data import Index, IndexedImages
from striate.data.raw_pixels import first_bands
from striate.evaluation import Scored
from striate.explain.channels import first_filters
from striate.explain.figures import show_filters
from striate.files import write_whole
from striate.model import Model

SHOWN_FILTERS = 16
SHOWN_MISTAKES = 10
SHOWN_COUNTS = 20  # above, numbers in the cells of a confusion matrix cannot be read
SHOWN_NAMES = 150  # above, neither can the names of the classes
SHOWN_NAME = 24  # letters of a name


def draw_summary(model: Model, index: Index, scored: Scored, path: Path) -> None:
    """Draws what the model's first layer looks for, what it confuses, and what it gets wrong, as one PNG.

    Args:
        model: of a one-label task.
        index: that was evaluated.
        scored: the model on it.
        path: of the PNG.
    """
    figure = Figure(figsize=(12, 4.4), dpi=120, layout="constrained")
    parts = figure.subfigures(1, 3, width_ratios=(0.9, 1.2, 0.9), squeeze=False)[0]
    draw_filters(parts[0], first_filters(model.net))
    draw_confusion(parts[1], scored)
    draw_mistakes(parts[2], model, index, scored)
    write_whole(path, lambda aside: figure.savefig(aside, format="png"))


def draw_filters(figure: SubFigure, weights: NDArray[np.float32]) -> None:
    """Draws up to 16 filters; grey is zero."""
    count = min(len(weights), SHOWN_FILTERS)
    figure.suptitle(f"First filters ({count} of {len(weights)})" if count < len(weights) else "First filters")
    show_filters(_grid(figure, count), weights)


def draw_confusion(figure: SubFigure, scored: Scored) -> None:
    """Draws the confusion matrix of a one-label evaluation, each row as shares of its class."""
    matrix = scored.confusion
    if matrix is None:
        raise ValueError("`scored`: expected one of a one-label task; got several labels an image.")
    metrics = scored.metrics
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    figure.suptitle(f"{scored.split}: accuracy {metrics['accuracy']:.3f} [{low:.3f}, {high:.3f}]")
    draw_matrix(figure.subplots(), matrix, scored.classes if len(matrix) <= SHOWN_COUNTS else ())


def draw_matrix(axis: Axes, matrix: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Draws a confusion matrix, each row as shares of its class, with counts in the cells of a small one.

    Args:
        axis: to draw on; with many classes it needs room.
        matrix: (classes, classes) images by true class (row) and answer (column).
        classes: their names, by class number; none to draw it without.
    """
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1))  # so that one in a hundred can be seen
    axis.set(xlabel="answer", ylabel="truth")
    if not classes or len(classes) > SHOWN_NAMES:
        return
    names, ticks = [_short(name) for name in classes], range(len(classes))
    size = 8 if len(classes) <= SHOWN_COUNTS else 6
    axis.set_xticks(ticks, names, rotation=90 if max(map(len, names)) > 2 else 0, fontsize=size)
    axis.set_yticks(ticks, names, fontsize=size)
    for (truth, answer), count in np.ndenumerate(matrix):
        if count and len(classes) <= SHOWN_COUNTS:
            colour = "white" if shares[truth, answer] > 0.3 else "black"
            axis.text(answer, truth, str(count), ha="center", va="center", color=colour, fontsize=8)


def _short(name: str) -> str:
    return (name if len(name) <= SHOWN_NAME else f"{name[: SHOWN_NAME - 1]}…").replace("$", r"\$")


def draw_mistakes(figure: SubFigure, model: Model, index: Index, scored: Scored) -> None:
    """Draws up to ten images that were answered wrong, as the network saw them."""
    labels = index.with_classes(model.classes).labels(scored.rows)
    wrong = np.flatnonzero(labels != scored.answers)
    shown = wrong[:SHOWN_MISTAKES]
    figure.suptitle(f"Mistakes ({len(shown)} of {len(wrong)})" if len(shown) else "No mistakes")
    axes = _grid(figure, len(shown))
    images, preprocessing = IndexedImages(index, model.max_pixels), model.preprocessing
    for axis, place in zip(axes, shown, strict=True):
        image = images.open(int(scored.rows[place]))
        pixels = first_bands(preprocessing.read(image))
        axis.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255)
        truth, answer = model.classes[int(labels[place])], model.classes[int(scored.answers[place])]
        axis.set_title(f"{truth}, not {answer}", fontsize=8)


def _grid(figure: SubFigure, count: int) -> list[Axes]:
    """Axes without frames for `count` images, in a grid that is about as wide as high."""
    return _frameless(figure, count, math.ceil(math.sqrt(count))) if count else []


def grid(figure: Figure, count: int, columns: int, cell: float) -> list[Axes]:
    """Axes without frames for `count` images with titles, on a figure that is made as large as they need.

    Args:
        figure: without axes.
        count: at least 1.
        columns: at most.
        cell: inches of an image.
    """
    columns = min(columns, count)
    figure.set_size_inches(cell * columns, (cell + 0.4) * math.ceil(count / columns))
    return _frameless(figure, count, columns)


def _frameless(figure: Figure | SubFigure, count: int, columns: int) -> list[Axes]:
    axes = list(figure.subplots(math.ceil(count / columns), columns, squeeze=False).flat)
    for axis in axes:
        axis.axis("off")
    return axes[:count]
