"""One resampling: what a map shows of an image, of its mask and of its boxes."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from striate.augment.geometry import Box, Map, Points, Size, is_projective, translation

cv2.setNumThreads(1)  # the loader's threads each have an image; OpenCV's own beside them cost 6 % here

Pixels = NDArray[np.uint8]  # (H, W) or (H, W, C)
Boxes = NDArray[np.float32]  # (N, 4): x0, y0, x1, y1

MARGIN = 2  # source pixels beside what is shown that interpolation, and an average before it, look at
ALIASES = math.sqrt(2)  # source pixels an output pixel above which the mean of two is nearer to the truth than one
IGNORED = 255  # class number of a mask's pixels that count for nothing
LEAST_SHOWN = 0.1  # share of a box's area that must be shown
EDGE_POINTS = 16  # of each side of an outline, where a map bends


def resample(pixels: Pixels, map_: Map, size: Size) -> Pixels:
    """The output that `map_` shows, by one resampling with no aliasing; beyond its border an image is reflected.

    Where the map only scales, shifts and mirrors within the image, a triangle filter as wide as what shrinks asks
    for is used (Pillow's bilinear resize); else the source is brought below twice the output's resolution by the area
    of its pixels, averaged over two pixels where it is still much finer, and interpolated bilinearly. Pixels that are
    far from what is shown are not touched.

    Args:
        pixels: (H, W) or (H, W, C).
        map_: from output to source.
        size: width and height of the output.

    Returns:
        (h, w, C).
    """
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3):  # what Pillow and OpenCV take
        parts = np.split(pixels, range(3, pixels.shape[2], 3) if pixels.shape[2] > 3 else [1], axis=2)
        return np.concatenate([resample(np.ascontiguousarray(part), map_, size) for part in parts], axis=2)
    if map_.axis_aligned and _inside(box := map_.source_box(size), pixels):
        return _resize(pixels, map_, box, size)
    pixels, map_ = _averaged(*_reduced(pixels, map_, size), size)
    shown = _warp(pixels, map_, size, cv2.INTER_LINEAR, cv2.BORDER_REFLECT, 0)
    return np.reshape(shown, (size[1], size[0], -1))


def resample_mask(mask: Pixels, map_: Map, size: Size) -> Pixels:
    """The class numbers (h, w) that `map_` shows of a mask (H, W): each pixel's is that of the nearest in the source.

    Beyond the mask's border it is `IGNORED`.

    Args:
        mask: class numbers.
        map_: from the output to the mask.
        size: width and height of the output.
    """
    return _warp(mask, map_, size, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, IGNORED)


def map_boxes(boxes: Boxes, map_: Map, size: Size) -> Boxes:
    """Where on the output each box of the source lies: the upright box about what is shown of it.

    What is shown is found in the source, where the output is a plain quadrangle. On the output, a box need not be one:
    under perspective, what lies behind the eye has no place there.

    Args:
        boxes: (N, 4), xyxy in pixels of the source; NaN for none.
        map_: from output to source.
        size: width and height of the output.

    Returns:
        (N, 4), within the output; NaN where less than a tenth of a box's area is shown.
    """
    edge_points = 1 if map_.bend is None else EDGE_POINTS
    corners = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float64)
    outline = map_.points(_along_edges(corners, edge_points), size)
    placed = np.full((len(boxes), 4), np.nan, np.float32)
    for i in np.flatnonzero(np.isfinite(boxes).all(axis=1)):
        x0, y0, x1, y1 = boxes[i].tolist()
        shown = _cut(outline, (x0, y0, x1, y1))
        if len(shown) and _area(shown) >= max(LEAST_SHOWN * (x1 - x0) * (y1 - y0), np.finfo(np.float64).tiny):
            on_output = map_.inverse_points(_along_edges(shown, edge_points), size).clip(0, size)
            placed[i] = *on_output.min(axis=0), *on_output.max(axis=0)
    return placed


def _along_edges(polygon: Points, count: int) -> Points:
    """`count` points of each edge of a polygon, which begin with the corner that it begins with."""
    steps = np.arange(count)[:, None] / count
    following = np.roll(polygon, -1, axis=0)
    return (polygon[:, None] + steps * (following - polygon)[:, None]).reshape(-1, 2)


def _cut(polygon: Points, box: Box) -> Points:
    """The part of a polygon that lies in a box.

    Source: Sutherland and Hodgman 1974, "Reentrant polygon clipping".
    """
    x0, y0, x1, y1 = box
    for axis, sign, limit in ((0, 1, x0), (0, -1, -x1), (1, 1, y0), (1, -1, -y1)):
        depth = sign * polygon[:, axis] - limit  # inside where it is not negative
        following, next_depth = np.roll(polygon, -1, axis=0), np.roll(depth, -1)
        crosses = (depth < 0) != (next_depth < 0)
        share = np.divide(depth, depth - next_depth, where=crosses, out=np.zeros_like(depth))[:, None]
        met = polygon + share * (following - polygon)
        kept = np.stack([depth >= 0, crosses], axis=1)  # each point itself, and where the edge after it meets the limit
        polygon = np.stack([polygon, met], axis=1)[kept]
    return polygon


def _area(polygon: Points) -> float:
    x, y = polygon.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _inside(box: Box, pixels: Pixels) -> bool:
    """Whether a box lies in an image, but for rounding."""
    x0, y0, x1, y1 = box
    height, width = pixels.shape[:2]
    return x0 > -1e-6 and y0 > -1e-6 and x1 < width + 1e-6 and y1 < height + 1e-6


def _resize(pixels: Pixels, map_: Map, shown: Box, size: Size) -> Pixels:
    x0, y0, x1, y1 = shown
    height, width = pixels.shape[:2]
    left, top = max(math.floor(x0), 0), max(math.floor(y0), 0)
    region = pixels[top : math.ceil(y1), left : math.ceil(x1)]
    box = (max(x0, 0.0) - left, max(y0, 0.0) - top, min(x1, width) - left, min(y1, height) - top)
    image = Image.fromarray(region.squeeze(-1) if region.ndim == 3 and region.shape[-1] == 1 else region)
    resized = np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box)).reshape(size[1], size[0], -1)
    return resized[:: -1 if map_.matrix[1, 1] < 0 else 1, :: -1 if map_.matrix[0, 0] < 0 else 1]


def _reduced(pixels: Pixels, map_: Map, size: Size) -> tuple[Pixels, Map]:
    """The part of a source that a map needs, at less than twice the output's resolution, and the map into that."""
    height, width = pixels.shape[:2]
    spans = zip(map_.reduction(size), (width, height), strict=True)
    factors = [2 ** math.floor(math.log2(max(min(span, length), 1))) for span, length in spans]
    x0, y0, x1, y1 = map_.source_box(size)
    left, right = _needed(x0, x1, width, factors[0])
    top, bottom = _needed(y0, y1, height, factors[1])
    region = pixels[top:bottom, left:right]
    map_ = map_.then(translation(left, top))
    if factors == [1, 1]:
        return region, map_
    small = cv2.resize(
        region, ((right - left) // factors[0], (bottom - top) // factors[1]), interpolation=cv2.INTER_AREA
    )
    return small.astype(np.uint8, copy=False), map_.then(np.diag([1 / factors[0], 1 / factors[1], 1.0]))


def _averaged(pixels: Pixels, map_: Map, size: Size) -> tuple[Pixels, Map]:
    """Each pixel's mean with the next, along the axes that a map shrinks by so much that one alone would alias."""
    across, down = (2 if span > ALIASES else 1 for span in map_.reduction(size))
    if across == down == 1:
        return pixels, map_
    means = cv2.blur(pixels, (across, down), anchor=(0, 0), borderType=cv2.BORDER_REFLECT)
    return means.astype(np.uint8, copy=False), map_.then(translation((across - 1) / 2, (down - 1) / 2))


def _needed(low: float, high: float, length: int, factor: int) -> tuple[int, int]:
    """The source's pixels along an axis that are needed to show `low` to `high`, a multiple of `factor` of them.

    What is shown beyond the border is reflected, so that as much is needed on the inside of it.
    """
    low, high = min(low, 2 * length - high), max(high, -low)
    start = max(math.floor(low / factor) - MARGIN, 0) * factor
    stop = min((math.ceil(high / factor) + MARGIN) * factor, length // factor * factor)
    return (start, stop) if stop - start >= factor else (0, length // factor * factor)


def _warp(pixels: Pixels, map_: Map, size: Size, flags: int, border: int, value: int) -> Pixels:
    """OpenCV's remapping, which counts a pixel's coordinates from its middle."""
    pixels = np.ascontiguousarray(pixels) if pixels.ndim == 2 else pixels
    if map_.bend is not None:
        x, y = map_.grid(size) - np.float32(0.5)
        return np.asarray(cv2.remap(pixels, x, y, flags, borderMode=border, borderValue=value), np.uint8)
    matrix = translation(0.5, 0.5) @ map_.matrix @ translation(-0.5, -0.5)
    flags |= cv2.WARP_INVERSE_MAP
    if is_projective(matrix):
        shown = cv2.warpPerspective(pixels, matrix, size, flags=flags, borderMode=border, borderValue=value)
    else:
        shown = cv2.warpAffine(pixels, matrix[:2], size, flags=flags, borderMode=border, borderValue=value)
    return np.asarray(shown, np.uint8)
