"""Geometry as one map from output pixel to source pixel, applied by one resampling.

A map is a 3x3 float64 matrix that takes a point of the output, (u, v, 1), to the point (x, y, 1) of the source that
it shows. Coordinates are continuous: pixel i covers [i, i + 1), so a picture of width w spans [0, w]. Maps compose by
matrix product, and a chain of operations costs one resampling, with one loss of sharpness.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Map = NDArray[np.float64]  # (3, 3)
Size = tuple[int, int]  # width, height


def compose(*maps: Map) -> Map:
    """The map that applies the last of `maps` to an output point first, and the first of them last."""
    product = np.eye(3)
    for each in maps:
        product = product @ each
    return product


def crop(box: tuple[float, float, float, float], size: Size) -> Map:
    """Shows the source's `box` (x0, y0, x1, y1) on an output of `size`.

    >>> crop((10, 0, 30, 10), (40, 20)) @ (40, 20, 1)  # the last corner
    array([30., 10.,  1.])
    """
    x0, y0, x1, y1 = box
    width, height = size
    return np.array([[(x1 - x0) / width, 0, x0], [0, (y1 - y0) / height, y0], [0, 0, 1]])


def mirror(width: float) -> Map:
    """Swaps left and right on a plane of `width`."""
    return np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]])


def central_crop(source: Size, size: Size, crop_pct: float) -> Map:
    """Shows the middle of the source: the largest box of the output's shape, times `crop_pct`.

    This is "resize the shorter side to size / crop_pct, then crop the centre", as one map.
    """
    scale = crop_pct * min(source[0] / size[0], source[1] / size[1])  # source pixels per output pixel
    width, height = size[0] * scale, size[1] * scale
    x0, y0 = (source[0] - width) / 2, (source[1] - height) / 2
    return crop((x0, y0, x0 + width, y0 + height), size)


def random_crop(
    rng: np.random.Generator, source: Size, size: Size, area: tuple[float, float], ratio: tuple[float, float]
) -> Map:
    """Shows a random box of the source, stretched to the output.

    Args:
        rng: of this sample.
        source: width and height of the upright picture.
        size: width and height of the output.
        area: least and largest share of the source's area, drawn uniformly.
        ratio: least and largest width over height of the box, drawn uniformly in its logarithm. A box that would
            stick out is cut down to the source.

    Source: "random resized crop" of Szegedy et al. 2014, arXiv:1409.4842, sec. 6. Cutting instead of drawing again
    keeps the number of draws constant.
    """
    share = rng.uniform(*area)
    aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
    left, top = rng.random(2)
    width = min(math.sqrt(share * source[0] * source[1] * aspect), source[0])
    height = min(math.sqrt(share * source[0] * source[1] / aspect), source[1])
    x0, y0 = left * (source[0] - width), top * (source[1] - height)
    return crop((x0, y0, x0 + width, y0 + height), size)


def source_box(map_: Map, size: Size) -> tuple[float, float, float, float]:
    """The part (x0, y0, x1, y1) of the source that an axis-aligned map shows.

    Raises:
        ValueError: if the map turns or shears; those need an interpolator that this module does not have.
    """
    if map_[0, 1] or map_[1, 0] or tuple(map_[2]) != (0, 0, 1):
        raise ValueError(f"`map_`: expected scale, shift and mirror only; got {map_.tolist()}.")
    x0, y0, _ = map_ @ (0, 0, 1)
    x1, y1, _ = map_ @ (*size, 1)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def resample(image: Image.Image, map_: Map, size: Size) -> NDArray[np.uint8]:
    """The output picture that `map_` shows, by one resampling: bilinear, widened where it shrinks so that nothing
    aliases.

    Args:
        image: 8-bit grey or RGB.
        map_: from output to source, axis-aligned.
        size: width and height of the output.

    Returns:
        (H, W, C) values 0 to 255.
    """
    x0, y0, x1, y1 = source_box(map_, size)
    box = (max(x0, 0.0), max(y0, 0.0), min(x1, image.width), min(y1, image.height))  # against rounding at the border
    pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box)).reshape(size[1], size[0], -1)
    step_x = -1 if map_[0, 0] < 0 else 1
    step_y = -1 if map_[1, 1] < 0 else 1
    return pixels[::step_y, ::step_x]
