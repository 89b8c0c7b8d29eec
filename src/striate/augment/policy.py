"""The geometry of a recipe: every operation's numbers drawn, and composed into one map."""

import numpy as np
from numpy.typing import NDArray

from striate.augment.draw import Stream, generator
from striate.augment.geometry import (
    KNOTS,
    Map,
    Matrix,
    Size,
    about,
    bend,
    mirror,
    mirror_top_bottom,
    perspective,
    random_crop,
    rotation,
    shear,
    shown_crop,
    translation,
    zoom,
)
from striate.augment.presets import Augmentation

# Which of an image's draws are for what.
CROP, MIRRORS, MOVES, CORNERS = slice(0, 4), slice(4, 6), slice(6, 12), slice(12, 20)
BENT = slice(20, 21 + KNOTS * KNOTS * 2)


def draw_map(
    augment: Augmentation,
    source: Size,
    size: Size,
    crop_pct: float,
    seed: int,
    epoch: int,
    row: int,
    crop_mode: str = "center",
) -> Map:
    """What training shows of one image in one epoch.

    The number of draws is the same for every recipe, so that switching an operation on leaves the others as they were.
    What is shown is cropped from the source, mirrored, then moved, and last bent.

    Args:
        augment: of this image.
        source: width and height of the upright image.
        size: width and height of the output.
        crop_pct: of evaluation, whose view is shown where `augment.crop_scale` is (1, 1).
        seed: from 0, below 2^63.
        epoch: from 0.
        row: of the image in its index.
        crop_mode: likewise, see `shown_crop`.
    """
    draws = generator(seed, Stream.AUGMENT, epoch, row).random(BENT.stop)
    left_right, top_bottom = draws[MIRRORS].tolist()
    mirrored = left_right < augment.mirror
    if augment.mirror_alternating:  # drawn once, for the first epoch
        first = generator(seed, Stream.AUGMENT, 0, row).random(MIRRORS.stop)[MIRRORS.start]
        mirrored = bool(first < augment.mirror) != bool(epoch % 2)
    if augment.crop_scale == (1, 1):
        matrix = shown_crop(source, size, crop_pct, crop_mode)
    else:
        matrix = random_crop(draws[CROP], source, size, augment.crop_scale, augment.crop_ratio)
    if mirrored:
        matrix = matrix @ mirror(size[0])
    if top_bottom < augment.mirror_top_bottom:
        matrix = matrix @ mirror_top_bottom(size[1])
    matrix = matrix @ _moved(augment, size, draws[MOVES])
    if augment.perspective:
        shifts = (draws[CORNERS].reshape(4, 2) * 2 - 1) * augment.perspective * np.array(size)
        matrix = matrix @ perspective(shifts, size)
    if not augment.warp:
        return Map(matrix)
    strength, *shifts = draws[BENT]
    largest = strength * augment.warp * np.array(size)
    return Map(matrix, bend((np.reshape(shifts, (KNOTS, KNOTS, 2)) * 2 - 1) * largest, size))


def _moved(augment: Augmentation, size: Size, draws: NDArray[np.float64]) -> Matrix:
    """Translation, rotation, shear and zoom about the middle of the output; those of strength zero cost nothing."""
    turn, slant_x, slant_y, x, y, enlarged = draws.tolist()
    matrix = np.eye(3)
    if augment.rotation:
        matrix = matrix @ rotation((2 * turn - 1) * augment.rotation)
    if augment.shear:
        matrix = matrix @ shear((2 * slant_x - 1) * augment.shear, (2 * slant_y - 1) * augment.shear)
    if augment.zoom != (1, 1):
        least, largest = augment.zoom
        matrix = matrix @ zoom(least * (largest / least) ** enlarged)
    if augment.rotation or augment.shear or augment.zoom != (1, 1):
        matrix = about((size[0] / 2, size[1] / 2), matrix)
    if augment.translation:
        shift = augment.translation  # in whole pixels, because any other shift blurs, which small images suffer from
        matrix = matrix @ translation(round((2 * x - 1) * shift * size[0]), round((2 * y - 1) * shift * size[1]))
    return matrix
