"""Intervals by bootstrap over images, or over groups of them, for every score that is a function of sums over images.

A share of independent images has Wilson's interval instead, which a share of 0 or 1 does not make empty.

Source: Efron and Tibshirani 1993, "An introduction to the bootstrap", chapter 13: the percentile interval.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from striate.tasks.wilson import CONFIDENCE, wilson

Values = NDArray[np.float64]
Groups = NDArray[np.int64]  # (N,) numbers from 0 without a gap

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


def share_interval(hits: Values, counted: Values, groups: Groups | None = None) -> tuple[float, float]:
    """Lower and upper end of the 95 % interval of a share of images: Wilson's, or by bootstrap where there are groups.

    Where all images of the groups are hits, or none is, no resample differs; the interval is then as wide as if each
    group were one image.

    Args:
        hits: (N,) 1 for each image that is counted and a hit, else 0.
        counted: (N,) 1 for each image of which this is asked, else 0.
        groups: as in `interval`.
    """
    right, count = float(hits.sum()), float(counted.sum())
    if groups is not None and 0 < right < count:
        low, high = interval(np.stack([hits, counted], axis=1), _share, groups)
        return float(low[0]), float(high[0])
    if groups is not None and count:
        units = len(np.unique(groups[counted > 0]))
        right, count = units * right / count, units
    lower, upper = wilson(right, count)
    return float(lower), float(upper)


def _share(sums: Values) -> Values:
    """(B, 1) the first of two sums (B, 2) over the second; NaN where that is 0."""
    return np.divide(sums[:, :1], sums[:, 1:], out=np.full_like(sums[:, :1], np.nan), where=sums[:, 1:] > 0)


def _quantiles(scores: Values) -> tuple[Values, Values]:
    """The middle 95 % of each column of (B, M), without its NaN."""
    ends = np.full((2, scores.shape[1]), np.nan)
    tail = (1 - CONFIDENCE) / 2
    for i, column in enumerate(scores.T):
        known = column[~np.isnan(column)]
        if len(known):
            ends[:, i] = np.quantile(known, (tail, 1 - tail))
    return ends[0], ends[1]
