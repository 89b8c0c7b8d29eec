"""Heads on features: fitted, regularised by cross-validation, calibrated on pictures that they had not seen.

Vectors are standardised. For the linear heads they are then turned into the coordinates of their principal axes: with
a penalty on the length of the weights the solution is the same there, and of 400 pictures with 1,024 features there are
400 axes. Both are linear, and are folded into the first layer of the head that is handed back, as is the temperature
into its last. Mean, deviation and axes are those of all pictures; they know nothing of labels.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn.functional import log_softmax, logsigmoid, normalize

from striate.augment import Stream, generator
from striate.errors import DataError
from striate.layers.cosine import Cosine
from striate.tasks.temperature import fit_temperature

Kind = Literal["softmax", "ridge", "mlp", "cosine"]
LEAST_STD = 1e-6  # of a feature, below which it is taken for constant
LEAST_AXIS = 1e-6  # of a principal axis, relative to the longest: what is shorter is rounding
HIDDEN = 128  # units of the small perceptron
STEPS = 150  # of AdamW, on all pictures at once
LR = 3e-3


@dataclass(frozen=True)
class Problem:
    """What a head is fitted to, float64."""

    vectors: Tensor
    """(N, D)."""

    targets: Tensor
    """(N, classes), 0 or 1."""

    weights: Tensor
    """(N, classes): of each answer in the loss; with one label a picture, alike along a row."""

    several_labels: bool

    def of(self, which: NDArray[np.bool_]) -> "Problem":
        """Some of its rows."""
        kept = torch.from_numpy(which)
        return Problem(self.vectors[kept], self.targets[kept], self.weights[kept], self.several_labels)

    def loss(self, logits: Tensor) -> Tensor:
        """Weighted mean cross-entropy; with several labels, of a yes or no for each class, summed over them."""
        if self.several_labels:
            each = self.targets * logsigmoid(logits) + (1 - self.targets) * logsigmoid(-logits)
        else:
            each = self.targets * log_softmax(logits, dim=1)
        return -(self.weights * each).sum() / self.total

    @property
    def total(self) -> Tensor:
        """What the weights of all pictures add up to."""
        return self.weights.mean(dim=1).sum()


Solver = Callable[[Problem, float, nn.Module | None], nn.Module]
"""Fits a head with a penalty of some strength, starting from one fitted with a stronger penalty."""


def softmax(problem: Problem, strength: float, start: nn.Module | None) -> nn.Linear:
    """The linear head of least loss + strength / 2 * |weight|^2, by L-BFGS. The bias is free."""
    x, targets, weights = problem.vectors, problem.targets, problem.weights / problem.total
    shape = (targets.shape[1], x.shape[1] + 1)
    first = torch.zeros(shape, dtype=x.dtype) if start is None else _both(start)

    def value(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        both = torch.from_numpy(flat).view(shape)
        logits = x @ both[:, :-1].T + both[:, -1]
        share = logits.sigmoid() if problem.several_labels else logits.softmax(dim=1)
        slope = weights * (share - targets)
        gradient = torch.cat([slope.T @ x + strength * both[:, :-1], slope.sum(dim=0)[:, None]], dim=1)
        total = problem.loss(logits) + strength / 2 * both[:, :-1].square().sum()
        return float(total), gradient.flatten().numpy()

    options = {"maxiter": 200, "ftol": 1e-8}
    found = minimize(value, first.flatten().numpy(), jac=True, method="L-BFGS-B", options=options)
    return _linear(torch.from_numpy(found.x).view(shape))


def _both(head: nn.Module) -> Tensor:
    """(classes, D + 1): the weight of a linear layer, and in the last column its bias."""
    weight, bias = head.parameters()
    return torch.cat([weight, bias[:, None]], dim=1)


def _linear(both: Tensor) -> nn.Linear:
    """The layer that `_both` would take apart so."""
    head = nn.Linear(both.shape[1] - 1, both.shape[0], dtype=torch.float64).requires_grad_(False)
    head.weight.copy_(both[:, :-1])
    head.bias.copy_(both[:, -1])
    return head


def ridge(problem: Problem, strength: float, start: nn.Module | None) -> nn.Linear:
    """The linear head of least squares + strength * |weight|^2, in closed form, to targets of -1 and 1."""
    x, targets = problem.vectors, 2 * problem.targets - 1
    weights = problem.weights / problem.total
    each = []
    for number in range(targets.shape[1] if problem.several_labels else 1):  # else all classes have the same weights
        w = weights[:, number : number + 1]
        y = targets[:, number : number + 1] if problem.several_labels else targets
        x_mean, y_mean = (w * x).sum(dim=0) / w.sum(), (w * y).sum(dim=0) / w.sum()
        centred = x - x_mean
        gram = centred.T @ (w * centred) + strength * torch.eye(x.shape[1], dtype=x.dtype)
        weight = torch.linalg.solve(gram, centred.T @ (w * (y - y_mean))).T  # (classes, D)
        each.append(torch.cat([weight, (y_mean - weight @ x_mean)[:, None]], dim=1))
    return _linear(torch.cat(each))


def cosine(problem: Problem, strength: float, start: nn.Module | None) -> nn.Module:
    """The cosine head, from the classes' mean directions, by AdamW."""
    head = Cosine(problem.vectors.shape[1], problem.targets.shape[1]).double()
    with torch.no_grad():
        head.weight.copy_(normalize((problem.weights * problem.targets).T @ normalize(problem.vectors)))
    return _trained(head, problem, strength)


