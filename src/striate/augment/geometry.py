"""Geometry as one map from output pixel to source pixel.

A map takes a point (u, v) of the output to the point (x, y) of the source that it shows. Coordinates are continuous:
pixel i covers [i, i + 1), so an image of width w spans [0, w]. Everything but local warping is a 3x3 matrix on
(u, v, 1); matrices compose by their product, so a chain of operations costs one resampling, with one loss of sharpness.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]  # (3, 3)
Points = NDArray[np.float64]  # (N, 2), x and y
Bend = NDArray[np.float64]  # (rows, columns, 2)
Size = tuple[int, int]  # width, height
Box = tuple[float, float, float, float]  # x0, y0, x1, y1

KNOTS = 6  # of a bend, along either axis: three cells of a cubic spline
STEEPEST = 0.8  # slope of a bend; below 1 nothing folds over itself
INVERSE_STEPS = 40  # at most, after which a bend of that slope is undone to 0.8^40, a ten-thousandth of its shift
CLOSE = 1e-3  # pixels of a last step; what is left is at most 0.8 / (1 - 0.8) times that


@dataclass(frozen=True)
class Map:
    """All of a sample's geometry: which point of the source each point of the output shows."""

    matrix: Matrix
    """From the output to the source, in homogeneous coordinates."""

    bend: Bend | None = None
    """Control points of a cubic B-spline over the output: a smooth displacement in output pixels, added to a point of
    the output before `matrix` is applied."""

    def then(self, matrix: Matrix) -> "Map":
        """The map into another source, to which `matrix` takes the points of this one's."""
        return Map(matrix @ self.matrix, self.bend)

    @property
    def axis_aligned(self) -> bool:
        """Whether it scales, shifts and mirrors, and does nothing else."""
        (_, a, _), (b, _, _), (c, d, _) = self.matrix.tolist()
        return self.bend is None and not (a or b or c or d)

    def points(self, points: Points, size: Size) -> Points:
        """Where in the source the output's `points` (N, 2) lie.

        Args:
            points: of the output.
            size: width and height of the output.
        """
        bent: Points = points if self.bend is None else points + displacement(self.bend, points, size)
        return project(self.matrix, bent)

    def inverse_points(self, points: Points, size: Size) -> Points:
        """Where in the output the source's `points` (N, 2) are shown, or would be if it were larger."""
        flat = project(np.asarray(np.linalg.inv(self.matrix), np.float64), points)
        if self.bend is None:
            return flat
        bent = flat
        for _ in range(INVERSE_STEPS):  # u + d(u) = flat, where d is less steep than 1
            before, bent = bent, flat - displacement(self.bend, bent, size)
            if np.abs(bent - before).max(initial=0) < CLOSE:
                break
        return bent

    def grid(self, size: Size) -> NDArray[np.float32]:
        """(2, H, W): x and y in the source of the centre of each pixel of an output of `size`.

        A spline whose control points lie on a straight line is that line; so it is enough to apply the matrix to the
        control points, which are few.
        """
        width, height = size
        bend = np.zeros((KNOTS, KNOTS, 2)) if self.bend is None else self.bend
        rows, columns = bend.shape[:2]
        flat = np.stack(np.meshgrid(_places(columns) * width, _places(rows) * height), axis=-1)
        control = np.dstack([flat + bend, np.ones((rows, columns))]) @ self.matrix.T
        control = np.moveaxis(control, -1, 0).astype(np.float32)  # (3, rows, columns)
        down, across = _middles(height, rows), _middles(width, columns)
        if not is_projective(self.matrix):
            return np.asarray(down @ control[:2] @ across.T)
        x, y, w = down @ control @ across.T
        return np.stack([x / w, y / w])

    def source_box(self, size: Size) -> Box:
        """A box (x0, y0, x1, y1) of the source, as small as is easily told, outside of which nothing is shown.

        It may reach beyond the image.
        """
        width, height = size
        if self.axis_aligned:  # by plain numbers, a tenth of the time
            (across, _, left), (_, down, top), _ = self.matrix.tolist()
            x, y = [left, across * width + left], [top, down * height + top]
            return min(x), min(y), max(x), max(y)
        left, top = (0.0, 0.0) if self.bend is None else np.abs(self.bend).max(axis=(0, 1))
        corners = np.array([(u, v) for u in (-left, width + left) for v in (-top, height + top)])
        x, y = project(self.matrix, corners).T.tolist()
        return min(x), min(y), max(x), max(y)

    def reduction(self, size: Size) -> tuple[float, float]:
        """How many source pixels along x, and along y, a pixel of the output spans: the least of its four corners.

        A decoder may leave out as much without any loss. A bend counts for nothing: it moves, but hardly scales; and
        under perspective a pixel between the corners may span a tenth less.
        """
        width, height = size
        m = self.matrix
        if not is_projective(m):
            return math.hypot(m[0, 0], m[0, 1]), math.hypot(m[1, 0], m[1, 1])
        spans = []
        for corner in ((0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1)):
            *xy, w = m @ corner
            by_u, by_v = ((m[:2, i] * w - np.array(xy) * m[2, i]) / w**2 for i in (0, 1))  # of a quotient
            spans.append(np.hypot(by_u, by_v))
        across, down = np.min(spans, axis=0).tolist()
        return across, down


