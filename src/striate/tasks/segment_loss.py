"""What a network that segments learns from: cross-entropy of each pixel, the Dice overlap of each class, or both."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from striate.augment.resample import IGNORED

PixelLoss = Literal["ce", "dice", "ce+dice"]
SMOOTH = 1.0  # pixels added to both sides of Dice's fraction, so that a class of none has a gradient


def pixel_loss(
    kind: PixelLoss, logits: Tensor, masks: Tensor, weight: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """(N,) loss of each image; 0 where none of its pixels counts.

    The loss of a batch is their mean, in which each image has the weight that `pixel_mass` gives: with cross-entropy
    alone, that is PyTorch's mean over all pixels that count.

    Args:
        kind: cross-entropy, Dice, or the sum of both.
        logits: (N, classes, H, W).
        masks: (N, H, W) class numbers, 255 for pixels that count for nothing.
        weight: (classes,) of each class, or None for 1.
        label_smoothing: share of each target of the cross-entropy that is spread evenly over the classes.
    """
    loss = logits.new_zeros(len(logits))
    if kind != "dice":
        loss = loss + cross_entropies(logits, masks, weight, label_smoothing)
    if kind != "ce":
        loss = loss + dice_losses(logits, masks, weight)
    return loss


def pixel_mass(masks: Tensor, weight: Tensor | None = None) -> Tensor:
    """(N,) weights of the pixels of each mask (N, H, W) that count, added up."""
    counts = masks != IGNORED
    each = counts.float() if weight is None else weight[torch.where(counts, masks, 0).long()] * counts
    return each.sum(dim=(1, 2))


def cross_entropies(logits: Tensor, masks: Tensor, weight: Tensor | None, label_smoothing: float) -> Tensor:
    """(N,) weighted mean cross-entropy of each image's pixels; arguments as in `pixel_loss`."""
    each = cross_entropy(
        logits, masks.long(), weight, ignore_index=IGNORED, reduction="none", label_smoothing=label_smoothing
    )  # (N, H, W)
    return each.sum(dim=(1, 2)) / pixel_mass(masks, weight).clamp(min=torch.finfo(each.dtype).tiny)


def dice_losses(logits: Tensor, masks: Tensor, weight: Tensor | None) -> Tensor:
    """(N,) 1 less the Dice overlap of each image, a weighted mean over the classes; arguments as in `pixel_loss`.

    The overlap of a class is 2 |A and B| / (|A| + |B|), where A is its probability in each pixel and B is where it is
    true. A class that an image lacks asks for no probability anywhere.

    Source: Milletari et al. 2016, "V-Net", arXiv:1606.04797, sec. 3, with plain sums in the denominator.
    """
    known = (masks != IGNORED)[:, None]  # (N, 1, H, W)
    shares = logits.softmax(dim=1) * known
    truth = one_hot(torch.where(known[:, 0], masks, 0).long(), logits.shape[1]).movedim(-1, 1) * known
    both, true = (shares * truth).sum(dim=(2, 3)), truth.sum(dim=(2, 3))  # (N, classes) each
    dice = (2 * both + SMOOTH) / (shares.sum(dim=(2, 3)) + true + SMOOTH)
    each = torch.ones_like(dice) if weight is None else weight.expand_as(dice)
    return 1 - (dice * each).sum(dim=1) / each.sum(dim=1)


def median_frequency(pixels: Tensor, present: Tensor) -> Tensor:
    """(classes,) weights that give rare classes more say: the median frequency over each class's own.

    A class's frequency is its pixels over all pixels of the images that have it. A class without pixels has weight 0.

    Source: Eigen and Fergus 2015, arXiv:1411.4734, sec. 6.3.1; SegNet takes it over (arXiv:1511.00561, sec. 4.1).

    Args:
        pixels: (classes,) of each class, in all images.
        present: (classes,) pixels of the images that have the class.
    """
    pixels, present = pixels.double(), present.double()
    occurs = pixels > 0
    frequency = torch.where(occurs, pixels / present.clamp(min=1), 1.0)
    middle = frequency[occurs].quantile(0.5) if bool(occurs.any()) else frequency.new_tensor(1.0)
    return torch.where(occurs, middle / frequency, 0.0).float()
