"""The planner's rule: from what frozen features show to how much of the network to keep frozen.

What unfreezing gives is not seen in frozen features. The rule expects of it what it gave in published comparisons, asks
whether that is worth the time that it takes here, and sets it beside what more images would give, which the learning
curve does show. docs/decisions/freeze.md has what it chooses on real photos.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from striate.tasks.wilson import wilson

NORMAL = 1.959964  # standard deviations to either side that hold 95 % of a normal distribution

# Share of a linear head's mistakes that fine-tuning the whole network did away with: least, median and largest of the
# 12 data sets of Grill et al. 2020 (BYOL, arXiv:2006.07733), table 3, rows "Supervised-IN", a ResNet-50. On Caltech-101
# it made more of them, on Cars it did away with most.
CLOSED_LOW, CLOSED, CLOSED_HIGH = -0.22, 0.43, 0.76
PUBLISHED = 2040  # training images of the smallest of these sets
WORTH = 0.01  # of accuracy: what is worth a minute of training, and the least that is worth any
A_MINUTE = 60.0  # seconds


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def signed(self) -> str:
        """With the sign, for a difference."""
        return f"{self.value:+z.3f} [{self.low:+z.3f}, {self.high:+z.3f}]"


def share(hits: NDArray[np.bool_]) -> Estimate:
    """The share of images (N,) answered right, by Wilson's formula."""
    right, count = int(hits.sum()), len(hits)
    low, high = wilson(right, count)
    return Estimate(right / count, float(low), float(high))


def difference(hits: NDArray[np.bool_], others: NDArray[np.bool_]) -> Estimate:
    """How much larger one share of right answers is than another, to the same images.

    Source: Agresti, Min 2005, "Simple improved confidence intervals for comparing matched proportions", Statistics in
    Medicine 24: half an image is added to each of the four cells, for the interval alone.

    Args:
        hits: (N,) which are answered right.
        others: (N,) which are answered right in the other way.
    """
    gained, lost = int((hits & ~others).sum()), int((others & ~hits).sum())
    count = len(hits) + 2
    middle = (gained - lost) / count
    spread = NORMAL * math.sqrt(gained + lost + 1 - (gained - lost) ** 2 / count) / count
    return Estimate((gained - lost) / len(hits), max(middle - spread, -1.0), min(middle + spread, 1.0))


@dataclass(frozen=True)
class Evidence:
    """What frozen features show."""

    images: int
    """To train on."""

    looked_at: int
    """How many of these the estimates are from."""

    classes: int
    accuracy: Estimate
    """The cross-validated accuracy of a head on the last stage."""

    best: str
    """The latest stage of those on which a head does best."""

    doubled: Estimate | None
    """What accuracy the second half of the images added to the first; None where there are too few to halve."""


@dataclass(frozen=True)
class Decision:
    """How much to keep frozen, and what else may add accuracy."""

    freeze: Literal["all", "none"]
    unfreezing: Estimate
    """Accuracy that unfreezing may add: of published comparisons, not of these images."""

    more_images: Estimate | None
    """Accuracy that twice the images that were looked at may add, by the learning curve."""

    more_is_better: bool
    """Whether more images would help more than unfreezing."""

    @property
    def too_slow(self) -> bool:
        """Whether all stays frozen because of the time that training would take."""
        return self.freeze == "all" and self.unfreezing.value >= WORTH


def decide(evidence: Evidence, learning_s: float = 0.0) -> Decision:
    """Keeps all frozen unless there is something to gain that is worth its time.

    1. Fine-tuning is expected to do away with `CLOSED` of the head's mistakes; of fewer, in proportion, where there are
       fewer images than it was seen to with.
    2. Where that is less than `WORTH`, all stays frozen. It is so with few images, and with few mistakes.
    3. Where that is less than `WORTH` for each minute that training all of the network would take, likewise.
    4. Else all of the network learns, as in the comparison that this is expected from.

    Args:
        evidence: what frozen features show.
        learning_s: seconds that training all of the network would take here; 0 leaves rule 3 aside.
    """
    mistakes = 1 - evidence.accuracy.value
    reached = mistakes * min(evidence.images / PUBLISHED, 1.0)
    unfreezing = Estimate(CLOSED * reached, CLOSED_LOW * reached, CLOSED_HIGH * reached)
    more = None if evidence.doubled is None else next_doubling(mistakes, evidence.doubled)
    all_seen = evidence.looked_at == evidence.images  # else there are more already
    better = all_seen and more is not None and more.low > 0 and more.value > unfreezing.value
    wanted = WORTH * max(learning_s / A_MINUTE, 1.0)
    return Decision("all" if unfreezing.value < wanted else "none", unfreezing, more, better)


def next_doubling(mistakes: float, doubled: Estimate) -> Estimate:
    """What twice the images would add, if mistakes go on to fall by the same factor.

    Source: Hestness et al. 2017, "Deep learning scaling is predictable, empirically", arXiv:1712.00409: mistakes fall
    as a power of the number of images.

    Args:
        mistakes: share of the images answered wrong, learning from all.
        doubled: what accuracy the second half of the images added.
    """

    def ahead(gained: float) -> float:
        return mistakes * gained / (mistakes + gained) if gained > 0 else gained  # a loss is chance: taken as it is

    return Estimate(ahead(doubled.value), ahead(doubled.low), ahead(doubled.high))


def latest_best(accuracies: Sequence[float]) -> int:
    """The place of the largest, the last of these where several are."""
    return max(range(len(accuracies)), key=lambda place: (accuracies[place], place))
