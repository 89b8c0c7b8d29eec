"""The planner's rule: from what frozen features show to how much of the network to keep frozen.

What unfreezing gives is not seen in frozen features. The rule weighs what it gave in published comparisons against what
these pictures could tell apart, and against what more pictures would give, which the learning curve does show.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

CONFIDENCE = 0.95
NORMAL = 1.959964  # standard deviations to either side that hold 95 % of a normal distribution

# Share of a linear head's mistakes that fine-tuning the whole network did away with: least, median and largest of the
# 12 data sets of Grill et al. 2020 (BYOL, arXiv:2006.07733), table 3, rows "Supervised-IN", a ResNet-50. On Caltech-101
# it made more of them, on Cars it did away with most.
CLOSED_LOW, CLOSED, CLOSED_HIGH = -0.22, 0.43, 0.76
PUBLISHED = 2040  # training pictures of the smallest of these sets

MANY = 1000  # pictures a class, from which the whole network may learn
SOME = 100  # pictures a class, from which about half of its multiplications may; with fewer, about a quarter


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
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def share(hits: NDArray[np.bool_]) -> Estimate:
    """The share of pictures (N,) answered right, by Wilson's formula."""
    right, count = int(hits.sum()), len(hits)
    low, high = binomtest(right, count).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(right / count, float(low), float(high))


def difference(hits: NDArray[np.bool_], others: NDArray[np.bool_]) -> Estimate:
    """How much larger one share of right answers is than another, to the same pictures.

    Source: Agresti, Min 2005, "Simple improved confidence intervals for comparing matched proportions", Statistics in
    Medicine 24: half a picture is added to each of the four cells, for the interval alone.

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

    pictures: int
    """To train on."""

    looked_at: int
    """Of these, as many as the estimates are from."""

    classes: int
    stages: tuple[str, ...]
    """Of the network, input to output."""

    learning: tuple[float, ...]
    """(stages + 1,): the share of its multiplications that learns, by how many stages are frozen, from none to all."""

    accuracy: Estimate
    """Of a head on the last stage, cross-validated."""

    best: str
    """The latest stage of those on which a head does best."""

    doubled: Estimate | None
    """What accuracy the second half of the pictures added to the first; None where there are too few to halve."""


@dataclass(frozen=True)
class Decision:
    """How much to keep frozen, and why."""

    freeze: str
    """As `frozen_stages` takes it: all, a stage's name or none."""

    reason: str
    """The end of a sentence."""

    unfreezing: Estimate
    """Accuracy that unfreezing may add: of published comparisons, not of these pictures."""

    more_pictures: Estimate | None
    """Accuracy that twice the pictures that were looked at may add, by the learning curve."""

    more_is_better: bool
    """Whether more pictures would help more than unfreezing."""


def decide(evidence: Evidence) -> Decision:
    """Keeps all frozen unless there is more to gain than these pictures can tell apart.

    1. Fine-tuning is expected to do away with `CLOSED` of the head's mistakes; of fewer, in proportion, where there are
       fewer pictures than it was seen to with.
    2. Where that is less than half the width of the accuracy's interval, nobody could tell whether it helped: all stays
       frozen. It is so with few pictures, and with few mistakes.
    3. Else the later stages learn: no stage later than the one with the best head stays frozen, for what comes after
       it has specialised in something else; nor more than the number of pictures a class asks for.
    """
    mistakes = 1 - evidence.accuracy.value
    reached = mistakes * min(evidence.pictures / PUBLISHED, 1.0)
    unfreezing = Estimate(CLOSED * reached, CLOSED_LOW * reached, CLOSED_HIGH * reached)
    more = None if evidence.doubled is None else next_doubling(mistakes, evidence.doubled)
    all_seen = evidence.looked_at == evidence.pictures  # else there are more already
    better = all_seen and more is not None and more.low > 0 and more.value > unfreezing.value
    width = (evidence.accuracy.high - evidence.accuracy.low) / 2
    noise = width * math.sqrt(evidence.looked_at / evidence.pictures)
    if unfreezing.value < noise:
        return Decision("all", "less than these pictures can tell apart", unfreezing, more, better)
    frozen = min(evidence.stages.index(evidence.best) + 1, _frozen_by_count(evidence))
    freeze = evidence.stages[frozen - 1] if frozen else "none"
    return Decision(freeze, "more than these pictures can tell apart", unfreezing, more, better)


def _frozen_by_count(evidence: Evidence) -> int:
    """How many stages stay frozen: the fewer, the more pictures there are of a class; the last one learns always."""
    a_class = evidence.pictures / evidence.classes
    wanted = 1.0 if a_class >= MANY else 0.5 if a_class >= SOME else 0.25
    return min(range(len(evidence.stages)), key=lambda number: abs(evidence.learning[number] - wanted))


def next_doubling(mistakes: float, doubled: Estimate) -> Estimate:
    """What twice the pictures would add, if mistakes go on to fall by the same factor.

    Source: Hestness et al. 2017, "Deep learning scaling is predictable, empirically", arXiv:1712.00409: mistakes fall
    as a power of the number of pictures.

    Args:
        mistakes: share of the pictures answered wrong, learning from all.
        doubled: what accuracy the second half of the pictures added.
    """

    def ahead(gained: float) -> float:
        return mistakes * gained / (mistakes + gained) if gained > 0 else gained  # a loss is chance: taken as it is

    return Estimate(ahead(doubled.value), ahead(doubled.low), ahead(doubled.high))


def latest_best(accuracies: Sequence[float]) -> int:
    """The place of the largest, the last of these where several are."""
    return max(range(len(accuracies)), key=lambda place: (accuracies[place], place))