def mlp(problem: Problem, strength: float, start: nn.Module | None, hidden: int = HIDDEN) -> nn.Module:
    """A perceptron of one hidden layer, by AdamW."""
    features, classes = problem.vectors.shape[1], problem.targets.shape[1]
    with torch.random.fork_rng():
        torch.manual_seed(0)  # the same initial values for each strength and fold
        head = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, classes)).double()
    return _trained(head, problem, strength)


def _trained(head: nn.Module, problem: Problem, strength: float) -> nn.Module:
    optimizer = torch.optim.AdamW(head.parameters(), lr=LR, weight_decay=strength)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        problem.loss(head(problem.vectors)).backward()
        optimizer.step()
        schedule.step()
    return head.requires_grad_(False)


SOLVERS: dict[Kind, tuple[Solver, tuple[float, ...]]] = {  # and the strengths that are tried, the strongest first
    "softmax": (softmax, tuple(10 ** (1 - i / 2) for i in range(10))),
    "ridge": (ridge, tuple(10 ** (3 - i / 2) for i in range(10))),
    "mlp": (mlp, (10.0, 1.0, 0.1)),
    "cosine": (cosine, (10.0, 1.0, 0.1)),
}


@dataclass(frozen=True)
class Fitted:
    """A head with what cross-validation says of it."""

    head: nn.Module
    """Vectors (N, D) -> calibrated logits (N, classes); an `nn.Linear` of the kinds softmax and ridge."""

    strength: float
    """Of the penalty, as chosen."""

    temperature: float
    """By which logits were divided."""

    losses: dict[float, float]
    """Calibrated cross-entropy of the pictures held out, by strength."""

    out_of_fold: Tensor
    """(N, classes): calibrated logits of each picture, by a head that had not seen it."""


