"""Random erasing (Zhong et al. 2017, arXiv:1708.04896) on a batch, where the batch is."""

import math

from torch import Tensor

from striate.augment.draw import Stream, generator
from striate.augment.geometry import Size
from striate.augment.noise import normal
from striate.augment.presets import Augmentation

ASPECT = 10 / 3  # largest of a box's sides over the other, on a square image; the paper's 1 / r1
PixelBox = tuple[int, int, int, int]  # x0, y0, x1, y1


def erase_(images: Tensor, augment: Augmentation, rows: list[int], seed: int, epoch: int) -> Tensor:
    """Fills a random box of some of the images with noise, in place.

    The noise is standard normal, as normalised images are about; the paper's is uniform over the values of pixels.

    Args:
        images: (N, C, H, W), normalised.
        augment: its `erase` is the probability, its `erase_scale` the share of the area.
        rows: (N,) row numbers of the images.
        seed: from 0, below 2^63.
        epoch: from 0.

    Returns:
        `images`.
    """
    if augment.erase:
        size = images.shape[3], images.shape[2]
        for image, row in zip(images, rows, strict=True):
            box = draw_box(augment, size, seed, epoch, row)
            if box is not None:
                x0, y0, x1, y1 = box
                part = image[:, y0:y1, x0:x1]
                part.copy_(normal(part, seed, Stream.ERASE, epoch, row))
    return images


def draw_box(augment: Augmentation, size: Size, seed: int, epoch: int, row: int) -> PixelBox | None:
    """The box of one image that is erased in one epoch; None where none is.

    The ratio of its sides is drawn from those at which a box of the drawn area fits, so that none is drawn again.
    """
    rng = generator(seed, Stream.ERASE, epoch, row)
    chance, to_aspect, left, top = rng.random(4)
    share = rng.uniform(*augment.erase_scale)
    if chance >= augment.erase:
        return None
    widest = math.log(min(ASPECT, 1 / share))
    aspect = math.exp(widest * (2 * to_aspect - 1))
    return place(size, math.sqrt(share * aspect), math.sqrt(share / aspect), left, top)


def place(size: Size, width: float, height: float, left: float, top: float) -> PixelBox:
    """A box of whole pixels, at least one, inside an image of `size`.

    Args:
        size: width and height of the image.
        width: of the box, as a share of the image's.
        height: the same of the height.
        left: place of the box between the left border, 0, and the right, 1.
        top: the same between top and bottom.
    """
    columns, rows = (max(1, round(share * side)) for share, side in zip((width, height), size, strict=True))
    x0, y0 = round(left * (size[0] - columns)), round(top * (size[1] - rows))
    return x0, y0, x0 + columns, y0 + rows
