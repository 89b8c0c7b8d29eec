"""What heads are fitted to: standardised vectors, their labels, and the weight of each vector in each head's loss.

Several heads share one problem. Each leaves other vectors out, by a weight of 0, so that one pass over the vectors
serves all of them. Arithmetic is in float32, or with products in bfloat16, and on a part of the vectors at a time: the
memory that it takes beside the vectors does not grow with their number.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.linalg import cholesky, solve_triangular
from torch.nn.functional import softplus

LEAST_STD = 1e-6  # of a feature; one that varies less is taken for constant
JITTER = 1e-9  # of the mean squared length, added to inner products of vectors so that they can be factorised
ROWS = 8192  # vectors that are standardised at a time
PART_VALUES = 2**21  # logits that are worked on at a time: 8 MB, many rows for the products at once
SOME = 512  # vectors at least, that stand for all where only lengths of steps are compared
FEWEST_ROWS = 256  # vectors at a time, which a matrix product needs to be efficient


@dataclass(frozen=True)
class Frame:
    """Standardised vectors, with a last coordinate of 1, by which the bias is one more weight.

    A penalty on the length of the weights has the same solution in any orthonormal coordinates. Where there are fewer
    vectors than features, the vectors are turned to the coordinates of the Cholesky factor of their inner products, of
    which there are only as many as vectors.
    """

    mean: Tensor
    """(D,), float64."""

    std: Tensor
    """(D,), float64."""

    vectors: Tensor
    """(N, K + 1), float32 or bfloat16; K is the smaller of N and D where the vectors may be turned, else D."""

    factor: Tensor | None = None
    """(N, N), float64: the Cholesky factor; None where the vectors were not turned."""

    standardised: Tensor | None = None
    """(N, D), float64: the vectors before they were turned."""

    @staticmethod
    def of(views: Sequence[Tensor], *, may_turn: bool, dtype: torch.dtype = torch.float32) -> "Frame":
        """Standardises the vectors (N, D) of all views together.

        Args:
            views: one or more; they stay as they are.
            may_turn: whether the solution is the same in other orthonormal coordinates.
            dtype: of the vectors, unless they are turned.
        """
        parts = [part for view in views for part in view.split(ROWS)]
        count, features = sum(map(len, views)), views[0].shape[1]
        mean, squares = (torch.zeros(features, dtype=torch.float64) for _ in range(2))
        for part in parts:
            mean += part.sum(dim=0, dtype=torch.float64) / count
        narrow = mean.float()
        mean = narrow.double()  # as it is taken away, to the bit
        for part in parts:
            squares += (part.float() - narrow).square_().sum(dim=0) / count
        std = torch.where(squares.sqrt() > LEAST_STD, squares.sqrt(), 1.0)
        if may_turn and count < features:
            own = torch.cat([(part.double() - mean) / std for part in parts])
            products = own @ own.T
            products.diagonal().add_(JITTER * (products.trace() / count).clamp(min=1.0))  # 0 where all are alike
            factor = cholesky(products)
            return Frame(mean, std, torch.cat([factor, factor.new_ones(count, 1)], dim=1).float(), factor, own)
        vectors = torch.ones(count, features + 1, dtype=dtype)
        for part, place in zip(parts, vectors.split([len(part) for part in parts]), strict=True):
            place[:, :-1] = (part.float() - narrow) / std.float()
        return Frame(mean, std, vectors)

    def outward(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The weight (classes, D) and bias (classes,), float64, of a linear layer for vectors as they were given.

        Args:
            weight: (classes, K + 1) for `vectors`.
        """
        weight, bias = weight.double()[:, :-1], weight.double()[:, -1]
        if self.factor is not None and self.standardised is not None:
            weight = solve_triangular(self.factor, weight, upper=False, left=False) @ self.standardised
        weight = weight / self.std
        return weight, bias - weight @ self.mean


