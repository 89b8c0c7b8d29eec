"""Linear layers from features to numbers, such as the edges of a box: ridge regression in closed form.

Features are standardised. With fewer vectors than features the problem is solved between vectors, by their inner
products: a grid of 4 x 4 means of 1,280 channels has 20,480 features, and 1,400 images in two views are 2,800 vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.linalg import cholesky

from striate.augment import Stream, generator
from striate.errors import DataError
from striate.features.heads_problem import LEAST_STD

STRENGTHS = tuple(10 ** (1.5 - i / 2) for i in range(8))  # penalties that are tried, the strongest first, 30 to 0.01
MOST_VECTORS = 6000  # that are solved between: of more, so many are drawn
FOLDS = 4


@dataclass(frozen=True)
class FittedValues:
    """A layer with what cross-validation says of it."""

    layer: nn.Linear
    """Vectors (N, D) -> values (N, K), float32."""

    strength: float
    """The penalty, relative to the mean squared length of a vector, as chosen."""

    out_of_fold: Tensor
    """(N, K): the values of each image, by a layer that had not seen it."""


def fit_values(views: Sequence[Tensor], values: Sequence[Tensor], *, seed: int = 0, folds: int = FOLDS) -> FittedValues:
    """The linear layer of least squared error, with the penalty that does best on images held out.

    Args:
        views: (N, D) each: vectors of the images as evaluation sees them, then of further views, which are learnt from
            and never held out.
        values: (N, K) each, of those views; a row with NaN is not learnt from.
        seed: which images are held out together.
        folds: parts, of which each is held out once; fewer, where there are fewer images.

    Raises:
        DataError: fewer than two images have values.
    """
    known = torch.cat([each.isfinite().all(dim=1) for each in values])
    images = len(values[0])
    if int(known[:images].sum()) < 2:
        raise DataError(f"train: expected two images with values to fit a layer to; got {int(known[:images].sum())}.")
    part = torch.from_numpy(np.tile(_dealt(images, folds, seed), len(views)))
    used = _drawn(torch.nonzero(known).flatten(), seed)
    solver = _Solver(torch.cat([view.float() for view in views]), torch.cat(list(values)).double(), used, images)
    errors, held_out = {}, {}
    for strength in STRENGTHS:
        held_out[strength] = solver.held_out(strength, part)
        shown = known[:images]
        errors[strength] = float((held_out[strength][shown] - values[0].double()[shown]).square().mean())
    best = min(errors, key=errors.__getitem__)
    return FittedValues(solver.layer(best), best, held_out[best].float())


def _dealt(images: int, folds: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(images,) the part of each, as equal as can be."""
    part = np.empty(images, np.int64)
    part[generator(seed, Stream.SPLIT).permutation(images)] = np.arange(images) % min(folds, images)
    return part


def _drawn(rows: Tensor, seed: int) -> Tensor:
    """At most `MOST_VECTORS` of rows, in order."""
    if len(rows) <= MOST_VECTORS:
        return rows
    chosen = generator(seed, Stream.SPLIT).permutation(len(rows))[:MOST_VECTORS]
    return rows[torch.from_numpy(np.sort(chosen))]


class _Solver:
    """Ridge regression between the vectors that are learnt from.

    Args:
        vectors: (V, D) of all views, changed in place.
        values: (V, K), float64.
        used: (U,) places among the vectors that are learnt from.
        images: how many vectors, from the first, are asked about.
    """

    def __init__(self, vectors: Tensor, values: Tensor, used: Tensor, images: int) -> None:
        self._used = used
        self._images = images
        self._mean = vectors[used].mean(dim=0)
        std = vectors[used].std(dim=0, correction=0)
        self._std = torch.where(std > LEAST_STD, std, 1.0)
        self._vectors = vectors.sub_(self._mean).div_(self._std)
        learnt = self._vectors[used]
        self._products = (learnt @ learnt.T).double()  # (U, U)
        self._asked = (self._vectors[:images] @ learnt.T).double()  # (images, U)
        self._values = values[used]
        self._scale = float(self._products.diagonal().mean())

    def held_out(self, strength: float, part: Tensor) -> Tensor:
        """(images, K) values of each image, by layers that did not learn from its part."""
        answers = torch.zeros(self._images, self._values.shape[1], dtype=torch.float64)
        for number in part[: self._images].unique().tolist():
            taught = torch.nonzero(part[self._used] != number).flatten()
            asked = torch.nonzero(part[: self._images] == number).flatten()
            if len(taught):
                weight, mean = self._solved(strength, taught)
                answers[asked] = self._asked[asked][:, taught] @ weight + mean
        return answers

    def layer(self, strength: float) -> nn.Linear:
        """The layer for vectors as they were given, by all that is learnt from."""
        weight, mean = self._solved(strength, torch.arange(len(self._used)))
        outward = (weight.float().T @ self._vectors[self._used]) / self._std  # (K, D)
        layer = nn.Linear(outward.shape[1], outward.shape[0]).requires_grad_(False)
        layer.weight.copy_(outward)
        layer.bias.copy_(mean.float() - outward @ self._mean)
        return layer.requires_grad_(True)

    def _solved(self, strength: float, taught: Tensor) -> tuple[Tensor, Tensor]:
        """(T, K) weights of the taught vectors, and the mean (K,) of their values."""
        products = self._products[taught][:, taught]
        products.diagonal().add_(strength * self._scale)
        mean = self._values[taught].mean(dim=0)
        return torch.cholesky_solve(self._values[taught] - mean, cholesky(products)), mean
