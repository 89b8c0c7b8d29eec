"""Calibration: whether a probability of 0.9 is right nine times in ten."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.evaluation.intervals import UNKNOWN, Interval, Resampling
from striate.tasks.answers import Answers

BINS = 15
HALVINGS = 20  # of the range in which a bound of the calibration error is looked for


@dataclass(frozen=True)
class Bin:
    """The images whose answers were said to be about as probable."""

    start: float
    """The least probability that belongs to it."""

    end: float
    """The least that belongs to the next bin; 1, which the last bin holds too."""

    count: int
    confidence: float
    """Their mean probability."""

    accuracy: Interval
    """The share of them that is answered right."""


@dataclass(frozen=True)
class Calibration:
    """How far probabilities can be believed."""

    error: Interval
    """The expected calibration error, over `BINS` bins."""

    brier: Interval
    """Mean over the images of the squared difference of probability and truth, summed over the classes; 0 to 2."""

    loss: Interval
    """Mean negative log probability of the true class, in nats."""

    bins: tuple[Bin, ...]
    """The reliability diagram: bins of equal width that hold an image."""


def calibration(answers: Answers, resampling: Resampling) -> Calibration:
    """The calibration of N answers, with `resampling` of these N images."""
    loss, brier = resampling.means(np.stack([answers.loss, answers.brier], axis=1))
    error = calibration_error(answers.confidence, answers.hits, resampling)
    return Calibration(error, brier, loss, tuple(reliability(answers.confidence, answers.hits, resampling)))


def bin_of(confidence: NDArray[Any], bins: int = BINS) -> NDArray[np.int64]:
    """The bin of each probability (N,): [0, 1/bins), ..., and the last [1 - 1/bins, 1].

    >>> bin_of(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 7, 14]
    """
    edges = np.arange(1, bins) / bins
    return np.searchsorted(edges, confidence, side="right").astype(np.int64)


def reliability(
    confidence: NDArray[Any], hits: NDArray[np.bool_], resampling: Resampling, bins: int = BINS
) -> list[Bin]:
    """The reliability diagram's figures.

    Args:
        confidence: (N,) probability of each answer, 0 to 1.
        hits: (N,) whether it is right.
        resampling: of these N images.
        bins: of equal width, of which those without an image are left out.
    """
    where = bin_of(confidence, bins)
    found = []
    for number in np.unique(where).tolist():
        inside = where == number
        mean = float(confidence[inside].mean(dtype=np.float64))
        accuracy = resampling.within(inside).share(hits[inside])
        found.append(Bin(number / bins, (number + 1) / bins, int(inside.sum()), mean, accuracy))
    return found


def expected_calibration_error(confidence: NDArray[Any], hits: NDArray[np.bool_], bins: int = BINS) -> float:
    """The mean over all images of how far their bin's mean probability is from its share of right answers.

    Source: Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599, eq. 3.

    >>> expected_calibration_error(np.array([1.0, 0.9]), np.array([True, False]))
    0.45
    """
    gaps = np.bincount(bin_of(confidence, bins), np.asarray(confidence, np.float64) - hits, bins)
    return float(np.abs(gaps).sum() / len(hits)) if len(hits) else float("nan")


def calibration_error(
    confidence: NDArray[Any], hits: NDArray[np.bool_], resampling: Resampling, bins: int = BINS
) -> Interval:
    """The expected calibration error with an interval that holds for a well calibrated model too.

    The sum of absolute gaps is never below what chance alone makes, so a percentile of its bootstrap misses the true
    value nearly always where that is small. Instead the interval holds every true error that chance could have turned
    into the one seen: for a true error of t, each bin is taken to be off by t in proportion to its share of the images,
    and the noise of the gaps is that of the bootstrap.

    Args:
        confidence: (N,) probability of each answer, 0 to 1.
        hits: (N,) whether it is right.
        resampling: of these N images.
        bins: of equal width.

    Source: inversion of a test, as in Cox and Hinkley 1974, sec. 7.2; docs/decisions/intervals.md has its coverage.
    """
    if not len(hits):
        return UNKNOWN
    where, gap = bin_of(confidence, bins), np.asarray(confidence, np.float64) - hits
    cells = resampling.block * (bins + 1)
    sums = np.bincount(cells + where, gap, resampling.blocks * (bins + 1))
    sums += np.bincount(cells + bins, minlength=len(sums))  # the last column counts the images
    drawn = resampling.sums(sums.reshape(resampling.blocks, bins + 1))
    seen = np.bincount(where, gap, bins) / len(hits)
    error = float(np.abs(seen).sum())
    noise = drawn[:, :-1] / drawn[:, -1:] - seen
    shape = np.bincount(where, minlength=bins) / len(hits)
    tail_low, tail_high = resampling.levels

    def below(t: float) -> float:
        """The share of draws whose error is at most the one seen, if the true one is t."""
        return float((np.abs(t * shape + noise).sum(axis=1) <= error).mean())

    return Interval(error, min(_falls_to(below, tail_high), error), max(_falls_to(below, tail_low), error))


def _falls_to(falling: Any, level: float) -> float:
    """The least t of 0 to 1 from which on `falling` is under the level."""
    if falling(0.0) < level:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) >= level else (low, middle)
    return low