@dataclass(frozen=True)
class Slopes:
    """The loss of each head, and how it changes with the head's logits or weights."""

    loss: Tensor
    """(heads,), float64: mean cross-entropy, without the penalty."""

    weight: Tensor
    """(heads, classes, K + 1): the gradient."""

    curvature: Tensor
    """(heads,): the mean of p (1 - p) over vectors and classes, which scales the second derivative."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Vectors with labels, and heads that each leave other vectors out."""

    vectors: Tensor
    """(N, K + 1), as `Frame` gives them. Their products with weights and slopes are computed in their precision."""

    labels: Tensor
    """(N,) class numbers; or (N, classes) of bool, where an image may have several."""

    weights: Tensor
    """(N, heads): of each vector in the loss of each head; 0 where the head leaves it out."""

    classes: int
    positive: Tensor | None = None
    """(classes,): the weight of a yes against a no of each class, with several labels; 1 unless given."""

    whole: "Problem | None" = None
    """That of more vectors, where some were left out."""

    rest: "Problem | None" = None
    """That of those that were left out."""

    @property
    def heads(self) -> int:
        """How many share the vectors."""
        return self.weights.shape[1]

    @property
    def many_hot(self) -> bool:
        """Whether an image may have several."""
        return self.labels.ndim == 2

    @property
    def total(self) -> Tensor:
        """(heads,), float64: what each head's loss divides by."""
        if self.positive is None or not self.many_hot:
            return self.weights.sum(dim=0, dtype=torch.float64)
        share = self.labels.float() @ (self.positive - 1) / self.classes + 1  # (N,): mean weight of a vector's answers
        return (self.weights * share[:, None]).sum(dim=0, dtype=torch.float64)

    @cached_property
    def moments(self) -> Tensor:
        """(K + 1, K + 1): second moments of the vectors, by the mean of their weights in all heads.

        Where some were left out, they are those of more vectors, which are as good to begin with.
        """
        if self.whole is not None:
            return self.whole.moments
        size = self.vectors.shape[1]
        weights, moments = self.weights.mean(dim=1, keepdim=True), torch.zeros(size, size)
        for start in range(0, len(self.vectors), ROWS):
            vectors = self.vectors[start : start + ROWS].float()
            moments.addmm_(vectors.T, vectors * weights[start : start + ROWS])
        return moments / weights.sum()

    @cached_property
    def class_sums(self) -> Tensor:
        """(heads, classes, K + 1): of the vectors of each class, by their weights in each head; with one label each."""
        sums = torch.zeros(self.heads, self.classes, self.vectors.shape[1])
        for start in range(0, len(self.vectors), ROWS):
            vectors, labels = self.vectors[start : start + ROWS].float(), self.labels[start : start + ROWS]
            for head in range(self.heads):
                sums[head].index_add_(0, labels, vectors * self.weights[start : start + ROWS, head : head + 1])
        return sums

    @cached_property
    def least_squares(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """Of each head, the second moments (K + 1, K + 1) of the vectors and their products (K + 1, classes) with
        targets of -1 and 1; answers of all classes have the same weights.
        """
        size, found = self.vectors.shape[1], []
        for head in range(self.heads):
            moments, products = torch.zeros(size, size), torch.zeros(size, self.classes)
            for start in range(0, len(self.vectors), ROWS):
                vectors, labels = self.vectors[start : start + ROWS].float(), self.labels[start : start + ROWS]
                weighted = vectors * self.weights[start : start + ROWS, head : head + 1]
                moments.addmm_(vectors.T, weighted)
                if self.many_hot:
                    products.addmm_(weighted.T, labels.float())
            if not self.many_hot:
                products = self.class_sums[head].T
            products = 2 * products - moments[:, -1:]  # its last column: the products with 1
            found.append((moments / moments[-1, -1], products / moments[-1, -1]))
        return tuple(found)

    def parts(self) -> Iterator[slice]:
        """Runs of vectors of which the logits are `PART_VALUES` values together."""
        rows = max(FEWEST_ROWS, PART_VALUES // (self.heads * self.classes))
        return (slice(start, start + rows) for start in range(0, len(self.vectors), rows))

    @cached_property
    def some(self) -> "Problem":
        """Every so manieth vector, which stand for all: all of them where they are few."""
        return self.of(slice(None, None, max(1, len(self.vectors) // SOME)))

    def without(self, rows: Tensor) -> "Problem":
        """The problem of the vectors (N,) that are not among such rows alone."""
        rest = self.of(rows)
        return replace(self.of(~rows), whole=self, rest=rest)

    def of(self, rows: Tensor | slice) -> "Problem":
        """The problem of some vectors."""
        return replace(self, vectors=self.vectors[rows], labels=self.labels[rows], weights=self.weights[rows])

    def logits(self, weight: Tensor) -> Tensor:
        """(N, heads, classes), float32, of weights (heads, classes, K + 1)."""
        return times(self.vectors, weight.flatten(0, 1)).view(-1, self.heads, self.classes)

    def slopes(self, weight: Tensor) -> Slopes:
        """One pass over all vectors.

        Args:
            weight: (heads, classes, K + 1).
        """
        flat = weight.flatten(0, 1)  # (heads * classes, K + 1)
        gradient, curvature = torch.zeros_like(flat), torch.zeros(self.heads)
        loss = torch.zeros(self.heads, dtype=torch.float64)
        for part in self.parts():
            vectors = self.vectors[part]
            logits = times(vectors, flat).unflatten(1, (self.heads, self.classes))
            lost, bent = self.differentiate_(logits, part)
            loss += lost
            curvature += bent
            gradient += _pull(logits.flatten(1).to(vectors.dtype), vectors)
        total = self.total
        scaled = gradient.unflatten(0, (self.heads, self.classes)) / total.float()[:, None, None]
        return Slopes(loss / total, scaled, curvature / total.float())

    def with_rest(self, slopes: Slopes, weight: Tensor) -> Slopes:
        """What `slopes` gives of the whole problem, by a pass over the rest alone.

        Args:
            slopes: of this problem.
            weight: (heads, classes, K + 1), at which they are.
        """
        if self.rest is None:
            raise ValueError("`rest`: expected a problem that vectors were left out of; got a whole one.")
        more = self.rest.slopes(weight)
        share = self.total / (self.total + self.rest.total)  # (heads,)
        narrow = share.float()
        return Slopes(
            torch.lerp(more.loss, slopes.loss, share),
            torch.lerp(more.weight, slopes.weight, narrow[:, None, None]),
            torch.lerp(more.curvature, slopes.curvature, narrow),
        )

    @cached_property
    def slopes_at_zero(self) -> Slopes:
        """What `slopes` gives for weights of 0; of one label a vector it takes no product."""
        if self.many_hot:
            return self.slopes(torch.zeros(self.heads, self.classes, self.vectors.shape[1]))
        alike, total = 1 / self.classes, self.total  # the probability of each class
        gradient = alike * self.class_sums.sum(dim=1, keepdim=True) - self.class_sums
        gradient /= total.float()[:, None, None]
        loss = torch.full_like(total, math.log(self.classes))
        return Slopes(loss, gradient, torch.full((self.heads,), alike * (1 - alike)))

    def along(self, logits: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        """(heads,) each, float64: the first and second derivative of each head's loss as logits change.

        Args:
            logits: (N, heads, classes).
            change: of them for each unit of the way, likewise.
        """
        if self.many_hot:
            slope, bend = _along_each(logits, change, self.labels[:, None], self.weights, self.positive)
        else:
            labels = self.labels[:, None, None].expand(-1, self.heads, 1)
            slope, bend = _along(logits, change, labels, self.weights)
        return slope / self.total, bend / self.total

    def differentiate_(self, logits: Tensor, part: slice | Tensor) -> tuple[Tensor, Tensor]:
        """Replaces logits by the derivative of the summed loss by them; gives the loss and the curvature, summed.

        Args:
            logits: (n, heads, classes).
            part: which vectors they are of.
        """
        weights, labels = self.weights[part], self.labels[part]
        if self.many_hot:
            return _differentiate_each_(logits, labels[:, None], weights, self.positive)
        return _differentiate_(logits, labels[:, None, None].expand(-1, self.heads, 1), weights)


def times(vectors: Tensor, weight: Tensor) -> Tensor:
    """(n, outputs), float32: vectors (n, K + 1) times weights (outputs, K + 1), in the precision of the vectors."""
    return (vectors @ weight.to(vectors.dtype).T).float()


def _pull(slopes: Tensor, vectors: Tensor) -> Tensor:
    """(outputs, K + 1): slopes (n, outputs) times vectors (n, K + 1), in the order that is the faster one."""
    if 2 * slopes.shape[1] > vectors.shape[1]:
        return (vectors.T @ slopes).T
    return slopes.T @ vectors


def _differentiate_(logits: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """With one label (n, heads, 1) a vector: cross-entropy of a softmax."""
    logits -= logits.amax(dim=2, keepdim=True)
    own = logits.gather(2, labels)[..., 0]  # (n, heads)
    probabilities = logits.exp_()
    totals = probabilities.sum(dim=2)
    loss = ((totals.log() - own) * weights).sum(dim=0, dtype=torch.float64)
    probabilities /= totals[..., None]
    spread = (1 - probabilities.square().sum(dim=2)) / logits.shape[2]
    probabilities.scatter_add_(2, labels, labels.new_full((), -1).to(logits).expand(labels.shape))
    probabilities *= weights[..., None]
    return loss, (spread * weights).sum(dim=0)


def _along(logits: Tensor, change: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """With one label (n, heads, 1) a vector: mean and variance of the change by the probabilities."""
    probabilities = logits.softmax(dim=2)
    probabilities *= change
    mean = probabilities.sum(dim=2)
    variance = (probabilities * change).sum(dim=2) - mean.square()
    slope = ((mean - change.gather(2, labels)[..., 0]) * weights).sum(dim=0, dtype=torch.float64)
    return slope, (variance * weights).sum(dim=0, dtype=torch.float64)


def _along_each(
    logits: Tensor, change: Tensor, truth: Tensor, weights: Tensor, positive: Tensor | None
) -> tuple[Tensor, Tensor]:
    """With a yes or no (n, 1, classes) for each class."""
    answers = weights[..., None] if positive is None else weights[..., None] * torch.where(truth, positive, 1.0)
    probabilities, weighted = logits.sigmoid(), answers * change
    slope = ((probabilities - truth.float()) * weighted).sum(dim=(0, 2), dtype=torch.float64)
    return slope, (probabilities * (1 - probabilities) * weighted * change).sum(dim=(0, 2), dtype=torch.float64)


def _differentiate_each_(
    logits: Tensor, truth: Tensor, weights: Tensor, positive: Tensor | None
) -> tuple[Tensor, Tensor]:
    """With a yes or no (n, 1, classes) for each class: binary cross-entropy, summed over the classes."""
    answers = weights[..., None] if positive is None else weights[..., None] * torch.where(truth, positive, 1.0)
    loss = ((softplus(logits) - logits * truth) * answers).sum(dim=(0, 2), dtype=torch.float64)
    probabilities = logits.sigmoid_()
    spread = (probabilities * (1 - probabilities) * answers).mean(dim=2)
    probabilities -= truth.float()
    probabilities *= answers
    return loss, spread.sum(dim=0)