def project(matrix: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Applies a matrix to points (..., 2)."""
    projected = points @ matrix[:2, :2].T + matrix[:2, 2]
    if is_projective(matrix):
        projected = projected / (points @ matrix[2, :2] + matrix[2, 2])[..., None]
    return projected


def is_projective(matrix: Matrix) -> bool:
    """Whether it does what no affine map does: parallels do not stay parallel."""
    return bool(matrix[2, 0] or matrix[2, 1])


def compose(*matrices: Matrix) -> Matrix:
    """The matrix that applies the last of `matrices` to an output point first, and the first of them last."""
    product = np.eye(3)
    for each in matrices:
        product = product @ each
    return product


def crop(box: Box, size: Size) -> Matrix:
    """Shows the source's `box` (x0, y0, x1, y1) on an output of `size`.

    >>> crop((10, 0, 30, 10), (40, 20)) @ (40, 20, 1)  # the last corner
    array([30., 10.,  1.])
    """
    x0, y0, x1, y1 = box
    width, height = size
    return np.array([[(x1 - x0) / width, 0, x0], [0, (y1 - y0) / height, y0], [0, 0, 1]])


def central_crop(source: Size, size: Size, crop_pct: float) -> Matrix:
    """Shows the middle of the source: the largest box of the output's shape, times `crop_pct`.

    This is "resize the shorter side to size / crop_pct, then crop the centre", as one map.
    """
    scale = crop_pct * min(source[0] / size[0], source[1] / size[1])  # source pixels per output pixel
    width, height = size[0] * scale, size[1] * scale
    x0, y0 = (source[0] - width) / 2, (source[1] - height) / 2
    return crop((x0, y0, x0 + width, y0 + height), size)


def shown_crop(source: Size, size: Size, crop_pct: float, crop_mode: str) -> Matrix:
    """What evaluation shows of a source; the names of the modes are timm's.

    Args:
        source: width and height of the upright image.
        size: width and height of the output.
        crop_pct: the share of what the mode shows at 1 that is shown, around the centre.
        crop_mode: at 1, center shows the largest box of the output's shape; squash the whole source, stretched to that
            shape; border the whole source, with its reflection beside it where shapes differ.
    """
    if crop_mode == "squash":
        width, height = source[0] * crop_pct, source[1] * crop_pct
        x0, y0 = (source[0] - width) / 2, (source[1] - height) / 2
        return crop((x0, y0, x0 + width, y0 + height), size)
    if crop_mode == "border":
        across, down = source[0] / size[0], source[1] / size[1]
        crop_pct = crop_pct * max(across, down) / min(across, down)
    return central_crop(source, size, crop_pct)


def random_crop(
    draws: NDArray[np.float64], source: Size, size: Size, area: tuple[float, float], ratio: tuple[float, float]
) -> Matrix:
    """Shows a random box of the source, stretched to the output.

    Args:
        draws: (4,) numbers from 0, below 1: of the area, the ratio, the left and the top.
        source: width and height of the upright image.
        size: width and height of the output.
        area: least and largest share of the source's area, even in the share.
        ratio: least and largest width over height of the box, even in its logarithm. A box that would stick out is cut
            down to the source.

    Source: "random resized crop" of Szegedy et al. 2014, arXiv:1409.4842, sec. 6. Cutting instead of drawing again
    keeps the number of draws constant.
    """
    by_area, by_ratio, left, top = draws.tolist()
    share = area[0] + by_area * (area[1] - area[0])
    aspect = ratio[0] * (ratio[1] / ratio[0]) ** by_ratio
    width = min(math.sqrt(share * source[0] * source[1] * aspect), source[0])
    height = min(math.sqrt(share * source[0] * source[1] / aspect), source[1])
    x0, y0 = left * (source[0] - width), top * (source[1] - height)
    return crop((x0, y0, x0 + width, y0 + height), size)


def mirror(width: float) -> Matrix:
    """Swaps left and right on a plane of `width`."""
    return np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]])


def mirror_top_bottom(height: float) -> Matrix:
    """Swaps top and bottom on a plane of `height`."""
    return np.array([[1.0, 0, 0], [0, -1, height], [0, 0, 1]])


def about(centre: tuple[float, float], matrix: Matrix) -> Matrix:
    """`matrix` with its origin at `centre`."""
    x, y = centre
    return compose(translation(-x, -y), matrix, translation(x, y))


def rotation(degrees: float) -> Matrix:
    """Turns what is shown about the origin, clockwise as one looks at it, by `degrees`."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def shear(x_degrees: float, y_degrees: float) -> Matrix:
    """Slants what is shown along x by the first angle, then along y by the second."""
    x, y = math.tan(math.radians(x_degrees)), math.tan(math.radians(y_degrees))
    return compose(np.array([[1, x, 0], [0, 1, 0], [0, 0, 1]]), np.array([[1, 0, 0], [y, 1, 0], [0, 0, 1]]))


def zoom(factor: float) -> Matrix:
    """Enlarges what is shown about the origin."""
    return np.array([[1 / factor, 0, 0], [0, 1 / factor, 0], [0, 0, 1]])


def translation(x: float, y: float) -> Matrix:
    """Moves what is shown by `x` to the right and `y` down, in pixels of the output."""
    return np.array([[1.0, 0, -x], [0, 1, -y], [0, 0, 1]])


def perspective(shifts: NDArray[np.float64], size: Size) -> Matrix:
    """Shows a quadrangle on the whole output.

    Args:
        shifts: (4, 2), in pixels: from each corner of the output (left top, right top, right bottom, left bottom) to
            the corner of what it shows.
        size: width and height of the output.
    """
    width, height = size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    ours, shown = corners.astype(np.float32), (corners + shifts).astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform(ours, shown), np.float64)


