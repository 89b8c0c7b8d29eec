"""The images that a network finds most like an image, by the cosine of their embeddings.

An embedding is the mean over the places of the maps that explain the answer: what a linear head sees.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from striate.data import Batch
from striate.errors import UsageError
from striate.explain.capture import captured, evaluating, explained_layers, pixels
from striate.model import Model

NEAREST = 6


@dataclass(frozen=True)
class Neighbours:
    """For each of N images, the K nearest of many others."""

    rows: NDArray[np.int64]
    """(N, K) of the others, the nearest first; -1 where there are fewer."""

    similarity: NDArray[np.float32]
    """(N, K) cosine of the embeddings, falling; -inf where there are fewer."""


@torch.inference_mode()
def embeddings(model: Model, images: Tensor) -> Tensor:
    """(N, D) of length 1, float32 on the CPU.

    Args:
        model: its weights and mode stay as they are.
        images: (N, H, W, C) uint8, as `predict_batch` takes them.

    Raises:
        UsageError: if the network names no layer that explains its answer.
    """
    layers = explained_layers(model.net)
    with evaluating(model.net), captured(model.net, layers) as found:
        model.net(pixels(images, model.preprocessing, model.machine))
    means = [found[name].float().flatten(2).mean(dim=2) for name in layers]
    return normalize(torch.cat(means, dim=1), dim=1).cpu()


def neighbours(
    model: Model, images: Tensor, others: Iterable[Batch], most: int = NEAREST, own: NDArray[np.int64] | None = None
) -> Neighbours:
    """The images of a loader that are nearest to each of some images, in one pass.

    Args:
        model: its weights and mode stay as they are.
        images: (N, H, W, C) uint8, as `predict_batch` takes them.
        others: batches to look in.
        most: neighbours to give.
        own: (N,) row of each image among the others, which is not its own neighbour; -1 where it is not among them.

    Raises:
        UsageError: if there are no others.
    """
    wanted = embeddings(model, images)
    similarity = torch.full((len(images), most), -torch.inf)
    rows = torch.full((len(images), most), -1)
    own_rows = torch.full((len(images),), -2) if own is None else torch.from_numpy(own)
    seen = False
    for batch in others:
        seen = True
        found = wanted @ embeddings(model, batch.images).T  # (N, batch)
        new_rows = torch.from_numpy(batch.rows).expand(len(images), -1)
        found = found.masked_fill(new_rows == own_rows[:, None], -torch.inf)
        similarity, order = torch.cat([similarity, found], dim=1).topk(most, dim=1)
        rows = torch.cat([rows, new_rows], dim=1).gather(1, order)
    if not seen:
        raise UsageError("`others`: expected at least one image to look in; got none.")
    rows = torch.where(similarity.isinf(), -1, rows)
    return Neighbours(rows.numpy(), similarity.numpy())
