"""Wilson's interval of a share of independent images."""

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

CONFIDENCE = 0.95  # of every interval, wherever it comes from


def wilson(successes: ArrayLike, counts: ArrayLike) -> tuple[Floats, Floats]:
    """The bounds of Wilson's two-sided 95 % score interval for shares; 0 and 1 where nothing was counted.

    Args:
        successes: of any shape; may be fractional, as an effective count is.
        counts: of the same shape, >= successes.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> [round(float(bound), 4) for bound in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    right, n = np.asarray(successes, np.float64), np.asarray(counts, np.float64)
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = right / n
        middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = np.where(n > 0, middle - half, 0.0), np.where(n > 0, middle + half, 1.0)
    return np.where(right <= 0, 0.0, low), np.where(right >= n, 1.0, high)  # exactly, not but for rounding
