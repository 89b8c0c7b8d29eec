"""Evaluating beside predicting: images a second and peak memory of each, in a process of its own, A B A B.

usage: python benchmarks/evaluation.py [IMAGES ...]

The images are those of CIFAR-10's training set, 10,000 and 50,000 of them unless given; the network is an untrained
`resnet20_cifar`, so that what stands around it shows. Evaluating ends with the whole record: every figure with its
interval.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from striate.data import IndexedImages, Preprocessing, read
from striate.data.crops import ONCE
from striate.evaluation import evaluate, summarise
from striate.model import Model
from striate.nets import create
from striate.tasks.classify import Classify

DATA = Path(__file__).parents[2] / "shared" / "data" / "cifar10-jpeg"
ROUNDS = 2


def measured(kind: str, count: int) -> str:
    """Seconds and peak megabytes of predicting or evaluating so many images."""
    index = read(DATA)
    index = type(index)(index.table.take(pa.array(index.rows("train")[:count])), index.classes, index.root)
    net = create("resnet20_cifar", num_classes=10).eval()
    shown = Preprocessing((3, 32, 32), (0.5,) * 3, (0.25,) * 3, 1.0)
    model = Model(net, "resnet20_cifar", {"num_classes": 10}, Classify(index.classes), shown)
    started = time.perf_counter()
    if kind == "predict":
        unreadable: dict[int, str] = {}
        images = IndexedImages(index)
        for outputs, batch in model.outputs_of(images, np.arange(count), 64, None, ONCE, unreadable=unreadable):
            names = [images.path(row) for row in batch.rows.tolist()]
            model.task.decode(outputs, names, [(32, 32)] * len(names), shown)
    else:
        summarise(evaluate(model, index, "train"), abstain_at=0.9)
    seconds = time.perf_counter() - started
    return f"{seconds:.2f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"


def main() -> None:
    if not DATA.exists():
        print(f"evaluation: skipped, because {DATA} is not there")
        return
    for count in [int(word) for word in sys.argv[1:]] or [10_000, 50_000]:
        for _ in range(ROUNDS):
            for kind in ("predict", "evaluate"):
                command = [sys.executable, __file__, "--measure", kind, str(count)]
                told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                rate = count / float(told[0])
                print(f"{kind} {count:,}: {rate:,.0f} images a second, {told[1]} MB at most", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(measured(sys.argv[2], int(sys.argv[3])))
    else:
        main()
