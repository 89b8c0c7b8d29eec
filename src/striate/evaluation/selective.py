"""Selective answers: what a model may leave to a person, so that the rest is right often enough."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.evaluation.intervals import UNKNOWN, Floats, Interval, Resampling
from striate.tasks.wilson import CONFIDENCE

FEWER_DRAWS = 200
MANY_IMAGES = 10_000  # above which fewer draws suffice, and take as long
STEPS = 100  # shares of images at which a guarantee is tried


@dataclass(frozen=True)
class Abstention:
    """The threshold of probability that keeps a wanted accuracy on the images that are still answered."""

    wanted: float
    """Share of right answers."""

    threshold: Interval
    """Answers of this probability or more are given; unknown where none keeps the accuracy."""

    answered: Interval
    """Share of the images that are still answered; the interval is that of choosing the threshold anew."""

    accuracy: Interval
    """Of those that are answered."""

    guaranteed: float
    """The threshold whose accuracy on new images like these is the wanted one or more, with 95 % confidence; or NaN."""

    guaranteed_share: float
    """Share of the images that it still answers."""


@dataclass(frozen=True)
class _Sorted:
    """Images by falling confidence."""

    order: NDArray[np.int64]
    confidence: Floats
    wrong: Floats
    last: NDArray[np.bool_]
    """Whether each is the last of those of equal confidence: only there can a threshold lie."""

    @staticmethod
    def of(confidence: NDArray[Any], hits: NDArray[np.bool_]) -> "_Sorted":
        order = np.argsort(-np.asarray(confidence, np.float64), kind="stable")
        values = np.asarray(confidence, np.float64)[order]
        return _Sorted(order, values, (~hits[order]).astype(np.float64), np.append(values[1:] != values[:-1], True))


def aurc(confidence: NDArray[Any], hits: NDArray[np.bool_], resampling: Resampling) -> Interval:
    """The area under the curve of risk against coverage: the mean share of wrong answers over all thresholds.

    Images of equal confidence count as if they came in random order. The interval is that of its first-order
    expansion, whose terms are a mean over the images.

    Args:
        confidence: (N,).
        hits: (N,) whether each answer is right.
        resampling: of these N images.

    Source: Geifman, Uziel and El-Yaniv 2019, "Bias-reduced uncertainty estimation", arXiv:1805.08206.
    """
    n = len(hits)
    if not n:
        return UNKNOWN
    by = _Sorted.of(confidence, hits)
    tie = np.cumsum(np.append(True, by.last[:-1])) - 1
    sizes = np.bincount(tie)
    wrong = (np.bincount(tie, by.wrong) / sizes)[tie]  # the expectation over the order within equals
    ranks = np.arange(1, n + 1)
    value = float((np.cumsum(wrong) / ranks).mean())
    end = np.flatnonzero(by.last)[tie] + 1
    coverage = end / n
    own = -by.wrong * np.log(coverage)
    later = np.cumsum((by.wrong / coverage)[::-1])[::-1] / n  # of all that are as confident or less
    later = later[np.append(0, np.flatnonzero(by.last)[:-1] + 1)[tie]]
    terms = np.empty(n)
    terms[by.order] = own - later
    (mean,) = resampling.means(terms[:, None])
    shift = value - mean.value
    return Interval(value, max(mean.low + shift, 0.0), min(mean.high + shift, 1.0))


def abstention(confidence: NDArray[Any], hits: NDArray[np.bool_], wanted: float, resampling: Resampling) -> Abstention:
    """The lowest threshold at which the answers that are given are right often enough.

    Args:
        confidence: (N,).
        hits: (N,) whether each answer is right.
        wanted: share of right answers, 0 to 1.
        resampling: of these N images.
    """
    by = _Sorted.of(confidence, hits)
    answered = _most_answered(np.ones(len(hits)), by, wanted)
    draws = min(resampling.draws, FEWER_DRAWS if len(hits) > MANY_IMAGES else resampling.draws)
    shares, thresholds = _drawn(by, wanted, resampling, draws)
    guaranteed = _guaranteed(by, wanted)
    accuracy = UNKNOWN
    if answered:
        given = np.zeros(len(hits), bool)
        given[by.order[:answered]] = True
        accuracy = resampling.within(given).share(hits[given])
    threshold = by.confidence[answered - 1] if answered else np.nan
    return Abstention(
        wanted=wanted,
        threshold=resampling.percentile(float(threshold), thresholds),
        answered=resampling.percentile(answered / len(hits), shares),
        accuracy=accuracy,
        guaranteed=float(by.confidence[guaranteed - 1]) if guaranteed else np.nan,
        guaranteed_share=guaranteed / len(hits) if guaranteed else np.nan,
    )


def _most_answered(weights: Floats, by: _Sorted, wanted: float) -> int:
    """How many images, the most confident first, can be answered with the wanted accuracy; none: 0."""
    total, wrong = np.cumsum(weights), np.cumsum(weights * by.wrong)
    enough = by.last & (total > 0) & (wrong <= (1 - wanted) * total + 1e-9)
    places = np.flatnonzero(enough)
    return int(places[-1]) + 1 if len(places) else 0


def _drawn(by: _Sorted, wanted: float, resampling: Resampling, draws: int) -> tuple[Floats, Floats]:
    """The share answered and the threshold of each draw; NaN where none keeps the accuracy."""
    shares, thresholds = np.empty(draws), np.full(draws, np.nan)
    block, place = resampling.block[by.order], 0
    for some in resampling.weights():
        for weights in some[: draws - place]:
            drawn = weights[block]
            answered = _most_answered(drawn, by, wanted)
            shares[place] = drawn[:answered].sum() / drawn.sum()
            if answered:
                thresholds[place] = by.confidence[answered - 1]
            place += 1
        if place == draws:
            break
    return shares, thresholds


def _guaranteed(by: _Sorted, wanted: float) -> int:
    """How many images can be answered so that chance makes the promise false once in twenty times at most.

    Shares of images are tried from the least that could succeed upward, each by the exact binomial test, and the first
    that fails ends it: so however many are tried, the error stays that of one test.

    Source: Angelopoulos et al. 2021, "Learn then test", arXiv:2110.01052, fixed sequence testing.
    """
    from scipy.special import bdtr

    n = len(by.wrong)
    if not 0 < wanted < 1:
        return 0
    fewest = int(np.ceil(np.log(1 - CONFIDENCE) / np.log(wanted)))  # with no mistake among them
    counts = np.unique(np.linspace(fewest, n, STEPS).round().astype(int)) if fewest <= n else np.empty(0, int)
    wrong, ends = np.cumsum(by.wrong), np.flatnonzero(by.last) + 1
    best = 0
    for count in counts:
        end = int(ends[np.searchsorted(ends, count)])  # all of those of equal confidence
        if bdtr(wrong[end - 1], end, 1 - wanted) > 1 - CONFIDENCE:  # the binomial distribution
            break
        best = end
    return best
