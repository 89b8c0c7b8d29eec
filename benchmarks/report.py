"""The report of a run on many images: how long it takes beside the evaluation, the most memory held, its size.

usage: python benchmarks/report.py [IMAGES]

LeNet-5 with random weights on IMAGES images (50,000 unless given) of cifar10-jpeg, which it answers at chance:
the report is then as long as it can be. Each round is a process of its own, A B A B: the evaluation alone, and the
report, of which evaluation is a part.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from striate.data import Index, Preprocessing, read
from striate.evaluation import evaluate, summarise
from striate.model import Model
from striate.nets import create
from striate.report.write import write_report
from striate.tasks import task_from_dict

IMAGES, ROUNDS = 50_000, 2
DATA = Path(__file__).parents[2] / "shared" / "data" / "cifar10-jpeg"
MB = 1024  # of ru_maxrss, which Linux gives in kilobytes


def model_and_images(count: int) -> tuple[Model, Index]:
    index = read(DATA)
    index = index.with_column("split", ["test" if row < count else "train" for row in range(len(index))])
    arguments = {"num_classes": len(index.classes), "in_channels": 3, "activation": "relu"}
    torch.manual_seed(0)
    net = create("lenet5", **arguments).eval()
    task = task_from_dict(index.classes, {"name": "classify", "several_labels": False})
    preprocessing = Preprocessing((3, 32, 32), (0.5,) * 3, (0.25,) * 3, crop_pct=1.0)
    return Model(net, "lenet5", arguments, task, preprocessing), index


def evaluate_alone(count: int) -> int:
    model, index = model_and_images(count)
    return summarise(evaluate(model, index, "test")).count


def report(count: int) -> int:
    model, index = model_and_images(count)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        write_report(model, index, Path("model.safetensors"), page=page, split="test")
        return page.stat().st_size


def measured(work: Callable[[int], int], count: int) -> tuple[float, float, int]:
    """Seconds, megabytes at the most, and what the work gives, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (work, count))


def _measure(work: Callable[[int], int], count: int) -> tuple[float, float, int]:
    started = time.perf_counter()
    found = work(count)
    seconds = time.perf_counter() - started
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB, found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    for _ in range(ROUNDS):
        seconds, megabytes, _images = measured(evaluate_alone, count)
        print(f"evaluation of {count:,} images: {seconds:6.1f} s, {megabytes:,.0f} MB", flush=True)
        seconds, megabytes, size = measured(report, count)
        print(
            f"report on     {count:,} images: {seconds:6.1f} s, {megabytes:,.0f} MB, page of {size / 1e6:.2f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
