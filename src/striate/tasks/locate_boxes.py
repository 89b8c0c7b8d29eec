"""Boxes as a network learns them: shares of the image it sees, their overlap, and the way back to the user's pixels.

A box is x0, y0, x1, y1: its left, top, right and bottom edge. Pixel i covers [i, i + 1), so an image of width w spans
[0, w], and so do its shares from 0 to 1.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.augment.geometry import Map, Size

LEAST = 1e-7  # area by which is divided in a loss, whose gradient divides by its square


def ordered(boxes: Tensor) -> Tensor:
    """Boxes (…, 4) whose left edge is left of the right one, and whose top edge is above the bottom one.

    A network's four numbers may come in any order; the box that they span is the same.
    """
    first, second = boxes[..., :2], boxes[..., 2:]
    return torch.cat([torch.minimum(first, second), torch.maximum(first, second)], dim=-1)


def area(boxes: Tensor) -> Tensor:
    """(…,) areas of boxes (…, 4); 0 where an edge is on the wrong side."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """(…,) intersection over union of boxes `a` and `b` (…, 4), pair by pair.

    It is the same in shares as in pixels, because both areas scale alike. Two boxes without area have none in common:
    0. NaN in a box gives NaN.

    >>> iou(torch.tensor([0.0, 0.0, 2.0, 2.0]), torch.tensor([1.0, 0.0, 3.0, 2.0]))
    tensor(0.3333)
    """
    inter, union = _inter_and_union(a, b)
    return inter / union.clamp(min=torch.finfo(union.dtype).tiny)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """(…,) generalised IoU, from -1 to 1: IoU less the share of the hull of both boxes that neither covers.

    Unlike IoU, it tells boxes that do not meet how far apart they are.

    Source: Rezatofighi et al. 2019, "Generalized intersection over union", arXiv:1902.09630, algorithm 1.
    """
    inter, union = _inter_and_union(a, b)
    hull = area(torch.cat([torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])], dim=-1))
    return inter / union.clamp(min=LEAST) - (hull - union) / hull.clamp(min=LEAST)


def _inter_and_union(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inter = (high - low).clamp(min=0).prod(dim=-1)
    return inter, area(a) + area(b) - inter


def to_shares(boxes: Tensor, size: Size) -> Tensor:
    """Boxes (…, 4) in pixels of an image of `size` (width, height) as shares of it, 0 to 1."""
    width, height = size
    return boxes / boxes.new_tensor([width, height, width, height])


def to_original(shares: NDArray[np.float64], map_: Map, size: Size, original: Size) -> NDArray[np.float64]:
    """Boxes (N, 4) in pixels of the upright original, cut to it.

    Args:
        shares: (N, 4) of the image that the network saw.
        map_: from that image to the upright original, as `Preprocessing.map` gives it.
        size: width and height of the image that the network saw.
        original: width and height of the upright original.
    """
    corners = np.asarray(shares, np.float64).reshape(-1, 2) * size
    placed = map_.points(corners, size).clip(0, original).reshape(-1, 2, 2)
    return np.concatenate([placed.min(axis=1), placed.max(axis=1)], axis=1)
