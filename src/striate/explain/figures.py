"""Figures of explanations: maps laid over images, feature maps, filters, and images in rows."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from striate.data.raw_pixels import first_bands

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pixels = NDArray[np.uint8]

CELL = 2.2  # inches a side of an image in a figure
SHOWN_MAPS = 15  # channels of a feature map
SHOWN_FILTERS = 64
OPACITY = 0.6  # of a map where it is strongest
WEAK = 0.2  # share of the largest value up to which a place stays grey
DARKEST = 0.15  # of the colours from black to yellow, for what is just above that
SHOWN_NAME = 24  # letters of a class name in a title


def overlay(image: Pixels, values: NDArray[np.float32]) -> Pixels:
    """An image with the places that speak for a class coloured; where little or nothing does, the image is grey.

    The last maps of a network see most of the image from every place, so that some of what speaks for a class is spread
    over all of it. `WEAK` leaves that out, as where the object is looked for in a map.

    Args:
        image: (H, W, C).
        values: (H, W); the largest is drawn strongest, up to `WEAK` of it not at all.

    Returns:
        (H, W, 3).

    Source: Zhou et al. 2016, arXiv:1512.04150, sec. 3.2, for the threshold.
    """
    grey = np.broadcast_to(image.mean(axis=2, keepdims=True), (*image.shape[:2], 3))
    largest = float(values.max())
    strong = (values / largest - WEAK) / (1 - WEAK) if largest > 0 else np.zeros_like(values)
    share = np.clip(strong, 0, 1)
    levels = np.minimum((DARKEST + (1 - DARKEST) * share) * 256, 255).astype(np.uint8)
    colour = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[:, :, ::-1]
    strength = (OPACITY * np.sqrt(share))[:, :, None]
    mixed = np.rint(grey * (1 - strength) + colour * strength).clip(0, 255)
    return np.asarray(mixed, np.uint8)


def draw_maps(images: Pixels, maps: NDArray[np.float32], titles: Sequence[tuple[str, str]]) -> "Figure":
    """Each image (N, H, W, C) beside its map (N, H, W), with a title each."""
    figure, axes = _grid(len(images) * 2, 2 * min(len(images), 3))
    for row, (above_image, above_map) in enumerate(titles):
        show(axes[2 * row], images[row], above_image)
        show(axes[2 * row + 1], overlay(images[row], maps[row]), above_map)
    return figure


def draw_feature_maps(image: Pixels, maps: NDArray[np.float32], title: str) -> "Figure":
    """An image (H, W, C) and the maps (channels, h, w) that answer most to it, each scaled by itself."""
    order = np.argsort(-maps.max(axis=(1, 2)), kind="stable")[:SHOWN_MAPS]
    figure, axes = _grid(1 + len(order), math.ceil(math.sqrt(1 + len(order))))
    show(axes[0], image, title)
    for axis, channel in zip(axes[1:], order.tolist(), strict=False):
        axis.imshow(maps[channel], cmap="viridis")
        axis.set_title(f"{channel}: {maps[channel].min():.2g} to {maps[channel].max():.2g}", fontsize=7)
    return figure


def draw_filters(weights: NDArray[np.float32]) -> "Figure":
    """Up to 64 filters (out_channels, H, W, in_channels), each scaled by itself; grey is zero."""
    shown = weights[:SHOWN_FILTERS]
    figure, axes = _grid(len(shown), math.ceil(math.sqrt(len(shown))), cell=0.7)
    show_filters(axes, shown)
    return figure


def show_filters(axes: Sequence["Axes"], weights: NDArray[np.float32]) -> None:
    """Draws filters (out_channels, H, W, in_channels), one in each of as many axes as there are, grey for zero."""
    for axis, weight in zip(axes, weights, strict=False):
        values = weight if weight.shape[-1] == 3 else weight.mean(axis=-1)
        largest = float(np.abs(values).max()) or 1.0
        axis.imshow(0.5 + 0.5 * values / largest, cmap="gray", vmin=0, vmax=1)


def draw_images(rows: Sequence[Sequence[tuple[Pixels, str]]]) -> "Figure":
    """Rows of images with titles, such as of an image and its neighbours."""
    columns = max(len(row) for row in rows)
    figure, axes = _grid(len(rows) * columns, columns)
    for place, row in enumerate(rows):
        for column, (image, title) in enumerate(row):
            show(axes[place * columns + column], image, title)
    return figure


def show(axis: "Axes", image: Pixels, title: str) -> None:
    """Draws one image (H, W, C), of more bands the first three, with a title, whose dollar signs are no formula."""
    axis.imshow(np.broadcast_to(first_bands(image), (*image.shape[:2], 3)))
    axis.set_title(title.replace("$", r"\$"), fontsize=8)


def short_name(name: str) -> str:
    """The beginning of a long name.

    >>> short_name("a" * 30)
    'aaaaaaaaaaaaaaaaaaaaaaa…'
    """
    return name if len(name) <= SHOWN_NAME else f"{name[: SHOWN_NAME - 1]}…"


def _grid(count: int, columns: int, cell: float = CELL) -> tuple["Figure", list["Axes"]]:
    """A figure with at least `count` axes without frames."""
    from matplotlib.figure import Figure  # takes as long to import as the report of a run to write, which draws none

    rows = math.ceil(count / columns)
    figure = Figure(figsize=(cell * columns, (cell + 0.25) * rows), dpi=100, layout="constrained")
    axes: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes:
        axis.axis("off")
    return figure, axes
