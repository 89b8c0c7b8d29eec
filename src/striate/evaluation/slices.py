"""Slices: how a model does on parts of the images, such as each camera or each year."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.evaluation.intervals import UNKNOWN, Interval, Resampling, sign_p
from striate.tasks.wilson import CONFIDENCE

MOST_VALUES = 30  # of a column that are shown; a column of numbers with more is cut into quarters
QUARTERS = 4


@dataclass(frozen=True)
class Slice:
    """The images of one value of a column."""

    column: str
    value: str
    count: int
    score: Interval
    """The mean of the images' scores: where an image is right or wrong, the accuracy."""

    rest: Interval
    """That of all other images."""

    p: float
    """Of a test against the rest, made larger by Holm's method for the number of slices of the column; 1 at most. The
    test is Fisher's exact one where images are right or wrong, else Mann and Whitney's, and one by bootstrap where
    images belong together."""

    @property
    def differs(self) -> bool:
        """Whether the slice differs from the rest by more than chance, given how many slices were looked at."""
        return self.p < 1 - CONFIDENCE


def slices(column: str, values: Sequence[Any], scores: NDArray[Any], resampling: Resampling) -> list[Slice]:
    """The mean score of each value of a column, the worst first.

    A column of numbers with many values is cut into four parts of equal count; of another one, the values with most
    images are taken, and the rest is one slice.

    Args:
        column: its name.
        values: (N,) of the images; None and "" are one value, without a name.
        scores: (N,) from 0 to 1; NaN counts for nothing.
        resampling: of these N images.
    """
    codes, names = _coded(values)
    known = ~np.isnan(scores)
    right_or_wrong = bool(np.isin(scores[known], (0, 1)).all())
    found = []
    for code, name in enumerate(names):
        parts = known & (codes == code), known & (codes != code)
        score, rest = (_mean(scores[part], resampling.within(part), right_or_wrong) for part in parts)
        p = _p(scores, *parts, right_or_wrong, resampling)
        found.append((name, int((codes == code).sum()), score, rest, p))
    p_values = holm([p for *_, p in found])
    rows = [Slice(column, *row[:4], p) for row, p in zip(found, p_values, strict=True)]
    return sorted(rows, key=lambda row: row.score.value)


def _mean(scores: NDArray[Any], resampling: Resampling, right_or_wrong: bool) -> Interval:
    if not len(scores):
        return UNKNOWN
    return resampling.share(scores == 1) if right_or_wrong else resampling.means(scores[:, None])[0]


def _p(
    scores: NDArray[Any], inside: NDArray[np.bool_], outside: NDArray[np.bool_], right_or_wrong: bool, by: Resampling
) -> float:
    """Of a test that images (N,) inside and outside of a slice are answered alike."""
    from scipy.stats import fisher_exact, mannwhitneyu

    if not (inside.any() and outside.any()):
        return 1.0
    if by.grouped:
        columns = np.stack([np.where(inside, scores, 0), inside, np.where(outside, scores, 0), outside], axis=1)
        in_sum, in_count, out_sum, out_count = by.sums(by.block_sums(columns)).T
        with np.errstate(invalid="ignore"):
            drawn = in_sum / in_count - out_sum / out_count
        return sign_p(drawn[~np.isnan(drawn)])
    if not right_or_wrong:
        return float(mannwhitneyu(scores[inside], scores[outside]).pvalue)
    right = [int((scores[part] == 1).sum()) for part in (inside, outside)]
    wrong = [int((scores[part] == 0).sum()) for part in (inside, outside)]
    return float(fisher_exact([right, wrong]).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values that stay valid although so many were looked at.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(np.asarray(p_values, float)[order] * factors), 1.0)
    result = np.empty(len(p_values))
    result[order] = adjusted
    return [float(round(p, 12)) for p in result]


def _coded(values: Sequence[Any]) -> tuple[NDArray[np.int64], list[str]]:
    """The slice of each image (N,), and the names of the slices."""
    numbers = [_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    if len(set(known)) > MOST_VALUES and len(known) == sum(value not in (None, "") for value in values):
        return _quarters(numbers)
    words = ["none given" if value in (None, "") else str(value) for value in values]
    names, codes, counts = np.unique(words, return_inverse=True, return_counts=True)
    if len(names) <= MOST_VALUES:
        return codes.astype(np.int64), names.tolist()
    kept = np.sort(np.argsort(-counts, kind="stable")[: MOST_VALUES - 1])
    place = np.full(len(names), len(kept))
    place[kept] = np.arange(len(kept))
    return place[codes].astype(np.int64), [*names[kept].tolist(), f"{len(names) - len(kept)} other values"]


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _quarters(numbers: list[float | None]) -> tuple[NDArray[np.int64], list[str]]:
    values = np.array([np.nan if number is None else number for number in numbers])
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, QUARTERS + 1)))
    codes = np.searchsorted(edges[1:-1], values, side="right")
    names = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    codes[np.isnan(values)] = len(names)
    return codes.astype(np.int64), [*names, "none given"] if np.isnan(values).any() else names
