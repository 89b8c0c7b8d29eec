"""Figures: the first filters, the confusion matrix and the mistakes of a model."""

import math
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray
from torch import nn

from striate.data import Index, IndexedImages
from striate.evaluation import Scored
from striate.files import write_whole
from striate.model import Model

SHOWN_FILTERS = 16
SHOWN_MISTAKES = 10
SHOWN_CLASSES = 20  # above, numbers in the cells of a confusion matrix cannot be read


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


def first_filters(net: nn.Module) -> NDArray[np.float32]:
    """The weights (out_channels, H, W, in_channels) of a net's first convolution.

    Raises:
        ValueError: if it has none.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            with torch.inference_mode():
                return np.asarray(module.weight.float().cpu().permute(0, 2, 3, 1).numpy(), np.float32)
    raise ValueError(f"`net`: expected a convolution in it; got none in {type(net).__name__}.")


def draw_filters(figure: SubFigure, weights: NDArray[np.float32]) -> None:
    """Draws up to 16 filters; grey is zero."""
    count = min(len(weights), SHOWN_FILTERS)
    figure.suptitle(f"First filters ({count} of {len(weights)})" if count < len(weights) else "First filters")
    axes = _grid(figure, count)
    for axis, weight in zip(axes, weights[:count], strict=True):
        shown = weight if weight.shape[-1] == 3 else weight.mean(axis=-1)
        scale = float(np.abs(shown).max()) or 1.0
        axis.imshow(0.5 + 0.5 * shown / scale, cmap="gray", vmin=0, vmax=1)


def draw_confusion(figure: SubFigure, scored: Scored) -> None:
    """Draws the confusion matrix of a one-label evaluation, each row as shares of its class."""
    matrix = scored.confusion
    if matrix is None:
        raise ValueError("`scored`: expected one of a one-label task; got several labels an image.")
    metrics = scored.metrics
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    figure.suptitle(f"{scored.split}: accuracy {metrics['accuracy']:.3f} [{low:.3f}, {high:.3f}]")
    axis = figure.subplots()
    axis.imshow(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    axis.set(xlabel="answer", ylabel="truth")
    if len(scored.classes) > SHOWN_CLASSES:
        return
    ticks = range(len(scored.classes))
    axis.set_xticks(ticks, scored.classes, rotation=90 if max(map(len, scored.classes)) > 2 else 0)
    axis.set_yticks(ticks, scored.classes)
    for (truth, answer), count in np.ndenumerate(matrix):
        if count:
            colour = "white" if truth == answer else "black"
            axis.text(answer, truth, str(count), ha="center", va="center", color=colour, fontsize=8)


def draw_mistakes(figure: SubFigure, model: Model, index: Index, scored: Scored) -> None:
    """Draws up to ten images that were answered wrong, as the network saw them."""
    labels = index.with_classes(model.classes).labels(scored.rows)
    wrong = np.flatnonzero(labels != scored.answers)
    shown = wrong[:SHOWN_MISTAKES]
    figure.suptitle(f"Mistakes ({len(shown)} of {len(wrong)})" if len(shown) else "No mistakes")
    axes = _grid(figure, len(shown))
    images, preprocessing = IndexedImages(index), model.preprocessing
    for axis, place in zip(axes, shown, strict=True):
        image = images.open(int(scored.rows[place]))
        pixels = image.read(preprocessing.map(image.size), preprocessing.size, preprocessing.channels)
        axis.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255)
        truth, answer = model.classes[int(labels[place])], model.classes[int(scored.answers[place])]
        axis.set_title(f"{truth}, not {answer}", fontsize=8)


def _grid(figure: SubFigure, count: int) -> list[Axes]:
    """Axes without frames for `count` images, in a grid that is about as wide as high."""
    if not count:
        return []
    columns = math.ceil(math.sqrt(count))
    axes = list(figure.subplots(math.ceil(count / columns), columns, squeeze=False).flat)
    for axis in axes:
        axis.axis("off")
    return axes[:count]
