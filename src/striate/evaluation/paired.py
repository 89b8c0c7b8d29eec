"""Two models on the same images: which is better, whether they are as good as equal, or what it would take to tell."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from striate.evaluation.intervals import Floats, Interval, Resampling, finite, normal_quantile, sign_p
from striate.tasks.wilson import CONFIDENCE

MARGIN = 0.01  # of accuracy, within which two models count as equivalent
POWER = 0.8  # share of the times that the images needed would tell
Verdict = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Difference:
    """The mean score of model B less that of model A on the same images, and what follows from it."""

    count: int
    difference: Interval
    """Mean score of B less that of A, with its 95 % interval."""

    p: float
    """How often chance alone makes a difference as large as this, if neither is better: by Student's paired test."""

    margin: float
    equivalence_p: float
    """Of the two one-sided tests that the difference is inside the margin."""

    images_needed: float
    """Images after which a difference as large as the one seen would be told with a power of 80 %; inf if it is 0."""

    images_for_equivalence: float
    """Images after which no difference at all would be told to be inside the margin, with a power of 80 %."""

    @property
    def verdict(self) -> Verdict:
        """What can be said of B beside A.

        Models are equivalent where their difference is shown to be inside the margin, even if it is surely not 0.
        """
        if self.equivalence_p < 1 - CONFIDENCE:
            return "equivalent"
        if self.p < 1 - CONFIDENCE:
            return "better" if self.difference.value > 0 else "worse"
        return "undecided"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {name: finite(value) if isinstance(value, float) else value for name, value in vars(self).items()}
        return plain | {"verdict": self.verdict, "difference": self.difference.to_dict()}


@dataclass(frozen=True)
class Paired(Difference):
    """The same where each image is answered right or wrong, so that the score is the accuracy.

    Its p-value is that of McNemar's exact test: how often chance alone makes flips as uneven as these.
    """

    both: int
    """Images that both answered right."""

    gained: int
    """Images that B alone answered right."""

    lost: int
    """Images that A alone answered right."""

    neither: int


def paired(a: NDArray[np.bool_], b: NDArray[np.bool_], resampling: Resampling, margin: float = MARGIN) -> Paired:
    """Compares two models by whether each of N images was answered right.

    Args:
        a: (N,) whether model A answered each image right, N >= 1.
        b: (N,) likewise, of model B.
        resampling: of these N images.
        margin: of accuracy, > 0.
    """
    n = len(a)
    gained, lost = int((~a & b).sum()), int((a & ~b).sum())
    drawn = _drawn_differences(a, b, resampling)
    difference = (gained - lost) / n
    rate = (gained + lost + 1) / (n + 2)  # a flip either way in two images more: never 0
    return Paired(
        count=n,
        both=int((a & b).sum()),
        gained=gained,
        lost=lost,
        neither=int((~a & ~b).sum()),
        difference=resampling.percentile(difference, drawn),
        p=mcnemar(gained, lost) if not resampling.grouped else sign_p(drawn),
        margin=margin,
        equivalence_p=float(max((drawn <= -margin).mean(), (drawn >= margin).mean())),
        images_needed=images_to_tell(difference, rate),
        images_for_equivalence=images_for_equivalence(margin, rate),
    )


def paired_means(a: Floats, b: Floats, resampling: Resampling, margin: float = MARGIN) -> Difference:
    """Compares two models by the score of each of N images, such as an overlap.

    Args:
        a: (N,) the scores of model A, N >= 1.
        b: (N,) likewise, of model B.
        resampling: of these N images, each by itself.
        margin: of the mean score, > 0.
    """
    from scipy.special import stdtr

    more = np.asarray(b - a, np.float64)
    sums = resampling.sums(resampling.block_sums(np.stack([more, np.ones(len(more))], axis=1)))
    drawn, mean = sums[:, 0] / sums[:, 1], float(more.mean())
    square = float((more**2).mean())
    p = 1.0
    if mean and len(more) > 1:
        with np.errstate(divide="ignore"):
            p = float(2 * stdtr(len(more) - 1, -abs(mean) / (more.std(ddof=1) / np.sqrt(len(more)))))
    return Difference(
        count=len(more),
        difference=resampling.percentile(mean, drawn),
        p=p,
        margin=margin,
        equivalence_p=float(max((drawn <= -margin).mean(), (drawn >= margin).mean())),
        images_needed=images_to_tell(mean, square),
        images_for_equivalence=images_for_equivalence(margin, square),
    )


def _drawn_differences(a: NDArray[np.bool_], b: NDArray[np.bool_], resampling: Resampling) -> Floats:
    """(draws,) the difference of accuracy, with two images more in the data that flip one each way.

    Without those, models that never differ on the images seen would be taken to never differ at all.

    Source: Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data".
    """
    flips = b.astype(np.float64) - a
    if resampling.grouped:
        sums = resampling.sums(resampling.block_sums(np.stack([flips, np.ones(len(flips))], axis=1)))
        extra = np.random.default_rng(resampling.seed).poisson(1.0, (2, len(sums)))
        return np.asarray((sums[:, 0] + extra[0] - extra[1]) / (sums[:, 1] + 2))
    n = len(flips)
    chances = np.array([(flips > 0).sum() + 1, (flips < 0).sum() + 1, (flips == 0).sum()]) / (n + 2)
    counts = np.random.default_rng(resampling.seed).multinomial(n + 2, chances, 20 * resampling.draws)
    return np.asarray((counts[:, 0] - counts[:, 1]) / (n + 2))


def mcnemar(gained: int, lost: int) -> float:
    """The two-sided p-value of McNemar's exact test.

    Source: McNemar 1947; Dietterich 1998, "Approximate statistical tests for comparing supervised classification
    learning algorithms", sec. 3.1.

    >>> mcnemar(10, 2), mcnemar(0, 0)
    (0.0385742..., 1.0)
    """
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def images_to_tell(difference: float, flip_rate: float) -> float:
    """Images after which a paired test tells a difference of the mean score four times in five; inf for none.

    Args:
        difference: of accuracy or another mean score, -1 to 1.
        flip_rate: share of the images that one of the models alone answers right; of scores that are no hits, the mean
            square of their differences.

    Source: Connor 1987, "Sample size for testing differences in proportions for the paired-sample design".

    >>> round(images_to_tell(0.02, 0.10))
    1960
    """
    if not difference:
        return math.inf
    flip_rate = max(flip_rate, difference**2)
    z = normal_quantile((1 + CONFIDENCE) / 2) * math.sqrt(flip_rate)
    z += normal_quantile(POWER) * math.sqrt(max(flip_rate - difference**2, 0.0))
    return math.ceil((z / difference) ** 2)


def images_for_equivalence(margin: float, flip_rate: float) -> float:
    """Images after which two one-sided tests find two equal models equivalent four times in five.

    Source: Chow, Shao and Wang 2008, "Sample size calculations in clinical research", sec. 4.2.2.

    >>> round(images_for_equivalence(0.01, 0.05))
    4282
    """
    z = normal_quantile(CONFIDENCE) + normal_quantile((1 + POWER) / 2)
    return math.ceil(z**2 * flip_rate / margin**2)


def mean_difference(a: NDArray[Any], b: NDArray[Any], resampling: Resampling) -> Interval:
    """The mean of b - a over the same images (N,), such as of two models' losses, with its interval."""
    (interval,) = resampling.means((np.asarray(b, np.float64) - a)[:, None])
    return interval
