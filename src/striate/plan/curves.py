"""Cross-validated accuracy of heads on frozen features: against depth, and against the number of images."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.features.heads import FOLDS, dealt, fit
from striate.plan.rule import Estimate, share
from striate.tasks import HeadProblem, Task

SHARES = (8, 4, 2)  # one over them, of the images: the points of a learning curve before the last
LEAST = 10  # images, and one a class, in each part of a point


@dataclass(frozen=True)
class Answers:
    """What heads answer to images that they did not learn from."""

    logits: Tensor
    """(N, classes), calibrated."""

    hits: NDArray[np.bool_]
    """(N,) which images are answered right; with several labels, all of them."""

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


def answers(vectors: Tensor, problem: HeadProblem, task: Task, seed: int, parts: int = 1) -> Answers:
    """Cross-validated answers to all images, by heads of which each has one of some equal parts of them.

    Args:
        vectors: (N, D).
        problem: the labels of the vectors, as the task gives them.
        task: that the labels are of.
        seed: of the parts.
        parts: how many.
    """
    labels = problem.labels
    part = dealt(labels, parts, seed)
    logits = torch.zeros(len(labels), task.outputs)
    for number in range(parts):
        which = torch.from_numpy(part == number)
        fitted = fit([vectors[which]], labels[which], task.outputs, weight=problem.class_weight, folds=FOLDS, seed=seed)
        logits[which] = fitted.out_of_fold
    return Answers(logits, task.image_scores(logits, {"label": labels}).numpy() > 0)


def sizes(images: int, classes: int) -> list[int]:
    """Into how many parts images can be dealt for the points of a learning curve, the smallest parts first.

    >>> sizes(100, 2), sizes(10, 2)
    ([8, 4, 2], [])
    """
    return [parts for parts in SHARES if images // parts >= max(LEAST, classes)]


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
