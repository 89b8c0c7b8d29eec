"""Two ways to do the same work, timed in turn in one process: A B A B …"""

import statistics
import time
from collections.abc import Callable


def compare(ours: Callable[[], int], reference: Callable[[], int], rounds: int = 3) -> tuple[float, float, float]:
    """Medians of units a second of both, and the median of the ratios of neighbouring runs.

    Args:
        ours: does the work once and returns how many units it did.
        reference: likewise.
        rounds: counted runs of each, after one of each that is not.
    """
    rates: dict[str, list[float]] = {"ours": [], "reference": []}
    for counted in range(rounds + 1):
        for name, work in (("ours", ours), ("reference", reference)):
            started = time.perf_counter()
            units = work()
            if counted:
                rates[name].append(units / (time.perf_counter() - started))
    ratios = [a / b for a, b in zip(rates["ours"], rates["reference"], strict=True)]
    return statistics.median(rates["ours"]), statistics.median(rates["reference"]), statistics.median(ratios)
