"""Colour as one matrix an image: what is drawn is composed, and applied once, together with the normalisation.

Every operation takes values 0 to 1 of a pixel, (r, g, b, 1) or (grey, 1), to new ones by a square matrix whose last row
is (0, 0, 1) or (0, 0, 0, 1). They compose by matrix product, as maps of geometry do.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from striate.augment.draw import Stream, generator
from striate.augment.presets import Augmentation
from striate.recipe import AugmentRecipe

Affine = NDArray[np.float64]  # (C + 1, C + 1)

LUMA = np.array([0.299, 0.587, 0.114])  # of Rec. 601, by which Pillow, too, makes an image grey
GREY_AXIS = np.full(3, 1 / math.sqrt(3))
MIDDLE = 0.5  # the value that a change of contrast keeps


def draw_colour(augment: Augmentation, channels: int, seed: int, epoch: int, row: int) -> NDArray[np.float32]:
    """The colour of one image in one epoch: brightness, contrast, saturation, hue, then shift and PCA colour.

    Args:
        augment: the strengths; with all of them 0, the result is the identity to the bit.
        channels: 3 for RGB; any others have brightness, contrast and shift alone.
        seed: from 0, below 2^63.
        epoch: from 0.
        row: the row number of the image in its index.

    Returns:
        (C, C + 1), for values 0 to 1 and a last 1.
    """
    if not draws_colour(augment):
        return np.eye(channels, channels + 1, dtype=np.float32)
    rng = generator(seed, Stream.COLOUR, epoch, row)
    to_brightness, to_contrast, to_saturation, to_hue, *to_shift = rng.uniform(-1, 1, 4 + max(channels, 3))
    steps = rng.normal(0, augment.pca_colour, 3)  # whatever is asked for, the number of draws is the same
    matrix = contrast(1 + augment.contrast * to_contrast, channels)
    matrix = matrix @ brightness(1 + augment.brightness * to_brightness, channels)
    offset = augment.channel_shift * np.array(to_shift[:channels])
    if channels == 3:
        matrix = hue(augment.hue * to_hue) @ saturation(1 + augment.saturation * to_saturation) @ matrix
        offset = offset + pca_step(steps, augment.pca_values, augment.pca_vectors)
    return (shift(offset) @ matrix)[:channels].astype(np.float32)


def draws_colour(augment: Augmentation) -> bool:
    """Whether there is anything to draw; if not, batches need no colour matrices."""
    strengths = (augment.brightness, augment.contrast, augment.saturation, augment.hue)
    return any(strengths) or augment.channel_shift > 0 or augment.pca_colour > 0


def brightness(gain: float, channels: int = 3) -> Affine:
    """Multiplies all values by `gain`."""
    return np.diag([gain] * channels + [1.0])


def contrast(gain: float, channels: int = 3) -> Affine:
    """Multiplies the distance of all values from middle grey by `gain`.

    Elsewhere (Pillow, torchvision) it is the distance from the image's own mean, which would have to be measured
    before the matrix is known; what differs is a shift of all values, such as a change of brightness makes.
    """
    middle = np.full(channels, MIDDLE)
    return shift(middle) @ brightness(gain, channels) @ shift(-middle)


def saturation(gain: float) -> Affine:
    """Multiplies the distance of each colour from the grey of its luma by `gain`; 0 leaves that grey."""
    return _affine(gain * np.eye(3) + (1 - gain) * np.outer(np.ones(3), LUMA))


def hue(degrees: float) -> Affine:
    """Turns all colours about the grey axis, then moves them along it, back to their luma: greys stay as they are.

    Turns by a and by b are a turn by a + b, because a move along the axis commutes with a turn about it.
    """
    angle = math.radians(degrees)
    x, y, z = GREY_AXIS
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * (cross @ cross)  # Rodrigues' formula
    return _affine(turn + np.outer(np.ones(3), LUMA @ (np.eye(3) - turn)))


def shift(offset: NDArray[np.float64]) -> Affine:
    """Adds `offset` (C,) to the channels."""
    matrix = np.eye(len(offset) + 1)
    matrix[:-1, -1] = offset
    return matrix


def pca_step(
    steps: NDArray[np.float64], variances: Sequence[float], components: Sequence[float]
) -> NDArray[np.float64]:
    """What PCA colour adds (3,): along each principal component, its step times its variance.

    Args:
        steps: (3,), drawn from a normal distribution about 0; Krizhevsky's standard deviation was 0.1.
        variances: (3,), of values 0 to 1.
        components: (9,), one component after the other.

    Source: Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural Networks", sec. 4.1.
    """
    return np.asarray((steps * variances) @ np.reshape(components, (3, 3)))


def _affine(linear: NDArray[np.float64]) -> Affine:
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    return matrix


@dataclass(frozen=True)
class ColourSums:
    """What the principal components of colour need to know of any number of pixels: whole numbers.

    Integers are summed without rounding, so that images may be added, and sums merged, in any order.
    """

    count: int = 0
    total: tuple[int, ...] = (0, 0, 0)
    """Of red, green and blue."""

    products: tuple[int, ...] = field(default=(0,) * 9, repr=False)
    """(3, 3), of each channel with each."""

    def add(self, pixels: NDArray[np.uint8]) -> "ColourSums":
        """With the pixels (..., 3) of one more image, which has fewer than 2^37."""
        values = pixels.reshape(-1, 3).astype(np.float64)  # exact: the sums stay below 2^53
        products = values.T @ values
        total = np.ones(len(values)) @ values  # five times as fast as a sum along the longer axis
        one = ColourSums(len(values), _integers(total), _integers(products.ravel()))
        return self.merge(one)

    def merge(self, other: "ColourSums") -> "ColourSums":
        """Of the pixels of both."""
        total = tuple(map(int.__add__, self.total, other.total))
        products = tuple(map(int.__add__, self.products, other.products))
        return ColourSums(self.count + other.count, total, products)

    def values_and_vectors(self) -> tuple[tuple[float, float, float], tuple[float, ...]]:
        """Variances along the principal components of values 0 to 1, the largest first, and the components (9,).

        A component's largest number is above 0, or its sign would be left to chance.

        Raises:
            ValueError: if no pixel was added.
        """
        if not self.count:
            raise ValueError("`count`: expected at least one pixel; got none.")
        n = self.count
        scatter = [
            n * product - self.total[i // 3] * self.total[i % 3] for i, product in enumerate(self.products)
        ]  # exact, where a difference of large floats would not be
        covariance = np.array([value / (n * n * 255 * 255) for value in scatter]).reshape(3, 3)
        values, vectors = np.linalg.eigh(covariance)
        components = vectors.T[::-1]
        largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
        first, second, third = np.maximum(values[::-1], 0).tolist()
        return (first, second, third), tuple((components * np.sign(largest)).ravel().tolist())


def _integers(values: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(map(int, values.tolist()))


def measured(augment: AugmentRecipe, sums: ColourSums) -> AugmentRecipe:
    """The recipe with the principal components of the images that were summed."""
    values, vectors = sums.values_and_vectors()
    return replace(augment, pca_values=values, pca_vectors=vectors)
