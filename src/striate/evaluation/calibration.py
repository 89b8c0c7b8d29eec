"""Calibration: whether a probability of 0.9 is right nine times in ten."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.evaluation.intervals import UNKNOWN, Floats, Interval, Resampling
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


def calibration_error(
    confidence: NDArray[Any], hits: NDArray[np.bool_], resampling: Resampling, bins: int = BINS
) -> Interval:
    """The expected calibration error with an interval that holds for a well calibrated model too.

    It is the mean over all images of how far their bin's mean probability is from its share of right answers.

    The sum of absolute gaps is never below what chance alone makes, so a percentile of its bootstrap misses the true
    value nearly always where that is small. Instead the interval holds every true error that could well have given the
    one seen: for a true error of t, each bin is taken to be off by t in proportion to its share of the images, and the
    noise of the gaps is that of the bootstrap. Among the errors that noise makes of t, those are the least likely for
    which another t would be likelier by most. So the interval begins at 0 where chance explains the error seen, and is
    never empty, even where that is less than chance mostly makes.

    Args:
        confidence: (N,) probability of each answer, 0 to 1.
        hits: (N,) whether it is right.
        resampling: of these N images.
        bins: of equal width.

    Source: Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599, eq. 3; the interval: Feldman
    and Cousins 1998, "Unified approach to the classical statistical analysis of small signals",
    arXiv:physics/9711021, with a normal likelihood; docs/decisions/intervals.md has its coverage.
    """
    if not len(hits):
        return UNKNOWN
    where, gap = bin_of(confidence, bins), np.asarray(confidence, np.float64) - hits
    seen = np.bincount(where, gap, bins) / len(hits)
    error = float(np.abs(seen).sum())
    noise = _noise(where, gap, seen, resampling)
    shape = np.bincount(where, minlength=bins) / len(hits)

    def errors(t: float) -> Floats:
        """(draws,) the errors that noise makes of a true one."""
        return np.asarray(np.abs(t * shape + noise).sum(axis=1))

    chance = float(errors(0.0).mean())
    likeliest = _turn(0.0, 1.0, lambda t: float(errors(t).mean()) <= error)
    likely = 2 * resampling.levels[0]

    def explains(t: float) -> bool:
        """Whether a true error of t is among those that could well have given the one seen."""
        found = errors(t)
        mean = float(found.mean())
        unlikely = _unlikelihood(found, mean, chance) >= _unlikelihood(error, mean, chance)
        return bool(unlikely.mean() >= likely)

    low, high = (_turn(likeliest, end, explains) for end in (0.0, 1.0))
    return Interval(error, min(low, error), max(high, error))


def _noise(where: NDArray[np.int64], gap: Floats, seen: Floats, resampling: Resampling) -> Floats:
    """(draws, bins) how far each draw's sum of gaps, as a share of the images, is from the one seen.

    One image is flipped each way, on average, in an arbitrary bin: without that, images that are all right would be
    taken to never be wrong, as in `striate.evaluation.paired`.
    """
    bins = len(seen)
    cells = resampling.block * (bins + 1)
    sums = np.bincount(cells + where, gap, resampling.blocks * (bins + 1))
    sums += np.bincount(cells + bins, minlength=len(sums))  # the last column counts the images
    drawn = resampling.sums(sums.reshape(resampling.blocks, bins + 1))
    noise: Floats = drawn[:, :-1] / drawn[:, -1:] - seen
    rng = np.random.default_rng(resampling.seed)
    flips = np.subtract(*rng.poisson(1.0, (2, len(noise)))) / len(where)
    noise[np.arange(len(noise)), rng.choice(where, len(noise))] += flips
    return noise


def _unlikelihood(error: Any, mean: float, chance: float) -> Any:
    """By how much another true error is likelier than one that makes errors of this mean: a likelihood ratio's log.

    The likeliest of all true errors is the one whose mean is the error seen, or 0 where that is below what `chance`
    makes of 0 on average.
    """
    return (error - mean) ** 2 - np.minimum(error - chance, 0.0) ** 2


def _turn(start: float, end: float, holds: Callable[[float], bool]) -> float:
    """The last value on the way from start to end at which a condition that holds at the start still does."""
    if holds(end):
        return end
    for _ in range(HALVINGS):
        middle = (start + end) / 2
        start, end = (middle, end) if holds(middle) else (start, middle)
    return start