def bend(shifts: NDArray[np.float64], size: Size) -> Bend:
    """Control points of a smooth displacement, made gentler where it would fold what is shown over itself.

    No point is moved further than the largest of `shifts`.

    Args:
        shifts: (KNOTS, KNOTS, 2), in pixels of the output.
        size: width and height of the output.
    """
    spacing = np.array(size) / (KNOTS - 3)
    by_v, by_u = (np.linalg.norm(np.diff(shifts, axis=axis), axis=-1).max() for axis in (0, 1))
    slope = math.hypot(by_u / spacing[0], by_v / spacing[1])  # at most; the derivative is a mean of the differences
    return shifts * min(1.0, STEEPEST / slope) if slope else shifts


def displacement(bend: Bend, points: Points, size: Size) -> Points:
    """What `bend` adds to the output's `points` (N, 2)."""
    rows, columns = _spline(points[:, 1] / size[1], bend.shape[0]), _spline(points[:, 0] / size[0], bend.shape[1])
    return np.stack([((rows @ bend[..., i]) * columns).sum(axis=1) for i in (0, 1)], axis=-1)


def _places(knots: int) -> NDArray[np.float64]:
    """(knots,): where the control points of a straight line from 0 to 1 lie."""
    return np.arange(-1, knots - 1) / (knots - 3)


@lru_cache(maxsize=16)
def _middles(length: int, knots: int) -> NDArray[np.float32]:
    """(length, knots): the spline's weights at the middle of each of a row of pixels."""
    return _spline((np.arange(length) + 0.5) / length, knots).astype(np.float32)


def _spline(at: NDArray[np.float64], knots: int) -> NDArray[np.float64]:
    """(N, knots): the weight of each control point of a uniform cubic B-spline at positions `at`, 0 to 1.

    Before 0 and after 1 the spline goes on as it is there.
    """
    place = np.clip(at, 0, 1) * (knots - 3)
    cell = np.minimum(place.astype(np.int64), knots - 4)
    t = place - cell
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=-1) / 6
    basis = np.zeros((len(at), knots))
    np.put_along_axis(basis, cell[:, None] + np.arange(4), weights, axis=1)
    return basis
