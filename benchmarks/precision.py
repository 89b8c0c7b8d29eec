"""Accuracy in bfloat16 and in float32: the same commands over several seeds, and whether they differ by more than that.

usage: python benchmarks/precision.py [SEEDS [JOB ...]]

Beside the means stand the standard deviations over the seeds, and the 95 % interval of the difference (Welch's t).
"""

import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from statistics import fmean, stdev

from scipy.stats import ttest_ind

ROOT = Path(__file__).parents[1]
SHARED = ROOT / "../shared"
STRIATE = [sys.executable, "-m", "striate"]
JOBS = {  # data, and flags of `striate train`
    "mnist": ("data/mnist", "--recipe", f"{ROOT}/recipes/mnist-lenet5.toml", "--epochs", "2"),
    "cifar10-jpeg": (
        "data/cifar10-jpeg",
        "--recipe",
        f"{ROOT}/recipes/cifar10-fast.toml",
        "--epochs",
        "1",
        "--warmup-epochs",
        "0.2",
    ),
    "hymenoptera, transfer": (
        "data/hymenoptera",
        "--weights",
        f"{SHARED}/weights/mobilenet_v1_100_224.keras-folded.safetensors",
        "--freeze",
        "all",
    ),
}
PRECISIONS = ("float32", "bfloat16")


def accuracy(job: str, precision: str, seed: int) -> float:
    """Of one run, on test, or where there is none, on val."""
    name, *flags = JOBS[job]
    data = str(SHARED / name)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        same = ["--precision", precision]
        flags += ["--seed", str(seed), "--output", str(run), *same]
        subprocess.run([*STRIATE, "train", data, *flags], check=True, capture_output=True)
        ask = [*STRIATE, "evaluate", str(run / "model.safetensors"), data, "--json", *same]
        scores = json.loads(subprocess.run(ask, check=True, capture_output=True).stdout)
    return float(scores["metrics"]["accuracy"]["value"])


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"accuracy over {seeds} seeds, mean (standard deviation)")
    print(f"{'job':24}{'float32':>18}{'bfloat16':>18}{'difference':>12}{'95 % interval':>20}{'seconds':>16}")
    for job in sys.argv[2:] or JOBS:
        if not (SHARED / JOBS[job][0]).exists():
            print(f"{job}: skipped, because its data is not there")
            continue
        found: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
        seconds = dict.fromkeys(PRECISIONS, 0.0)
        for seed in range(seeds):
            for precision in PRECISIONS:
                started = time.perf_counter()
                found[precision].append(accuracy(job, precision, seed))
                seconds[precision] += (time.perf_counter() - started) / seeds
        line = "".join(f"{fmean(found[p]):10.4f} ({stdev(found[p]):.4f})" for p in PRECISIONS)
        difference = fmean(found["bfloat16"]) - fmean(found["float32"])
        low, high = interval(found["bfloat16"], found["float32"])
        each = " and ".join(f"{seconds[p]:.0f}" for p in PRECISIONS)
        print(f"{job:24}{line}{difference:+12.4f}{f'{low:+.4f} to {high:+.4f}':>20}{each:>16}", flush=True)


def interval(a: list[float], b: list[float]) -> tuple[float, float]:
    """Of the difference of the means, 95 %; a point where all values of each are one."""
    if stdev(a) == stdev(b) == 0:
        return fmean(a) - fmean(b), fmean(a) - fmean(b)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of SciPy, where one does not vary
        found = ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    return float(found.low), float(found.high)


if __name__ == "__main__":
    main()
