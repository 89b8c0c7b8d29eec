"""Mixup and CutMix on a batch, where the batch is: images and targets of two samples become those of one.

Partners are neighbours, the images at 2k and 2k + 1 of a batch; the last of an odd batch stays alone. So a batch
that is parted evenly among processes, at even places, is mixed as it is in one. Both partners keep the same share.
Source: Zhang et al. 2017, "mixup", arXiv:1710.09412; Yun et al. 2019, "CutMix", arXiv:1905.04899.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from striate.augment.draw import Stream, generator
from striate.augment.erase import PixelBox
from striate.augment.geometry import Size
from striate.augment.presets import Augmentation

NO_BOX = (0, 0, 0, 0)


@dataclass(frozen=True)
class Mix:
    """How the images of one batch are mixed, each with its neighbour."""

    partner: Tensor
    """(N,) int64, the place of each image's partner; its own where it has none."""

    keep: Tensor
    """(N,) float32, the share at which each image's own pixels stay outside the box; less than 1 with mixup."""

    box: Tensor
    """(N, 4) int64, x0, y0, x1, y1 in pixels, inside which an image shows its partner; empty without CutMix."""

    share: Tensor
    """(N,) float32, how much of what each image shows is its own."""

    def apply(self, images: Tensor) -> Tensor:
        """Mixed images (N, C, H, W), in the memory format of `images`."""
        height, width = images.shape[2:]
        x0, y0, x1, y1 = self.box.to(images.device).T[:, :, None]  # (N, 1) each
        columns, rows = torch.arange(width, device=images.device), torch.arange(height, device=images.device)
        across, down = (x0 <= columns) & (columns < x1), (y0 <= rows) & (rows < y1)  # (N, W), (N, H)
        inside = down[:, None, :, None] & across[:, None, None, :]  # (N, 1, H, W)
        keep = self.keep.to(images)[:, None, None, None].masked_fill(inside, 0)
        return self._partners(images).lerp(images, keep)

    def targets(self, targets: Tensor) -> Tensor:
        """Mixed targets (N, classes)."""
        return self._partners(targets).lerp(targets, self.share.to(targets)[:, None])

    def _partners(self, batch: Tensor) -> Tensor:
        return batch[self.partner.to(batch.device)]


def draw_mix(augment: Augmentation, rows: list[int], size: Size, seed: int, epoch: int) -> Mix | None:
    """How a batch is mixed; None where the recipe mixes nothing.

    Where it has both mixup and CutMix, each pair has the one or the other, with even chances.

    Args:
        augment: its `mixup` and `cutmix` are the alphas of their beta distributions.
        rows: (N,) row numbers of the images.
        size: width and height of the images.
        seed: from 0, below 2^63.
        epoch: from 0.
    """
    if not (augment.mixup or augment.cutmix):
        return None
    pairs = [_draw_pair(augment, row, size, seed, epoch) for row in rows[: len(rows) // 2 * 2 : 2]]
    keep = [keep for keep, _ in pairs for _ in range(2)]
    box = [box for _, box in pairs for _ in range(2)]
    partner = [place ^ 1 for place in range(len(box))]  # 2k and 2k + 1 differ in their last bit
    if len(rows) % 2:
        keep, box, partner = [*keep, 1.0], [*box, NO_BOX], [*partner, len(partner)]
    area = size[0] * size[1]
    share = [k * (1 - (x1 - x0) * (y1 - y0) / area) for k, (x0, y0, x1, y1) in zip(keep, box, strict=True)]
    boxes = torch.tensor(box, dtype=torch.int64).reshape(-1, 4)
    return Mix(torch.tensor(partner, dtype=torch.int64), torch.tensor(keep), boxes, torch.tensor(share))


def _draw_pair(augment: Augmentation, row: int, size: Size, seed: int, epoch: int) -> tuple[float, PixelBox]:
    """The share that a pair keeps by mixup, and the box that it swaps by CutMix: one of them does nothing."""
    rng = generator(seed, Stream.MIX, epoch, row)
    chance, across, down = rng.random(3)
    cuts = chance < 0.5 if augment.mixup and augment.cutmix else augment.cutmix > 0
    alpha = augment.cutmix if cuts else augment.mixup
    share = rng.beta(alpha, alpha)
    if cuts:
        return 1.0, _cut(size, share, across, down)
    return max(share, 1 - share), NO_BOX  # the same two blends, each at the place of what it shows most


def _cut(size: Size, share: float, across: float, down: float) -> PixelBox:
    """A box of the image's shape, about a centre anywhere in it, cut at its borders.

    It covers 1 - share of the image if it is not cut; if it is, less, as in the paper's code.
    """
    width, height = (side * math.sqrt(1 - share) for side in size)
    x, y = across * size[0], down * size[1]
    x0, x1 = max(0, round(x - width / 2)), min(size[0], round(x + width / 2))
    y0, y1 = max(0, round(y - height / 2)), min(size[1], round(y + height / 2))
    return x0, y0, x1, y1
