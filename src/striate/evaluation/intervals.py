"""Intervals: how far a figure could be off because only so many images were seen.

Shares of independent images take Wilson's interval. Everything else, and every figure where images belong together,
takes a bootstrap: images, or whole groups of them, are drawn again with replacement. The draws are the same for every
figure, so two models on the same images can be compared in pairs. docs/decisions/intervals.md has the coverage.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.tasks.wilson import CONFIDENCE, wilson

DRAWS = 1000
MOST_BLOCKS = 2_000  # more images than this are drawn in random blocks of equal size, at a bounded cost
CHUNK = 100  # draws whose weights are in memory together

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure with the bounds of its 95 % interval; NaN where nothing was there to compute it from."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """Plain values for JSON, which has no NaN."""
        return {name: finite(value) for name, value in vars(self).items()}

    def __format__(self, spec: str) -> str:
        """The value and its bounds, each by the format of a number.

        >>> f"{Interval(0.5, 0.25, 0.75):.2f}"
        '0.50 [0.25, 0.75]'
        """
        if np.isnan(self.value):
            return "unknown"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))


def finite(value: float) -> float | None:
    """The number as JSON can hold it: None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None


def normal_quantile(probability: float) -> float:
    """The standard normal's quantile.

    >>> round(normal_quantile(0.975), 6)
    1.959964
    """
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)


def share(successes: float, count: float) -> Interval:
    """A share of independent images with Wilson's interval; unknown where there are none."""
    if not count:
        return UNKNOWN
    low, high = wilson(successes, count)
    return Interval(successes / count, float(low), float(high))


def student(values: ArrayLike) -> Interval:
    """The mean of few values (N,), such as of one run a seed, with Student's interval: without bounds for one value.

    >>> f"{student([0.90, 0.92, 0.94]):.3f}"
    '0.920 [0.870, 0.970]'
    """
    from scipy.special import stdtrit

    found = np.asarray(values, np.float64)
    mean = float(found.mean())
    if len(found) < 2:
        return Interval(mean, -np.inf, np.inf)
    half = float(stdtrit(len(found) - 1, (1 + CONFIDENCE) / 2) * found.std(ddof=1) / np.sqrt(len(found)))
    return Interval(mean, mean - half, mean + half)


class Resampling:
    """Bootstrap draws of images, or of whole groups of images, that every figure of an evaluation shares.

    Args:
        images: number of images, >= 1.
        groups: (images,) of anything comparable: images of one value are drawn together. None: each by itself.
        draws: how many times to draw.
        seed: of the draws.
    """

    def __init__(self, images: int, groups: ArrayLike | None = None, *, draws: int = DRAWS, seed: int = 0) -> None:
        self.images = images
        self.draws = draws
        self.seed = seed
        self.grouped = groups is not None
        codes = np.arange(images) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
        self.units = int(codes.max()) + 1 if images else 0
        if self.units > MOST_BLOCKS:  # a sum of block sums varies as a sum of image sums does
            shuffled = np.random.default_rng(seed).permutation(self.units)
            codes = (shuffled % MOST_BLOCKS)[codes]
        self.block: NDArray[np.int64] = codes.astype(np.int64)
        """(images,) number of the block that each image is drawn with."""

        self.blocks = min(self.units, MOST_BLOCKS)

    def within(self, chosen: NDArray[np.bool_]) -> "Resampling":
        """Draws of those of the images that a mask (images,) chooses, together as they were."""
        groups = self.block[chosen] if self.grouped else None
        return Resampling(int(chosen.sum()), groups, draws=self.draws, seed=self.seed)

    def weights(self) -> Iterator[Floats]:
        """For some draws at a time, (draws, blocks): how often each draw took each block."""
        rng = np.random.default_rng(self.seed)
        for start in range(0, self.draws, CHUNK):
            count = min(CHUNK, self.draws - start)
            drawn = rng.integers(0, self.blocks, (count, self.blocks)) + np.arange(count)[:, None] * self.blocks
            yield np.bincount(drawn.ravel(), minlength=count * self.blocks).reshape(count, -1).astype(np.float64)

    def block_sums(self, columns: ArrayLike) -> Floats:
        """Sums over each block: (blocks, K) of columns (images, K)."""
        values = np.asarray(columns, np.float64)
        return np.stack([np.bincount(self.block, column, self.blocks) for column in values.T], axis=1)

    def sums(self, block_sums: Any) -> Floats:
        """(draws, K) the sums over each draw, of (blocks, K) sums over each block, dense or sparse."""
        return np.concatenate([weights @ block_sums for weights in self.weights()])

    @cached_property
    def levels(self) -> tuple[float, float]:
        """The two levels at which to read a bootstrap distribution, widened for few units.

        Source: Hesterberg 2015, "What teachers should know about the bootstrap", sec. 5.3: the expanded percentile.
        """
        from scipy.special import ndtr, stdtrit

        freedom = max(self.units - 1, 1)
        t = stdtrit(freedom, (1 + CONFIDENCE) / 2)
        tail = float(ndtr(-np.sqrt((freedom + 1) / freedom) * t))
        return tail, 1 - tail

    def percentile(self, value: float, drawn: Floats) -> Interval:
        """The interval between the two levels of the draws' values (draws,); NaN draws had nothing to compute from."""
        drawn = drawn[~np.isnan(drawn)]
        if np.isnan(value) or not len(drawn):
            return UNKNOWN
        low, high = np.quantile(drawn, self.levels)
        return Interval(float(value), min(float(low), value), max(float(high), value))

    def means(self, columns: ArrayLike) -> list[Interval]:
        """The mean of each column of (images, K), with its interval."""
        values = np.asarray(columns, np.float64)
        sums = self.sums(self.block_sums(np.column_stack([values, np.ones(len(values))])))
        drawn = sums[:, :-1] / sums[:, -1:]
        return [self.percentile(float(mean), drawn[:, k]) for k, mean in enumerate(values.mean(axis=0))]

    def share(self, hits: NDArray[np.bool_]) -> Interval:
        """A share of the images: Wilson's interval, or by bootstrap where images are grouped.

        Args:
            hits: (images,).
        """
        count = int(hits.sum())
        plain = share(count, len(hits))
        if not self.grouped or not len(hits):
            return plain
        (drawn,) = self.means(hits[:, None])
        if 0 < count < len(hits):
            return drawn
        low, high = wilson(self.units * plain.value, self.units)  # all alike: as if each group were one image
        return Interval(plain.value, float(low), float(high))


def sign_p(drawn: Floats) -> float:
    """The two-sided p-value of a difference of 0, from a bootstrap's draws (draws,) of the difference.

    It serves where images are grouped, for which no exact test of independent images holds.
    """
    low = (1 + (drawn <= 0).sum()) / (1 + len(drawn))
    high = (1 + (drawn >= 0).sum()) / (1 + len(drawn))
    return float(min(1.0, 2 * min(low, high)))