def fit(
    views: Sequence[Tensor],
    labels: Tensor,
    classes: int,
    *,
    kind: Kind = "softmax",
    hidden: int = HIDDEN,
    weight: Tensor | None = None,
    picture_weight: Tensor | None = None,
    smoothing: float | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Fitted:
    """Fits a head on all pictures, with the strength that does best on those held out.

    Args:
        views: (N, D) each: vectors of the pictures as evaluation sees them, then of further views, which are learnt
            from and never held out.
        labels: (N,) class numbers; or (N, classes) of 0 and 1, where a picture may have several.
        classes: how many.
        kind: of the head.
        hidden: units of the perceptron, where that is the kind.
        weight: (classes,) of each class in the loss; with several labels, of a yes against a no. See
            `Classify.balanced_weight`.
        picture_weight: (N,) of each picture in the loss; all alike unless given.
        smoothing: of the labels in the loss of a training that goes on from this head: its temperature is the best for
            that loss; unless given, the best for probabilities.
        folds: parts, of which each is held out once; fewer, where there are fewer pictures.
        seed: of the parts.

    Raises:
        DataError: there are fewer than two pictures.
    """
    pictures = len(labels)
    if pictures < 2:
        raise DataError(f"train: expected at least two pictures to fit a head to; got {pictures}.")
    with threadpool_limits(1):  # of steps this small, several threads make several times the work
        frame = _Frame.of(torch.cat(list(views)).double(), turned=kind in ("softmax", "ridge"))
        problem = _problem(frame, views, labels, classes, weight, picture_weight)
        return _fit(frame, problem, labels, kind, hidden, smoothing, folds, seed)


def _fit(
    frame: "_Frame",
    problem: Problem,
    labels: Tensor,
    kind: Kind,
    hidden: int,
    smoothing: float | None,
    folds: int,
    seed: int,
) -> Fitted:
    pictures, classes = len(labels), problem.targets.shape[1]
    part = np.tile(dealt(labels, min(folds, pictures), seed), len(problem.vectors) // pictures)
    solve, strengths = SOLVERS[kind]
    if kind == "mlp":
        solve = functools.partial(mlp, hidden=hidden)
    held_out = {strength: torch.zeros(pictures, classes, dtype=torch.float64) for strength in strengths}
    for number in np.unique(part):
        asked = torch.from_numpy(part[:pictures] == number)
        for strength, head in _path(solve, problem.of(part != number), strengths):
            held_out[strength][asked] = head(problem.vectors[:pictures][asked])
    shown = problem.of(np.arange(len(part)) < pictures)
    temperatures = {strength: fit_temperature(logits, labels) for strength, logits in held_out.items()}
    losses = {s: float(shown.loss(logits / temperatures[s])) for s, logits in held_out.items()}
    best = min(losses, key=lambda strength: losses[strength])
    stronger = strengths[: strengths.index(best) + 1]
    *_, (_, head) = _path(solve, problem, stronger)
    temperature = temperatures[best] if smoothing is None else fit_temperature(held_out[best], labels, smoothing)
    return Fitted(frame.outward(head, temperature), best, temperature, losses, (held_out[best] / temperature).float())


def _path(solve: Solver, problem: Problem, strengths: Sequence[float]) -> Iterator[tuple[float, nn.Module]]:
    """A head of each strength, each starting from the one before."""
    head: nn.Module | None = None
    for strength in strengths:
        head = solve(problem, strength, head)
        yield strength, head


def _problem(
    frame: "_Frame",
    views: Sequence[Tensor],
    labels: Tensor,
    classes: int,
    weight: Tensor | None,
    picture_weight: Tensor | None,
) -> Problem:
    several = labels.ndim == 2
    targets = labels.double() if several else nn.functional.one_hot(labels, classes).double()
    weights = torch.ones_like(targets)
    if weight is not None and several:
        weights = torch.where(targets > 0, weight.double(), 1.0)
    elif weight is not None:
        weights = (targets @ weight.double())[:, None].expand_as(targets)
    if picture_weight is not None:
        weights = weights * picture_weight.double()[:, None]
    vectors = torch.cat([frame.inward(view) for view in views])
    return Problem(vectors, targets.repeat(len(views), 1), weights.repeat(len(views), 1), several)


def dealt(labels: Tensor, folds: int, seed: int) -> NDArray[np.int64]:
    """(N,) the part of each picture: each class is dealt out evenly, in an order drawn from the seed.

    Pictures with several labels are dealt by the first of them. A class of fewer pictures than parts is not in all.
    """
    groups = (labels.argmax(dim=1) if labels.ndim == 2 else labels).numpy()
    rng = generator(seed, Stream.SPLIT)
    order = rng.permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    part = np.empty(len(groups), np.int64)
    part[order] = np.arange(len(groups)) % folds
    return part


@dataclass(frozen=True)
class _Frame:
    """Standardised vectors along their principal axes."""

    mean: Tensor
    """(D,)."""

    std: Tensor
    """(D,)."""

    axes: Tensor
    """(axes, D), of length 1 each."""

    @staticmethod
    def of(vectors: Tensor, *, turned: bool) -> "_Frame":
        """Of vectors (N, D); along their own axes unless `turned`."""
        mean = vectors.mean(dim=0)
        std = vectors.std(dim=0, correction=0)
        std = torch.where(std > LEAST_STD, std, 1.0)
        centred = (vectors - mean) / std
        if not turned or centred.shape[0] > centred.shape[1]:  # with as many axes as features, nothing is gained
            return _Frame(mean, std, torch.eye(centred.shape[1], dtype=torch.float64))
        squares, ways = torch.linalg.eigh(centred @ centred.T)
        kept = squares > LEAST_AXIS**2 * squares.max().clamp(min=1.0)
        axes = (ways[:, kept] / squares[kept].sqrt()).T @ centred
        return _Frame(mean, std, axes)

    def inward(self, vectors: Tensor) -> Tensor:
        """(N, axes) of vectors (N, D)."""
        return (vectors.double() - self.mean) / self.std @ self.axes.T

    def outward(self, head: nn.Module, temperature: float) -> nn.Module:
        """A head, float32, of vectors as they are, with logits divided by a temperature."""
        turn = _linear(torch.cat([self.axes / self.std, -(self.axes / self.std) @ self.mean[:, None]], dim=1))
        if isinstance(head, nn.Linear):
            return _after(_scaled(head, temperature), turn).float()
        if isinstance(head, Cosine):
            head.scale.div_(temperature)
            head.mean, head.std = self.mean, self.std
            return head.float()
        first, between, last = head.children()
        return nn.Sequential(_after(first, turn), between, _scaled(last, temperature)).float()


def _scaled(layer: nn.Module, temperature: float) -> nn.Linear:
    """A linear layer, its outputs divided by a temperature."""
    return _linear(_both(layer) / temperature)


def _after(layer: nn.Module, turn: nn.Linear) -> nn.Linear:
    """One linear layer that does what `turn` and then `layer` do."""
    weight, bias = layer.parameters()
    return _linear(torch.cat([weight @ turn.weight, (weight @ turn.bias + bias)[:, None]], dim=1))
