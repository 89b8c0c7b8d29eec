"""The check of many small images: time, processor use and memory by their number, the first time and again.

usage: python benchmarks/check_sizes.py [IMAGES ...]

Prints Markdown. Each size (1,000, 10,000 and 100,000 images unless given) is a folder of 100 classes of JPEGs, 32 to 64
pixels wide and high, drawn at random: smooth colours with noise over them. `striate check` runs on it as a process of
its own, whose wall time, processor time and peak memory the system counts, start-up and all; then again, with what was
seen of the images kept. The peak is that of the process and those of its workers together. What a million images would
need is the last size's peak and the slope between the last two. Where other work takes the processors, the cores are
few; what is done by the process itself, which no second core shortens, is the time in brackets.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

IMAGES = (1_000, 10_000, 100_000)
CLASSES = 100
SMALLEST, LARGEST = 32, 64  # pixels
GRID = 9  # random colours along either side, smoothed between
NOISE = 12.0  # of 255
MANY = 1_000_000
EVERY = 0.1  # seconds between looks at the processes
TOO_NEW = 2.1  # seconds: a file that has just been written is read again, see striate.data.identity


@dataclass(frozen=True)
class Run:
    """One check: seconds, processor seconds of all its processes and of the first alone, and gigabytes at most."""

    seconds: float
    used: float
    alone: float
    peak: float

    def __str__(self) -> str:
        cores = self.used / self.seconds
        return f"{self.seconds:.1f} s | {cores:.2f} ({self.alone:.1f} of {self.used:.1f} s) | {self.peak:.2f} GB"


def draw(rng: np.random.Generator) -> Image.Image:
    """Smooth colours with noise over them, of a random size."""
    width, height = rng.integers(SMALLEST, LARGEST + 1, 2).tolist()
    colours = Image.fromarray(rng.integers(0, 256, (GRID, GRID, 3), np.uint8))
    smooth = np.asarray(colours.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    noisy = smooth + NOISE * rng.standard_normal((height, width, 1), np.float32)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def write_images(folder: Path, count: int) -> None:
    """So many JPEGs, dealt to class folders."""
    rng = np.random.default_rng(0)
    for number in range(CLASSES):
        (folder / f"class{number}").mkdir(parents=True)
    for number in range(count):
        draw(rng).save(folder / f"class{number % CLASSES}" / f"{number:06}.jpg", quality=85)


def check(folder: Path, cache: Path) -> Run:
    """Runs `striate check` once."""
    started = time.perf_counter()
    with (cache.parent / "said").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "striate", "check", str(folder)],
            env=os.environ | {"STRIATE_CACHE": str(cache)},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        alone, peak = 0.0, 0
        workers: dict[int, int] = {}
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            alone, peak = seen(process.pid, alone, peak)
            for worker in children(process.pid):
                workers[worker] = seen(worker, 0, workers.get(worker, 0))[1]
            time.sleep(EVERY)
    seconds = time.perf_counter() - started
    _, status, used = ended
    if os.waitstatus_to_exitcode(status):
        raise SystemExit((cache.parent / "said").read_text(encoding="utf-8")[-2000:])
    return Run(seconds, used.ru_utime + used.ru_stime, alone, (peak + sum(workers.values())) / 1e9)


def seen(process: int, seconds: float, peak: int) -> tuple[float, int]:
    """Processor seconds and peak bytes of a process by itself; what was seen before, where it has just ended."""
    with suppress(OSError, TypeError):
        times = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
        seconds = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
    return seconds, peak


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    with suppress(OSError):
        tasks = Path(f"/proc/{process}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text(encoding="utf-8").split()]
    return []


def measure(count: int) -> tuple[Run, Run]:
    """A first and a second check of so many images."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, cache = Path(temporary, "images"), Path(temporary, "cache")
        write_images(folder, count)
        time.sleep(TOO_NEW)
        return check(folder, cache), check(folder, cache)


def print_slope(sizes: Sequence[int], runs: Sequence[tuple[Run, Run]]) -> None:
    """What a million images would need, from the last two sizes."""
    for (small, large), (fewer, more) in list(zip(pairwise(sizes), pairwise(runs), strict=True))[-1:]:
        for which, one, other in zip(("first", "again"), fewer, more, strict=True):
            each = (other.peak - one.peak) / (large - small)
            at_many = other.peak + each * (MANY - large)
            between = f"from {small:,} to {large:,}"
            print(f"{which}: {each * 1e9:,.0f} bytes an image {between}; {at_many:.2f} GB at {MANY:,}")


def main() -> None:
    sizes = [int(count) for count in sys.argv[1:]] or list(IMAGES)
    print("| images | first | cores | peak | again | cores | peak | times as fast |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    runs = []
    for count in sizes:
        first, again = measure(count)
        runs.append((first, again))
        print(f"| {count:,} | {first} | {again} | {first.seconds / again.seconds:.1f} |", flush=True)
    print()
    print_slope(sizes, runs)


if __name__ == "__main__":
    main()
