"""Rates: how much work is done in a second, with the spread over rounds."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

Work = Callable[[], float]  # does some work, and returns how much

UNSTEADY = 0.25  # spread, as a share of the median: from here on the machine was doing something else


@dataclass(frozen=True)
class Rate:
    """Work done in a second: the median and the quartiles over all rounds."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """What lies between the quartiles, as a share of the median."""
        return (self.high - self.low) / self.median

    @property
    def unsteady(self) -> bool:
        """Whether the rounds differ more than they do on a machine that does nothing else."""
        return self.spread > UNSTEADY


def rates(works: Mapping[str, Work], rounds: int, least_s: float) -> dict[str, Rate]:
    """The rate of each work, measured in turn: A B A B.

    Args:
        works: what to do, by name; each is done once before the clock starts.
        rounds: how often each is measured; the median counts; at least 2.
        least_s: the least seconds that a round lasts.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(_rate(work, least_s))
    return {name: _summary(values) for name, values in found.items()}


def seconds(work: Work) -> float:
    """What a work lasts that has been done once, so that nothing is prepared any more."""
    work()
    _wait()
    started = time.perf_counter()
    work()
    _wait()
    return time.perf_counter() - started


def _rate(work: Work, least_s: float) -> float:
    _wait()
    started = time.perf_counter()
    done = work()
    _wait()
    once = time.perf_counter() - started
    if once < least_s:
        for _ in range(math.ceil(least_s / once) - 1):
            done += work()  # a GPU is not waited for in between, which would take as long as a short work
        _wait()
    return done / (time.perf_counter() - started)


def _wait() -> None:
    """A GPU goes on while Python does: only what has finished is counted."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def _summary(values: list[float]) -> Rate:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Rate(median, low, high)
