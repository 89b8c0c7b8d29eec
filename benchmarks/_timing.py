"""Ways to do the same work, timed in turn in one process: A B C A B C …"""

import statistics
import time
from collections.abc import Callable, Mapping

Work = Callable[[], int]  # does the work once and returns how many units it did


def race(
    works: Mapping[str, Work], rounds: int = 3, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Units a second of each work in every counted round.

    Args:
        works: by name.
        rounds: counted runs of each, after one of each that is not.
        clock: gives seconds; `time.process_time` for those of the processor, by all threads together.
    """
    rates: dict[str, list[float]] = {name: [] for name in works}
    for counted in range(rounds + 1):
        for name, work in works.items():
            started = clock()
            units = work()
            if counted:
                rates[name].append(units / (clock() - started))
    return rates


def ratio(rates: Mapping[str, list[float]], a: str, b: str) -> float:
    """Median over the rounds of the rate of `a` over that of `b` in the same round."""
    return statistics.median(x / y for x, y in zip(rates[a], rates[b], strict=True))


def compare(ours: Work, reference: Work, rounds: int = 3) -> tuple[float, float, float]:
    """Medians of units a second of both, and the median of the ratios of neighbouring runs.

    Args:
        ours: does the work once and returns how many units it did.
        reference: likewise.
        rounds: counted runs of each, after one of each that is not.
        clock: gives seconds; `time.process_time` for those of the processor, by all threads together.
    """
    rates = race({"ours": ours, "reference": reference}, rounds)
    return statistics.median(rates["ours"]), statistics.median(rates["reference"]), ratio(rates, "ours", "reference")
