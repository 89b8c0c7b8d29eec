"""What a network that locates learns from: cross-entropy of its classes and the distance of its boxes."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from striate.tasks.locate_boxes import giou, ordered

BoxLoss = Literal["mse", "smooth_l1", "giou"]
BETA = 0.1  # shares of the image below which smooth L1 is a square: a tenth of a side is a near miss


def squared(boxes: Tensor, truth: Tensor) -> Tensor:
    """(N,) mean squared distance of the four edges, in shares of the image."""
    return (boxes - truth).square().mean(dim=1)


def smooth(boxes: Tensor, truth: Tensor) -> Tensor:
    """(N,) mean smooth L1 distance of the four edges: a square below `BETA`, then a straight line.

    Source: Girshick 2015, "Fast R-CNN", arXiv:1504.08083, equation 3, with its turning point at `BETA`.
    """
    return smooth_l1_loss(boxes, truth, beta=BETA, reduction="none").mean(dim=1)


def overlap(boxes: Tensor, truth: Tensor) -> Tensor:
    """(N,) 1 less generalised IoU, from 0 to 2."""
    return 1 - giou(ordered(boxes), truth)


BOX_LOSSES: dict[BoxLoss, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": squared,
    "smooth_l1": smooth,
    "giou": overlap,
}

BOX_WEIGHTS: dict[BoxLoss, float] = {"mse": 100.0, "smooth_l1": 100.0, "giou": 10.0}
"""Beside the cross-entropy of the class: by these a box that is a tenth of a side off costs about as much as a class
that is guessed. Measured in docs/decisions/box-loss.md."""


def box_loss(kind: BoxLoss, boxes: Tensor, truth: Tensor) -> Tensor:
    """(N,) loss of each image's box; 0, without a gradient, where the image has none.

    Args:
        kind: a key of `BOX_LOSSES`.
        boxes: (N, 4), shares of the image, in any order of the edges.
        truth: (N, 4), NaN for none.
    """
    known = truth.isfinite().all(dim=1, keepdim=True)
    anything = truth.new_tensor([0.0, 0.0, 1.0, 1.0])  # the same for both: no loss, and nothing of the network in it
    return BOX_LOSSES[kind](torch.where(known, boxes, anything), torch.where(known, truth, anything))
