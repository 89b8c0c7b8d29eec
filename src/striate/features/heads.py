"""Heads on features: fitted, regularised by what they say of held-out images, calibrated on the same.

Vectors are standardised. Mean and deviation are those of all images; they know nothing of labels. They are folded into
the first layer of the head that is handed back, as is the temperature into its last.

Penalties are tried from the strongest to the weakest, each from the solution of the one before, until the loss on
held-out images no longer falls, once it has begun to. Few images are held out in five parts, so that each is answered
once by a head that has not seen it; of many, one part is held out. Of many classes, the penalty is searched for among
a part of them. The page docs/decisions/heads.md has what each way costs and gives.
"""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.augment import Stream, generator
from striate.console import Advance
from striate.device import Precision
from striate.errors import DataError
from striate.features.heads_linear import LinearHeads, ridge, softmax
from striate.features.heads_problem import ROWS, Frame, Problem
from striate.features.heads_trained import HIDDEN, cosine, mlp
from striate.layers.cosine import Cosine
from striate.tasks.temperature import fit_temperature

__all__ = ["Fitted", "Kind", "dealt", "fit"]

Kind = Literal["softmax", "ridge", "mlp", "cosine"]

FOLDS = 5
FOLDED_WORK = 5e7  # products of a pass over the vectors, up to which each part is held out in turn
MOST_HELD_OUT = 10_000  # images, where one part is held out: for an interval of 0.01 to either side at worst
WORTH_LEAVING = 0.1  # of the vectors: so many that are left out are worth a copy of the others
MANY_CLASSES = 400  # from which on the penalty is searched for among a part of them
CLASSES_SHARE = 4  # one of so many classes is among them
STRONGER = 10.1  # times, than the strongest good penalty among some classes: the first that is tried among all
LEAST_HELD_OUT = 250  # images among them, that the penalty is chosen by
TRAINED_WORK = 50  # times that of a linear head, which a head takes that is trained step by step
THREADED_WORK = 1e8  # products of a pass over the vectors, below which several threads wait for each other


class Heads(Protocol):
    """Heads that share a problem."""

    def logits(self, vectors: Tensor) -> Tensor:
        """(n, heads, classes) of vectors (n, K + 1)."""
        ...

    def merged(self) -> "Heads | None":
        """What the head of all vectors can begin with; None for nothing."""
        ...


Solver = Callable[[Problem, float, Any, float], Heads]
"""Fits heads with a penalty of some strength, from heads of a stronger one, to within a tolerance."""


@dataclass(frozen=True)
class Effort:
    """How exactly the strength of the penalty is searched for."""

    gain: float
    """Share of the held-out loss: a penalty that lowers it by less is no better than the one before."""

    patience: int
    """Penalties in a row that are no better, after which no weaker one is tried."""

    tolerance: float
    """Share of the objective to which the heads are fitted that are compared."""

    last: float
    """Of the tolerance: to which the head is fitted that is handed back."""

    window: slice
    """Which of the penalties of logistic regression are tried."""

    @staticmethod
    def of(work: float) -> "Effort":
        """The effort for so many products a pass over the vectors: the more, the less of it."""
        if work > FOLDED_WORK:
            return Effort(gain=1e-2, patience=1, tolerance=1e-2, last=0.3, window=slice(2, 13))
        return Effort(gain=1e-3, patience=2, tolerance=max(work / 1e10, 1e-4), last=0.1, window=slice(10))


SOLVERS: dict[Kind, tuple[Solver, tuple[float, ...]]] = {  # and the strengths that are tried, the strongest first
    "softmax": (softmax, tuple(10 ** (1 - i / 2) for i in range(13))),
    "ridge": (ridge, tuple(10 ** (3 - i / 2) for i in range(13))),
    "mlp": (mlp, (10.0, 1.0, 0.1)),
    "cosine": (cosine, (10.0, 1.0, 0.1)),
}


