"""Linear heads: logistic regression by L-BFGS, and least squares in closed form."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.linalg import cholesky

from striate.features.heads_problem import Problem, Slopes, times

MEMORY = 8  # pairs of steps and changes of the gradient that L-BFGS goes by
MOST_STEPS = 200
MOST_HALVINGS = 10
MOST_TRIALS = 10  # of the length of a step, by some of the vectors
NEAR = 0.1  # of the length: as exact as it need be
LONGER = 4.0  # times, that a trial is than the one before at most
SUFFICIENT = 1e-4  # of the decrease that the slope promises: what a step must give (Nocedal, Wright 2006, sec. 3.1)
NOISE = 1e-7  # of the loss, which float32 does not tell apart


@dataclass(frozen=True)
class LinearHeads:
    """Heads of one layer each."""

    weight: Tensor
    """(heads, classes, K + 1)."""

    slopes: Slopes | None = None
    """Of a problem, at these weights; None where they are not known."""

    problem: Problem | None = None
    """That the slopes are of."""

    def logits(self, vectors: Tensor) -> Tensor:
        """(n, heads, classes) of vectors (n, K + 1)."""
        heads, classes, size = self.weight.shape
        return times(vectors, self.weight.view(-1, size)).view(-1, heads, classes)

    def merged(self) -> "LinearHeads":
        """Their mean, as one head, which is close to the head of all that they were fitted to."""
        return self if len(self.weight) == 1 else LinearHeads(self.weight.mean(dim=0, keepdim=True))


def softmax(problem: Problem, strength: float, start: LinearHeads | None, tolerance: float) -> LinearHeads:
    """The heads of least loss + strength / 2 * |weight|^2; the bias is free.

    L-BFGS, with the inverse of curvature * (vectors' second moments) + strength in the place of its first guess at the
    inverse Hessian. With it a head takes some five passes over the vectors where it would take fifty.

    Source: Nocedal, Wright 2006, "Numerical optimization", algorithms 7.4 and 3.1; the bound on the Hessian that the
    guess is made of is that of Boehning 1992, "Multinomial logistic regression algorithm".

    Args:
        problem: what they are fitted to.
        strength: of the penalty.
        start: what to begin with; 0 unless given.
        tolerance: share of the objective that the next step may still promise.
    """
    penalty = strength * _penalised(problem)
    at = _begun(problem, start, penalty)
    guess = _Guess(problem, float(at.slopes.curvature.mean()), penalty)
    turned = guess.times(at.gradient)
    pairs: list[_Pair] = []
    for _ in range(MOST_STEPS):
        step = _direction(at.gradient, turned, pairs)
        promised = -_inner(at.gradient, step)  # (heads,)
        open_ = (promised / 2 > tolerance * at.value) & (at.value > NOISE)  # of one class alone, it falls for ever
        if not open_.any():
            break
        before, at = at, _stepped(problem, at, step, promised, open_, penalty)
        before_turned, turned = turned, guess.times(at.gradient)
        pair = _Pair.of(at.weight - before.weight, at.gradient - before.gradient, turned - before_turned)
        pairs = [*pairs, pair][-MEMORY:]
    return LinearHeads(at.weight, at.slopes, problem)


@dataclass(frozen=True)
class _Point:
    """Weights, and what a pass over the vectors says of them."""

    weight: Tensor
    slopes: Slopes
    value: Tensor
    """(heads,): the objective."""

    gradient: Tensor
    """Of the objective, in the weights' shape."""

    @staticmethod
    def of(weight: Tensor, slopes: Slopes, penalty: Tensor) -> "_Point":
        """The point with a penalty (K + 1,) of each weight's square."""
        lengths = (penalty * weight.square()).sum(dim=(1, 2), dtype=torch.float64)
        return _Point(weight, slopes, slopes.loss + lengths / 2, slopes.weight + penalty * weight)


def _begun(problem: Problem, start: LinearHeads | None, penalty: Tensor) -> _Point:
    """Where to begin; vectors whose slopes there are known take no pass."""
    shape = (problem.heads, problem.classes, problem.vectors.shape[1])
    if start is None:
        return _Point.of(torch.zeros(shape), problem.slopes_at_zero, penalty)
    weight, known = start.weight.expand(shape), start.problem
    if start.slopes is None or known is None or problem not in (known, known.whole):
        slopes = problem.slopes(weight)
    else:
        slopes = start.slopes if known is problem else known.with_rest(start.slopes, weight)
    return _Point.of(weight, slopes, penalty)


def _stepped(problem: Problem, at: _Point, step: Tensor, promised: Tensor, open_: Tensor, penalty: Tensor) -> _Point:
    """Where a step of each head ends; it stays where it is not open."""
    length = torch.where(open_, _length(problem.some, at.weight, step, promised, penalty), 0.0)
    for _ in range(MOST_HALVINGS):
        weight = at.weight + _each(length) * step
        moved = _Point.of(weight, problem.slopes(weight), penalty)
        too_far = moved.value > at.value - SUFFICIENT * length * promised + NOISE * at.value.abs()
        if not too_far.any():
            break
        best = promised * length**2 / (2 * (moved.value - at.value + length * promised))  # of the parabola through all
        length = torch.where(too_far, torch.clamp(best, min=0.1 * length, max=0.5 * length), length)
    return moved


def _length(some: Problem, weight: Tensor, step: Tensor, promised: Tensor, penalty: Tensor) -> Tensor:
    """(heads,), float64: how long a step is to be, by Newton's method between bounds.

    How the objective falls at first is known, from all vectors. How that changes on the way is asked of some of them:
    a trial costs no product, and a step of the right length spares passes over all vectors.
    """
    logits, change = some.logits(weight), some.logits(step)
    at_first, _ = some.along(logits, change)
    bent = _inner(penalty * step, step)
    length = torch.ones_like(promised)
    short, long = torch.zeros_like(length), torch.full_like(length, torch.inf)
    for _ in range(MOST_TRIALS):
        sloped, curved = some.along(logits + length.float()[:, None] * change, change)
        slope, bend = sloped - at_first - promised + length * bent, (curved + bent).clamp(min=1e-30)
        short, long = torch.where(slope < 0, length, short), torch.where(slope < 0, long, length)
        tried, length = length, torch.minimum(length - slope / bend, LONGER * length)
        length = torch.where((length > short) & (length < long), length, short + 0.3 * (long - short))
        if ((length - tried).abs() <= NEAR * tried).all():
            break
    return length


class _Guess:
    """A guess at the inverse of the Hessian, which is the same for every class and head."""

    def __init__(self, problem: Problem, curvature: float, penalty: Tensor) -> None:
        classes = problem.classes
        of_differences = classes / (classes - 1) if classes > 1 and not problem.many_hot else 1.0
        bent = max(curvature, NOISE / classes)  # none is left where each head was taught one class alone
        moments = bent * of_differences * problem.moments
        moments.diagonal().add_(penalty + NOISE * moments.trace())
        self._inverse = torch.cholesky_inverse(cholesky(moments))

    def times(self, gradient: Tensor) -> Tensor:
        """(heads, classes, K + 1) of such a gradient."""
        return gradient @ self._inverse


@dataclass(frozen=True)
class _Pair:
    """A step, and by how much it changed the gradient."""

    step: Tensor
    change: Tensor
    turned: Tensor
    """The guess times the change."""

    inverse: Tensor
    """(heads,): of the product of step and change; 0 where that is not positive."""

    @staticmethod
    def of(step: Tensor, change: Tensor, turned: Tensor) -> "_Pair":
        product = _inner(step, change)
        return _Pair(step, change, turned, torch.where(product > 0, 1 / product.clamp(min=1e-30), 0.0))


def _direction(gradient: Tensor, turned: Tensor, pairs: list[_Pair]) -> Tensor:
    """Where to step from here, (heads, classes, K + 1).

    Args:
        gradient: here.
        turned: the guess times the gradient.
        pairs: the last at the end.
    """
    left, shares = gradient, []
    for pair in reversed(pairs):
        share = pair.inverse * _inner(pair.step, left)
        left = left - _each(share) * pair.change
        turned = turned - _each(share) * pair.turned
        shares.append(share)
    if pairs:
        last = pairs[-1]
        scale = _inner(last.step, last.change) / _inner(last.change, last.turned).clamp(min=1e-30)
        turned = _each(torch.where(last.inverse > 0, scale, 1.0)) * turned
    for pair, share in zip(pairs, reversed(shares), strict=True):
        turned = turned + _each(share - pair.inverse * _inner(pair.change, turned)) * pair.step
    return -turned


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """(heads,), float64."""
    return (a * b).sum(dim=2).sum(dim=1, dtype=torch.float64)


def _each(values: Tensor) -> Tensor:
    """(heads, 1, 1) of (heads,)."""
    return values.float()[:, None, None]


def _penalised(problem: Problem) -> Tensor:
    """(K + 1,): 1 for each weight, 0 for the bias."""
    penalised = torch.ones(problem.vectors.shape[1])
    penalised[-1] = 0
    return penalised


def ridge(problem: Problem, strength: float, start: LinearHeads | None, tolerance: float) -> LinearHeads:
    """The heads of least squares + strength * |weight|^2 to targets of -1 and 1, in closed form; the bias is free.

    Args:
        problem: what they are fitted to.
        strength: of the penalty.
        start: plays no part.
        tolerance: likewise.
    """
    penalty = strength * _penalised(problem)
    if problem.positive is None or not problem.many_hot:
        solved = [_solved(moments, products, penalty) for moments, products in problem.least_squares]
        return LinearHeads(torch.stack(solved))
    weight = torch.empty(problem.heads, problem.classes, len(penalty))
    for number in range(problem.classes):  # answers to each class have weights of their own
        for head, (moments, products) in enumerate(_answers(problem, number).least_squares):
            weight[head, number] = _solved(moments, products, penalty)[0]
    return LinearHeads(weight)


def _solved(moments: Tensor, products: Tensor, penalty: Tensor) -> Tensor:
    """(classes, K + 1): the weight that solves the normal equations."""
    factor = cholesky(moments + torch.diag(penalty + NOISE * moments.trace()))
    return torch.cholesky_solve(products, factor).T


def _answers(problem: Problem, number: int) -> Problem:
    """The problem of one class alone, with a weight for each of its answers."""
    truth = problem.labels[:, number : number + 1]
    positive = torch.ones(problem.classes) if problem.positive is None else problem.positive
    return Problem(problem.vectors, truth, problem.weights * torch.where(truth, positive[number], 1.0), 1)
