"""From a network's logits to the pixels of the original: one class number for each."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from striate.augment import Size
from striate.data import Preprocessing

PIXELS_AT_A_TIME = 1 << 20  # of the original, of which each has a logit a class


def logits_at(logits: Tensor, size: Size, preprocessing: Preprocessing) -> Iterator[tuple[slice, Tensor]]:
    """Logits of each pixel of the upright original, interpolated bilinearly: strips of rows, with their place.

    Pixels of the original that the network did not see, where it was shown a part of it, are answered as the nearest
    that it saw.

    Args:
        logits: (classes, h, w), float32, of the image that the network saw.
        size: width and height of the upright original, or of any other image of the same scene.
        preprocessing: which leads from what the network saw to an original of `size`.

    Yields:
        rows of the original, and their logits (classes, rows, width).
    """
    width, height = size
    step = max(PIXELS_AT_A_TIME // width, 1)
    matrix = preprocessing.map(size).matrix  # from what the network saw to the original
    if preprocessing.crop_mode == "squash" and preprocessing.crop_pct == 1 and width * height <= PIXELS_AT_A_TIME:
        yield slice(0, height), interpolate(logits[None], (height, width), mode="bilinear")[0]
        return
    back = np.linalg.inv(matrix)
    shown = np.array(preprocessing.size, np.float64)
    x = torch.from_numpy(((np.arange(width) + 0.5) * back[0, 0] + back[0, 2]) / shown[0] * 2 - 1).float()
    y = torch.from_numpy(((np.arange(height) + 0.5) * back[1, 1] + back[1, 2]) / shown[1] * 2 - 1).float()
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        across, down = torch.meshgrid(x, y[rows], indexing="xy")  # (rows, width) each
        grid = torch.stack([across, down], dim=-1)[None]
        yield rows, grid_sample(logits[None], grid, padding_mode="border", align_corners=False)[0]


def mask_at(logits: Tensor, size: Size, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """(H, W) the class of largest logit of each pixel of the upright original; arguments as in `logits_at`."""
    mask = np.empty((size[1], size[0]), np.uint8)
    for rows, strip in logits_at(logits, size, preprocessing):
        mask[rows] = strip.argmax(dim=0).numpy()
    return mask
