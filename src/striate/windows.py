"""Large images, answered a window at a time: the image at one scale, cut into windows that overlap, and put together.

Only answers that are maps can be put together, such as those of a network that names pixels.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.augment import Map, Size, shown_crop
from striate.data import Images, Preprocessing, Rows, UnreadableError
from striate.data.crops import Viewing
from striate.data.preprocessing import Readable
from striate.errors import UsageError

OVERLAP = 2  # every place but the outermost lies in so many windows along each axis
Place = tuple[int, int]  # x and y of a window's corner


def canvases(
    images: Images,
    rows: Rows,
    viewing: Viewing,
    preprocessing: Preprocessing,
    max_pixels: int,
    unreadable: dict[int, str],
) -> Iterator[tuple[int, Size, NDArray[np.uint8]]]:
    """Each row with the size of its image, and the image at scale; a size of 0 and one pixel where it cannot be read.

    Args:
        images: where the rows are decoded from.
        rows: of the images, in order.
        viewing: with a `window`.
        preprocessing: of the network.
        max_pixels: of an image at scale.
        unreadable: takes the reason of each row that cannot be read.

    Raises:
        UsageError: if an image would have more pixels.
    """
    for row in rows.tolist():
        try:
            image = images.open(row)
            yield row, image.size, canvas(image, viewing, preprocessing, max_pixels)
        except UnreadableError as error:
            unreadable[row] = str(error)
            yield row, (0, 0), np.zeros((1, 1, preprocessing.channels), np.uint8)


def canvas(image: Readable, viewing: Viewing, preprocessing: Preprocessing, max_pixels: int) -> NDArray[np.uint8]:
    """The pixels (H, W, C) of an image at the scale at which windows of it have the size that the network is shown.

    Args:
        image: that was opened.
        viewing: with a `window`.
        preprocessing: of the network.
        max_pixels: of H times W.

    Raises:
        UnreadableError: if the image cannot be decoded.
        UsageError: if it has more pixels at that scale.
    """
    size = canvas_size(image.size, viewing.window or 1, preprocessing.size)
    if size[0] * size[1] > max_pixels:
        expected = f"one by which images grow to {max_pixels:,} pixels at most"
        raise UsageError(f"`window`: expected {expected}; got {viewing.window}. Try a larger one.")
    return preprocessing.read(image, Map(shown_crop(image.size, size, 1.0, "squash")), size)


def canvas_size(image: Size, window: int, shown: Size) -> Size:
    """Width and height of an image at the scale at which a window of it has the size that the network is shown.

    Args:
        image: width and height of the upright original, in pixels.
        window: pixels of the original along the shorter side of what the network is shown.
        shown: width and height of that.

    >>> canvas_size((800, 600), 400, (200, 200))
    (400, 300)
    """
    scale = min(shown) / window
    return max(round(image[0] * scale), 1), max(round(image[1] * scale), 1)


def places(canvas: Size, shown: Size) -> list[Place]:
    """The corners of windows that cover a canvas, row by row; each overlaps its neighbours by half or more.

    >>> places((400, 100), (200, 100))
    [(0, 0), (100, 0), (200, 0)]
    """
    across, down = (_starts(*lengths) for lengths in zip(canvas, shown, strict=True))
    return [(x, y) for y in down for x in across]


def windows(pixels: NDArray[np.uint8], shown: Size) -> NDArray[np.uint8]:
    """The windows (K, h, w, C) of an image (H, W, C) that is at scale, at its `places`.

    Where the image is smaller than a window, its reflection lies beside it on the right and below.
    """
    height, width = pixels.shape[:2]
    missing = max(shown[1] - height, 0), max(shown[0] - width, 0)
    padded = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    return np.stack([padded[y : y + shown[1], x : x + shown[0]] for x, y in places((width, height), shown)])


def blended(outputs: Tensor, canvas: Size, shown: Size) -> Tensor:
    """The answers (1, K', H, W) for a canvas, from those of its windows (K, K', h, w), in the order of `places`.

    Each place has the mean of the windows that show it, weighted by how far it lies from their edges, where a network
    sees least of what is around: no seam is left where a window ends.
    """
    width, height = canvas
    weight = _hat(shown[1])[:, None] * _hat(shown[0])  # (h, w)
    total = torch.zeros(outputs.shape[1], max(height, shown[1]), max(width, shown[0]))
    weights = torch.zeros(total.shape[1:])
    for (x, y), output in zip(places(canvas, shown), outputs, strict=True):
        place = (slice(y, y + shown[1]), slice(x, x + shown[0]))
        total[:, *place] += output * weight
        weights[place] += weight
    return (total / weights)[None, :, :height, :width]


def _starts(length: int, shown: int) -> list[int]:
    """Where windows begin along an axis, evenly spread, the first at its start and the last at its end."""
    if length <= shown:
        return [0]
    count = math.ceil((length - shown) * OVERLAP / shown) + 1
    return [round(start) for start in np.linspace(0, length - shown, count).tolist()]


def _hat(length: int) -> Tensor:
    """(length,) rising evenly from near 0 to the middle, and falling again."""
    places_ = torch.arange(length) + 0.5
    return torch.minimum(places_, length - places_) / length
