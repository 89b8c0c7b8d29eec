"""The loader's threads beside torch's worker processes: the same decoding, the same warp, the same colour matrices.

usage: python benchmarks/loader.py [IMAGES]

Both run the same code for each image and hand over the same batches of uint8; what differs is who runs it. Rates are
of whole passes, IMAGES long (640 unless given; eight times that of MNIST), by workers that have started. Start and
memory are measured in a process of their own: the time to the first batch, and what that process and its children take
while a few batches are made beyond what it took before; pages that several share are parted between them.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from _timing import compare
from striate.data import MEAN_STD, Batch, IndexedImages, Loader, Order, Preprocessing, View, read, training_view
from striate.processors import cores
from striate.recipe import AugmentRecipe

IMAGES, BATCH = 640, 32
LARGE, LARGE_FILES = (4000, 3000), 16  # 12 megapixels
DATA = Path(__file__).parents[2] / "shared" / "data"
AUGMENT = AugmentRecipe(augment="medium")


class Shown(Dataset[tuple[Tensor, Tensor]]):
    """Images as torch's workers take them: (H, W, C), uint8, each with its colour (C, C + 1)."""

    def __init__(self, images: IndexedImages, preprocessing: Preprocessing, view: View) -> None:
        self.images = images
        self.preprocessing = preprocessing
        self.view = view

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        image = self.images.open(row)
        map_, colour = self.view(row, image.size)
        pixels = image.read(map_, self.preprocessing.size, self.preprocessing.channels)
        return torch.from_numpy(np.ascontiguousarray(pixels)), torch.from_numpy(colour)


@dataclass(frozen=True)
class Job:
    """What to make of which images."""

    folder: Path
    img_size: int
    channels: int
    count: int

    def threads(self, workers: int) -> Iterable[Batch]:
        """Batches by striate's loader."""
        images, order, preprocessing, view = self._parts()
        return Loader(images, order, preprocessing, view, workers=workers)

    def processes(self, workers: int) -> Iterable[list[Tensor]]:
        """The same batches by torch's loader, whose workers stay from pass to pass."""
        images, order, preprocessing, view = self._parts()
        sampler = [rows.tolist() for rows in order]
        shown = Shown(images, preprocessing, view)
        return DataLoader(
            shown, batch_sampler=sampler, num_workers=workers, persistent_workers=True, multiprocessing_context="fork"
        )

    def _parts(self) -> tuple[IndexedImages, Order, Preprocessing, View]:
        index = read(self.folder)
        rows = np.resize(np.flatnonzero(index.usable()), self.count)  # again from the first, where there are fewer
        preprocessing = Preprocessing((self.channels, self.img_size, self.img_size), *MEAN_STD[self.channels])
        images = IndexedImages(index)
        images.open(0)  # reads a file that holds many images, before processes would do so one by one
        view = training_view(AUGMENT, preprocessing, seed=0, epoch=0)
        return images, Order(rows, seed=0, epoch=0, batch_size=BATCH), preprocessing, view


def begin(job: Job, side: str, workers: int) -> tuple[float, float]:
    """Seconds to the first batch, and megabytes taken while the first few are made."""
    made = getattr(job, side)(workers)
    before, started = memory_mb(), time.perf_counter()
    iterator = iter(made)
    next(iterator)
    seconds = time.perf_counter() - started
    taken = [memory_mb(), *(memory_mb() for _, _ in zip(range(4), iterator, strict=False))]
    return seconds, max(taken) - before


def memory_mb() -> float:
    """What this process and the workers that it started take, in megabytes (Linux)."""
    processes = [os.getpid(), *(child.pid for child in multiprocessing.active_children())]
    rollups = [Path(f"/proc/{process}/smaps_rollup").read_text() for process in processes]
    return sum(int(line.split()[1]) for text in rollups for line in text.splitlines() if line.startswith("Pss:")) / 1e3


def measure(name: str, job: Job, workers: int) -> None:
    """Prints a line for the threads and one for the processes."""
    threads, processes = job.threads(workers), job.processes(workers)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        starts = [pool.submit(begin, job, side, workers).result() for side in ("threads", "processes")]
    a, b, ratio = compare(
        lambda: sum(len(batch.images) for batch in threads), lambda: sum(len(images) for images, _ in processes)
    )
    lines = zip(("threads", "processes"), (a, b), starts, (f"{ratio:8.2f}", ""), strict=True)
    for side, rate, (seconds, megabytes), compared in lines:
        print(f"{name:14}{workers:8}  {side:10}{rate:12.0f}{seconds:10.2f}{megabytes:10.0f}{compared}", flush=True)


def write_large(folder: Path) -> Path:
    """A few photos of 12 megapixels, smooth and grainy as a camera's, in one class folder."""
    (folder / "large").mkdir()
    for number in range(LARGE_FILES):
        rng = np.random.default_rng(number)
        coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8)).resize(LARGE, Image.Resampling.BICUBIC)
        grain = rng.integers(-6, 7, (LARGE[1], LARGE[0], 1), np.int16)
        pixels = (np.asarray(coarse) + grain).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "large" / f"{number}.jpg", quality=90)
    return folder


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    print(f"{count} images a pass, batches of {BATCH}, {cores()} cores")
    print(f"{'data':14}{'workers':>8}  {'side':10}{'images/s':>12}{'start, s':>10}{'MB':>10}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        jobs = {
            "hymenoptera": Job(DATA / "hymenoptera", 224, 3, count),
            "mnist": Job(DATA / "mnist", 28, 1, 8 * count),
            "12 megapixels": Job(write_large(Path(folder)), 224, 3, count // 4),
        }
        for name, job in jobs.items():
            if not job.folder.exists():
                print(f"{name}: skipped, because {job.folder} is not there")
                continue
            for workers in (1, 2, 4):
                measure(name, job, workers)


if __name__ == "__main__":
    main()
