"""Two processes against one on this machine, as at the prompt: images a second of training, A B A B.

usage: python benchmarks/processes.py [DATA [FLAGS …]]

Each run takes two epochs; the rate is that of the last, as metrics.csv has it, in which nothing is set up any more.
Both see the same images in the same order, at the same effective batch, and use all cores that they may use.
"""

import csv
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from striate.processors import cores
from striate.training import RunFolder

ROOT = Path(__file__).parents[1]
DATA = "../shared/data/hymenoptera"
FLAGS = ("--weights", "none", "--model", "resnet18", "--img-size", "128", "--batch-size", "64")
ROUNDS = 3
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
STARTS = {"1 process": (sys.executable,), "2 processes": TORCHRUN}


def rate(start: tuple[str, ...], data: Path, flags: list[str], folder: Path) -> float:
    """Images a second in the last epoch of a run."""
    words = ["-m", "striate", "train", str(data), *flags, "--epochs", "2", "--output", str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    subprocess.run([*start, *words], check=True, capture_output=True, env=environment)
    with RunFolder(folder).metrics.open(newline="") as file:
        *_, last = csv.DictReader(file)
    return float(last["images_per_s"])


def main() -> None:
    data, flags = ROOT / (sys.argv[1] if len(sys.argv) > 1 else DATA), sys.argv[2:] or list(FLAGS)
    if not data.exists():
        print(f"processes: skipped, because {data} is not there")
        return
    print(f"{data.name} {' '.join(flags)}; {cores()} cores")
    rates: dict[str, list[float]] = {name: [] for name in STARTS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            for name, start in STARTS.items():
                rates[name].append(rate(start, data, flags, Path(folder) / f"{number} {name}"))
                print(f"round {number + 1}, {name}: {rates[name][-1]:,.1f} images/s", flush=True)
    for name, found in rates.items():
        print(f"{name}: median {statistics.median(found):,.1f} images/s")
    one, two = rates.values()
    print(
        f"2 processes against 1: {statistics.median(b / a for a, b in zip(one, two, strict=True)):.2f} times the rate"
    )


if __name__ == "__main__":
    main()
