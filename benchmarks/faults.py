"""The fault table: what went wrong, how often, and whether the resumed run ended with the bits of the unbroken one.

usage: python benchmarks/faults.py [TIMES]

Prints Markdown. The faults are those of tests/faults; each run is one of a small network on 28 images, 20 steps long.
Identical are, by sha256, the best model's weights, the weights, average and optimiser after the last step, metrics.csv
but for the columns that the clock decides, and the rows of every step.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from fault_harness import FAULTS, Fault, FaultError, Harness, can_mount


def outcome(harness: Harness, fault: Fault, times: int) -> str:
    """How many of so many runs ended as the unbroken one."""
    try:
        same = sum(harness.meet(fault) == harness.unbroken(fault.config) for _ in range(times))
    except FaultError as error:
        return f"**{str(error).splitlines()[0]}**"
    return f"{same} of {times}" if same == times else f"**{same} of {times}**"


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    mounts = can_mount()
    print("| fault | processes | times | identical |")
    print("| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder, Harness(Path(folder)) as harness:
        for fault in FAULTS:
            if fault.small_disk and not mounts:
                print(f"| {fault.name} | {fault.lives} | 0 | this process may not mount a file system |")
            else:
                print(f"| {fault.name} | {fault.lives} | {times} | {outcome(harness, fault, times)} |", flush=True)


if __name__ == "__main__":
    main()
