"""Cross-validated accuracy of heads on frozen features: against depth, and against the number of images."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.device import Precision
from striate.features.extraction import Features
from striate.features.heads import FOLDS, SOLVERS, Effort, dealt, fit
from striate.plan.rule import Estimate, latest_best, share
from striate.tasks import HeadProblem, Task

SHARES = (8, 4, 2)  # one over them, of the images: the points of a learning curve before the last
LEAST, LEAST_A_CLASS = 10, 2  # images in each part of a point: of a class with one, none is left to learn from
TOLERANCE = 1e-2  # of the objective: exact enough to compare accuracies by, in half the time of a head that is kept
STEP = 10**0.5  # from a penalty to the next, as where all are tried
STRENGTHS = SOLVERS["softmax"][1][Effort.of(0.0).window]  # of the penalty, the strongest first
STRONGER = 1.01 * STEP**2  # than the best of the stage after it: where the search of a stage begins


@dataclass(frozen=True)
class Answers:
    """What heads answer to images that they did not learn from."""

    logits: Tensor
    """(N, classes), calibrated."""

    hits: NDArray[np.bool_]
    """(N,) which images are answered right; with several labels, all of them."""

    strengths: tuple[float, ...]
    """Of the penalty, as chosen in each part."""

    @property
    def accuracy(self) -> Estimate:
        """The share of right answers."""
        return share(self.hits)


@dataclass(frozen=True)
class Depth:
    """A head on the features of one stage."""

    stage: str
    features: int
    accuracy: Estimate


@dataclass(frozen=True)
class Size:
    """Heads on the features of so many images."""

    images: int
    """Each head had, those included that were held out in turn."""

    heads: int
    """Each of other images."""

    accuracy: Estimate


@dataclass(frozen=True)
class Curves:
    """Answers of heads, by stage and by number of images."""

    features: tuple[int, ...]
    """How many each stage has, input to output."""

    by_depth: tuple[Answers, ...]
    """From all images, by a head on each stage."""

    best: int
    """The place of the latest stage of those on which a head does best."""

    by_parts: dict[int, Answers]
    """From the best stage, by heads of one of so many parts each, the smallest parts first; none of too few images."""

    head_s: float
    """Seconds that the head on the last stage took."""


def curves(found: Features, problem: HeadProblem, task: Task, seed: int, precision: Precision = "float32") -> Curves:
    """Fits heads to the features of every stage, and of the best stage to those of fewer and fewer images.

    Args:
        found: vectors of each stage.
        problem: the labels of the images, as the task gives them.
        task: that the labels are of.
        seed: of the parts.
        precision: as `fit` takes it.
    """
    stages = [value.float().flatten(1) for value in found.values()]
    seconds = []

    def fitted(vectors: Tensor, strengths: Sequence[float] | None) -> Answers:
        started = time.perf_counter()
        found = answers(vectors, problem, task, seed, strengths=strengths, precision=precision)
        seconds.append(time.perf_counter() - started)
        return found

    by_depth = by_stage(stages, fitted)
    best = latest_best([float(each.hits.mean()) for each in by_depth])
    [strength] = by_depth[best].strengths
    by_parts = {
        parts: answers(stages[best], problem, task, seed, parts, strengths=around(strength, parts), precision=precision)
        for parts in sizes(len(found), task.outputs)
    }
    return Curves(tuple(each.shape[1] for each in stages), tuple(by_depth), best, by_parts, seconds[0])


def answers(
    vectors: Tensor,
    problem: HeadProblem,
    task: Task,
    seed: int,
    parts: int = 1,
    *,
    strengths: Sequence[float] | None = None,
    precision: Precision = "float32",
) -> Answers:
    """Cross-validated answers to all images, by heads of which each has one of some equal parts of them.

    Args:
        vectors: (N, D).
        problem: the labels of the vectors, as the task gives them.
        task: that the labels are of.
        seed: of the parts.
        parts: how many.
        strengths: as `fit` takes them.
        precision: likewise.
    """
    labels = problem.labels
    part = dealt(labels, parts, seed)
    logits, chosen = torch.zeros(len(labels), task.outputs), []
    for number in range(parts):
        which = torch.from_numpy(part == number)
        fitted = fit(
            [vectors[which]],
            labels[which],
            task.outputs,
            weight=problem.class_weight,
            folds=FOLDS,
            strengths=strengths,
            tolerance=TOLERANCE,
            seed=seed,
            precision=precision,
        )
        logits[which] = fitted.out_of_fold
        chosen.append(fitted.strength)
    return Answers(logits, task.image_scores(logits, {"label": labels}).numpy() > 0, tuple(chosen))


def around(strength: float, parts: int) -> list[float]:
    """The strengths of the penalty that heads of a part try, the strongest first.

    A penalty weighs against the mean loss: to weigh as much against the sum over fewer images, it has to be stronger.

    Args:
        strength: that did best with all images.
        parts: how many.
    """
    found = [strength * parts * STEP]
    while found[-1] > strength:
        found.append(found[-1] / STEP)
    return found


def by_stage(stages: Sequence[Tensor], fitted: Callable[[Tensor, Sequence[float] | None], Answers]) -> list[Answers]:
    """The answers of a head on each stage, input to output.

    An earlier stage has fewer features, and does best with a weaker penalty than the stage after it, if with another.
    The search begins a little stronger than that, and anew with all where even its first does best.

    Args:
        stages: (N, D) each, the vectors of all images.
        fitted: gives the answers of a head, of some strengths of the penalty or of all.
    """
    found: list[Answers] = []
    for vectors in reversed(stages):
        tried = [each for each in STRENGTHS if not found or each <= found[-1].strengths[0] * STRONGER]
        answered = fitted(vectors, tried if found else None)
        if found and answered.strengths[0] == tried[0] and len(tried) < len(STRENGTHS):
            answered = fitted(vectors, None)
        found.append(answered)
    return found[::-1]


def sizes(images: int, classes: int) -> list[int]:
    """Into how many parts images can be dealt for the points of a learning curve, the smallest parts first.

    >>> sizes(100, 2), sizes(10, 2)
    ([8, 4, 2], [])
    """
    return [parts for parts in SHARES if images // parts >= max(LEAST, LEAST_A_CLASS * classes)]


def thinned(labels: Tensor, most: int, seed: int) -> NDArray[np.int64]:
    """Places of at most so many images, of each class as large a share as of the others, in their order.

    Args:
        labels: (N,), or (N, classes) of 0 and 1.
        most: at least 1.
        seed: of the draw.
    """
    count = len(labels)
    rank = dealt(labels, count, seed)  # images of a class have neighbouring ranks
    return np.flatnonzero((rank + 1) * most // count > rank * most // count)
