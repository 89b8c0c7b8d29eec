"""The numbers of a study: every measure of every arm, seed by seed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.evaluation.intervals import Interval, student

Value = float | list[float]  # one number, or a series


@dataclass(frozen=True)
class Numbers:
    """What was measured."""

    values: Mapping[str, Mapping[str, list[Value]]]
    """By arm and measure, one value a seed; an arm that was left out has no measures."""

    def ran(self, *arms: str) -> bool:
        """Whether all of these arms were run."""
        return all(any(self.values[arm].values()) for arm in arms)

    def of(self, arm: str, measure: str, at: int | None = None) -> NDArray[np.float64]:
        """(seeds,) a measure; (seeds, points) where it is a series, unless `at` is the number of a point.

        It is empty where the arm was left out.
        """
        if not self.ran(arm):
            return np.empty(0)
        values = np.asarray(self.values[arm][measure], np.float64)
        return values if at is None else values[:, at]

    def interval(self, arm: str, measure: str, at: int | None = None) -> Interval:
        """The mean over seeds with its 95 % interval."""
        return student(self.of(arm, measure, at))
