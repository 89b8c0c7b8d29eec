"""What a plan costs beside the run that it plans, in seconds of the processor and of the wall.

usage: python benchmarks/plan.py [ROUNDS [CLASSES ...]]

CLASSES are 2, 10 and 100 unless given: photos of ants and bees; 2,000 small photos; and 2,000 pairs of small photos
side by side, of which the classes of both together are the class. In each round, each in a process of its own: a plan
without its figures into an empty cache, the run that it plans after it, the same run into an empty cache, and a run
into an empty cache that decides by itself how much to freeze, as it does by default. All stages are frozen in the
others, with which they take least. `gross` is the plan over the run; `net` leaves out what the run after it no longer
computes; `auto` is what the run that decides takes beyond the run, over the run; medians of 3 rounds unless given.
Other programs that run beside this one lengthen the processor's seconds little, and those of the wall much; set
OMP_NUM_THREADS=1 where there are such.
"""

import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import striate
from striate.data import IndexedImages, read

SHARED = Path(__file__).parents[2] / "shared"
ANTS_AND_BEES, SMALL = SHARED / "data" / "hymenoptera", SHARED / "data" / "cifar10-jpeg"
WEIGHTS, PHOTOS, ROUNDS, CLASSES = "efficientnet_lite0", 2000, 3, (2, 10, 100)
Seconds = NDArray[np.float64]  # of the wall and of the processor


def photos(classes: int, folder: Path) -> Path:
    """A folder of photos of so many classes, which is written unless there are two."""
    if classes == 2:
        return ANTS_AND_BEES
    index = read(SMALL)
    images, together = IndexedImages(index), {10: 1, 100: 2}[classes]
    drawn = np.random.default_rng(0).permutation(index.rows("train"))[: PHOTOS * together].reshape(PHOTOS, together)
    for number, rows in enumerate(drawn):
        pixels = np.concatenate([images.open(int(row)).decode(1, 3) for row in rows], axis=1)
        target = folder / "-".join(index.classes[label] for label in index.labels(rows)) / f"{number:04d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.repeat(together, axis=0)).save(target)
    return folder


def seconds_of(verb: str, data: Path, cache: Path, *more: str, freeze: str = "all") -> Seconds:
    """Those of a process, the time until it is gone."""
    striate = Path(sys.executable).with_name("striate")
    command = [str(striate), verb, str(data), "--weights", WEIGHTS, "--freeze", freeze, *more]
    before, started = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"STRIATE_CACHE": str(cache)})
    wall = time.perf_counter() - started
    return np.array([wall, sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before])


def round_of(data: Path, folder: Path) -> tuple[Seconds, Seconds, Seconds, Seconds]:
    """A plan, the run after it, the run without it, and the run that decides."""
    shared, alone, deciding = folder / "after a plan", folder / "alone", folder / "deciding"
    return (
        seconds_of("plan", data, shared),
        seconds_of("train", data, shared, "--output", str(folder / "run after a plan")),
        seconds_of("train", data, alone, "--output", str(folder / "run")),
        seconds_of("train", data, deciding, "--output", str(folder / "run that decides"), freeze="auto"),
    )


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    rounds, wanted = given[0] if given else ROUNDS, given[1:] or CLASSES
    missing = [path for path in (ANTS_AND_BEES, SMALL) if not path.exists()]
    if missing:
        print(f"plan: skipped, because {missing[0]} is not there")
        return
    compileall.compile_dir(Path(striate.__file__).parent, quiet=1)  # as an installation does, not each process anew
    print(f"{'classes':>8}{'seconds of':>12}{'plan':>8}{'run':>8}{'after':>8}{'gross':>8}{'net':>8}{'auto':>8}")
    with tempfile.TemporaryDirectory() as name:
        for classes in wanted:
            data = photos(classes, Path(name) / f"{classes} classes")
            found = []
            for _ in range(rounds):
                with tempfile.TemporaryDirectory() as folder:
                    found.append(round_of(data, Path(folder)))
            for place, clock in enumerate(("the wall", "processor")):
                plan, after, run, _ = (statistics.median(each[n][place] for each in found) for n in range(4))
                gross = statistics.median(p[place] / r[place] for p, _, r, _ in found)
                net = statistics.median((p[place] + a[place]) / r[place] - 1 for p, a, r, _ in found)
                auto = statistics.median(d[place] / r[place] - 1 for _, _, r, d in found)
                times = "".join(f"{seconds:8.1f}" for seconds in (plan, run, after))
                print(f"{classes:8}{clock:>12}{times}{gross:8.2f}{net:8.2f}{auto:8.2f}", flush=True)


if __name__ == "__main__":
    main()
