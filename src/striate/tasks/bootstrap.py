"""Intervals by bootstrap over images, or over groups of them, for every score that is a function of sums over images.

Source: Efron and Tibshirani 1993, "An introduction to the bootstrap", chapter 13: the percentile interval.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Groups = NDArray[np.int64]  # (N,) numbers from 0 without a gap

CONFIDENCE = 0.95
RESAMPLES = 1000
AT_A_TIME = 1 << 22  # draws of images, of which the counts take four times that in bytes
SEED = 0  # the same images have the same interval, whoever asks and whenever


def interval(
    sums: Values, score: Callable[[Values], Values], groups: Groups | None = None, resamples: int = RESAMPLES
) -> tuple[Values, Values]:
    """Lower and upper ends of 95 % intervals, each (M,), for scores of a set of images.

    Images, or whole groups of them, are drawn with replacement, as many as there are, and scored anew; the interval
    leaves out 2.5 % of the resamples at either end. A score that is NaN in a resample, because no image in it has that
    class, counts for nothing there; one that is NaN in all stays NaN.

    Args:
        sums: (N, K), N >= 1: what each image adds to K sums.
        score: takes sums (B, K) of B sets of images to their scores (B, M).
        groups: (N,) number of the group that each image is drawn with; each by itself unless given.
        resamples: sets of images that are drawn.
    """
    if groups is not None:
        sums = np.stack([np.bincount(groups, column) for column in sums.T], axis=1)  # (groups, K)
    count = len(sums)
    rng = np.random.Generator(np.random.Philox(SEED))
    scores = []
    for start in range(0, resamples, step := max(AT_A_TIME // count, 1)):
        sets = min(step, resamples - start)
        drawn = rng.integers(count, size=(sets, count)) + np.arange(sets)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=sets * count).reshape(sets, count)
        scores.append(score(times @ sums))
    return _quantiles(np.concatenate(scores))


def _quantiles(scores: Values) -> tuple[Values, Values]:
    """The middle 95 % of each column of (B, M), without its NaN."""
    ends = np.full((2, scores.shape[1]), np.nan)
    tail = (1 - CONFIDENCE) / 2
    for i, column in enumerate(scores.T):
        known = column[~np.isnan(column)]
        if len(known):
            ends[:, i] = np.quantile(known, (tail, 1 - tail))
    return ends[0], ends[1]