@dataclass(frozen=True)
class Fitted:
    """A head with what held-out images say of it."""

    head: nn.Module
    """Vectors (N, D) -> calibrated logits (N, classes); an `nn.Linear` of the kinds softmax and ridge."""

    strength: float
    """Of the penalty, as chosen."""

    temperature: float
    """By which logits were divided."""

    losses: dict[float, float]
    """Calibrated cross-entropy of the held-out images, by the strengths that were tried."""

    out_of_fold: Tensor
    """Calibrated logits (H, classes) of the held-out images, each by a head that had not seen it."""

    held_out: Tensor
    """(H,): which images these are, in order; all of them where each part was held out in turn."""


def fit(
    views: Sequence[Tensor],
    labels: Tensor,
    classes: int,
    *,
    kind: Kind = "softmax",
    hidden: int = HIDDEN,
    weight: Tensor | None = None,
    image_weight: Tensor | None = None,
    smoothing: float | None = None,
    folds: int | None = None,
    strengths: Sequence[float] | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    precision: Precision = "float32",
    advance: Advance = lambda count, note: None,
) -> Fitted:
    """Fits a head on all images, with the strength that does best on those held out.

    Args:
        views: (N, D) each: vectors of the images as evaluation sees them, then of further views, which are learnt
            from and never held out.
        labels: (N,) class numbers; or (N, classes) of 0 and 1, where an image may have several.
        classes: how many.
        kind: of the head.
        hidden: units of the perceptron, where that is the kind.
        weight: (classes,) of each class in the loss; with several labels, of a yes against a no. See
            `Classify.balanced_weight`.
        image_weight: (N,) of each image in the loss; all alike unless given.
        smoothing: of the labels in the loss of a training that goes on from this head: its temperature is the best for
            that loss; unless given, the best for probabilities.
        folds: parts, of which each is held out once; 1 for one part that is held out alone. Unless given, five, or
            where there is much to compute one.
        strengths: of the penalty, that are tried, the strongest first; those of the kind unless given.
        tolerance: share of the objective to which the heads are fitted that are compared; unless given, the larger the
            more there is to compute.
        seed: of the parts.
        precision: of the machine's fast products. Those of logistic regression are computed in it where there is much
            to compute, the rest in float32.
        advance: is told of each penalty that is done; there are at most as many as in `SOLVERS`, and one more.

    Raises:
        DataError: there are fewer than two images.
    """
    images = len(labels)
    if images < 2:
        raise DataError(f"train: expected at least two images to fit a head to; got {images}.")
    work = float(len(views) * images * min(len(views) * images, views[0].shape[1]) * classes)
    answered_by = _answered_by(labels, folds, work * TRAINED_WORK if kind in ("mlp", "cosine") else work, seed)
    effort = Effort.of(work)
    effort = effort if tolerance is None else replace(effort, tolerance=tolerance)
    solve, usual = _solver(kind, hidden, effort)
    with _threads(work):
        rounded = precision == "bfloat16" and kind == "softmax" and work > FOLDED_WORK
        dtype = torch.bfloat16 if rounded else torch.float32
        frame = Frame.of(views, may_turn=kind in ("softmax", "ridge"), dtype=dtype)
        whole = _problem(frame, labels, classes, weight, image_weight)
        tried, strongest = strengths or usual, None
        if kind == "softmax" and work > FOLDED_WORK and classes >= MANY_CLASSES and not whole.many_hot:
            strongest = _strongest_by_some(whole, answered_by, solve, tried, effort, seed, advance)
            tried = [each for each in tried if strongest is None or each <= strongest]
        best, losses = _search(whole, answered_by, solve, tried, effort, advance, falls=strongest is not None)
        temperature = best.temperature
        if smoothing is not None:
            temperature = fit_temperature(best.logits, whole.labels[best.rows], smoothing)
        heads = solve(whole, best.strength, best.heads.merged(), effort.last * effort.tolerance)
        head = _outward(frame, heads, temperature)
    advance(len(SOLVERS[kind][1]) + 1 - len(losses), "")
    return Fitted(head, best.strength, temperature, losses, best.logits / temperature, best.rows)


