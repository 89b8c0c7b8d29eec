"""Noise on a batch, where the batch is."""

import torch
from torch import Tensor

from striate.augment.draw import Stream, generator
from striate.augment.presets import Augmentation


def add_noise_(
    images: Tensor, augment: Augmentation, std: tuple[float, ...], rows: list[int], seed: int, epoch: int
) -> Tensor:
    """Adds to every value a number from a normal distribution, in place.

    Args:
        images: (N, C, H, W), normalised.
        augment: its `noise` is the standard deviation, of values 0 to 1.
        std: that the images were divided by, a channel.
        rows: (N,) row numbers of the images.
        seed: from 0, below 2^63.
        epoch: from 0.

    Returns:
        `images`.
    """
    if augment.noise:
        strength = augment.noise / torch.tensor(std, device=images.device)[:, None, None]
        for image, row in zip(images, rows, strict=True):
            image.addcmul_(normal(image, seed, Stream.NOISE, epoch, row), strength)
    return images


def normal(like: Tensor, seed: int, stream: Stream, epoch: int, row: int) -> Tensor:
    """Standard normal numbers of the shape, type and device of `like`.

    Drawn on its device, by a generator an image, so that they are the same whatever batch the image is in; another
    kind of device draws others.
    """
    rng = torch.Generator(like.device)
    rng.manual_seed(int(generator(seed, stream, epoch, row).integers(2**63)))
    return torch.randn(like.shape, generator=rng, dtype=like.dtype, device=like.device)