def _solver(kind: Kind, hidden: int, effort: Effort) -> tuple[Solver, tuple[float, ...]]:
    """What fits heads of a kind, and the strengths that are tried."""
    solve, strengths = SOLVERS[kind]
    if kind == "mlp":
        solve = functools.partial(mlp, hidden=hidden)
    return solve, strengths[effort.window] if kind == "softmax" else strengths


@contextmanager
def _threads(work: float) -> Iterator[None]:
    """Computes on one thread where the steps are so small that several threads would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if work < THREADED_WORK else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _answered_by(labels: Tensor, folds: int | None, work: float, seed: int) -> Tensor:
    """(images,) by which of several heads each image is answered, that leaves it out; -1 where it is by none."""
    images = len(labels)
    if folds is None:
        folds = FOLDS if work <= FOLDED_WORK else 1
    if folds > 1:
        return torch.from_numpy(dealt(labels, min(folds, images), seed))
    part = dealt(labels, min(images, max(FOLDS, math.ceil(images / MOST_HELD_OUT))), seed)
    return torch.from_numpy(np.where(part == 0, 0, -1))


def _problem(frame: Frame, labels: Tensor, classes: int, weight: Tensor | None, image_weight: Tensor | None) -> Problem:
    """That of one head, which leaves nothing out."""
    weights = torch.ones(len(labels)) if image_weight is None else image_weight.float()
    positive = None
    if labels.ndim == 2:
        labels, positive = labels.bool(), weight
    elif weight is not None:
        weights = weights * weight.float()[labels]
    views = len(frame.vectors) // len(labels)
    return Problem(
        frame.vectors, labels.repeat(views, *[1] * (labels.ndim - 1)), weights.repeat(views)[:, None], classes, positive
    )


@dataclass(frozen=True)
class _Tried:
    """Heads with a penalty of some strength, and what they answer to the images that each of them leaves out."""

    strength: float
    heads: Heads
    rows: Tensor
    """(H,): the held-out images."""

    logits: Tensor
    """(H, classes), not yet calibrated."""

    temperature: float
    loss: float
    """Calibrated cross-entropy."""


def _search(
    whole: Problem,
    answered_by: Tensor,
    solve: Solver,
    strengths: Sequence[float],
    effort: Effort,
    advance: Advance,
    *,
    falls: bool = False,
) -> tuple[_Tried, dict[float, float]]:
    """The best strength of the penalty, and the loss of each that was tried.

    `falls` says that the loss is known to fall up to the first of them.
    """
    views = len(whole.vectors) // len(answered_by)
    left_out = answered_by.repeat(views)[:, None] == torch.arange(int(answered_by.max()) + 1)  # (N, heads)
    if left_out.shape[1] == 1 and left_out.float().mean() > WORTH_LEAVING:
        problem = whole.without(left_out[:, 0])
    else:
        problem = replace(whole, weights=whole.weights.masked_fill(left_out, 0.0))
    heads: Heads | None = None
    best: _Tried | None = None
    losses: dict[float, float] = {}
    no_better = 0
    for strength in strengths:
        heads = solve(problem, strength, heads, effort.tolerance)
        tried = _tried(whole, answered_by, strength, heads)
        losses[strength] = tried.loss
        no_better = 0 if best is None or tried.loss < best.loss * (1 - effort.gain) else no_better + 1
        if best is None or tried.loss < best.loss:
            best = tried
        advance(1, f"penalty {strength:.2g}: held-out loss {tried.loss:.4f}")
        if no_better >= effort.patience and (falls or not _flat(losses, effort.gain)):
            break
    if best is None:
        raise ValueError("`strengths`: expected one or more; got none.")
    return best, losses


def _flat(losses: Mapping[float, float], gain: float) -> bool:
    """Whether no penalty made much of a difference so far: of many classes, the strongest leave nothing to tell."""
    first, *_ = losses.values()
    return max(losses.values()) <= first * (1 + gain) and min(losses.values()) >= first * (1 - gain)


def _strongest_by_some(
    whole: Problem,
    answered_by: Tensor,
    solve: Solver,
    strengths: Sequence[float],
    effort: Effort,
    seed: int,
    advance: Advance,
) -> float | None:
    """The strongest penalty that is worth a try, by the vectors of some classes alone; none where they are too few.

    The vectors of a class pull at its weights in the summed loss, however many other classes there are. So the penalty
    is kept relative to the sum; relative to the mean it grows as there are fewer vectors. Among fewer classes there is
    less to mistake, and a weaker penalty does best than among all: these begin with one that is stronger.
    """
    some = torch.from_numpy(generator(seed, Stream.SPLIT).permutation(whole.classes)[: whole.classes // CLASSES_SHARE])
    number = torch.full((whole.classes,), -1)
    number[some] = torch.arange(len(some))
    labels = number[whole.labels]
    own = labels >= 0
    of_some = answered_by[own[: len(answered_by)]]
    if (of_some >= 0).sum() < LEAST_HELD_OUT:
        return None
    part = Problem(whole.vectors[own], labels[own], whole.weights[own], len(some))
    fewer = float(whole.total / part.total)

    def say(_count: int, note: str) -> None:
        advance(0, f"{len(some)} of {whole.classes} classes: {note}")

    _, losses = _search(part, of_some, solve, [fewer * each for each in strengths], effort, say)
    near = min(losses.values()) * (1 + effort.gain)
    return STRONGER * max(strength for strength, loss in losses.items() if loss <= near) / fewer


def _tried(whole: Problem, answered_by: Tensor, strength: float, heads: Heads) -> _Tried:
    """Heads with their answers to the first view of the images that each of them leaves out."""
    rows = (answered_by >= 0).nonzero()[:, 0]
    logits = torch.empty(len(rows), whole.classes)
    for part, place in zip(rows.split(ROWS), logits.split(ROWS), strict=True):
        each = answered_by[part][:, None, None].expand(-1, 1, whole.classes)
        place.copy_(heads.logits(whole.vectors[part]).gather(1, each)[:, 0])
    shown = replace(whole, labels=whole.labels[rows], weights=whole.weights[rows])
    temperature = fit_temperature(logits, shown.labels)
    summed, _ = shown.differentiate_(logits[:, None] / temperature, slice(None))
    return _Tried(strength, heads, rows, logits, temperature, float(summed / shown.total))


def dealt(labels: Tensor, folds: int, seed: int) -> NDArray[np.int64]:
    """(N,) the part of each image: each class is dealt out evenly, in an order drawn from the seed.

    Images with several labels are dealt by the first of them. A class of fewer images than parts is not in all.
    """
    groups = (labels.argmax(dim=1) if labels.ndim == 2 else labels).numpy()
    rng = generator(seed, Stream.SPLIT)
    order = rng.permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    part = np.empty(len(groups), np.int64)
    part[order] = np.arange(len(groups)) % folds
    return part


def _outward(frame: Frame, heads: Heads, temperature: float) -> nn.Module:
    """The one head, of vectors as they are, with logits divided by a temperature; float32, without gradients."""
    if isinstance(heads, LinearHeads):
        [weight] = heads.weight
        weight, bias = frame.outward(weight)
        return _layer(weight / temperature, bias / temperature)
    [head] = heads.modules  # type: ignore[attr-defined]
    if isinstance(head, Cosine):
        head.scale.div_(temperature)
        head.mean, head.std = frame.mean.float(), frame.std.float()
        return head
    first, between, last = head.children()
    own = torch.cat([first.weight, first.bias[:, None]], dim=1)
    return nn.Sequential(
        _layer(*frame.outward(own)), between, _layer(last.weight / temperature, last.bias / temperature)
    )


def _layer(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A linear layer of these values, float32, without gradients."""
    layer = nn.Linear(weight.shape[1], weight.shape[0]).requires_grad_(False)
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return layer
