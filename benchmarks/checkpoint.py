"""What a checkpoint costs the training that goes on meanwhile.

usage: python benchmarks/checkpoint.py [NET …]

For each network with AdamW and a running average: the time that the loop stands still while its tensors are copied, the
time that a thread then takes to write them, and how much slower steps are while it does, A B A B. The last column is
what all that comes to with a checkpoint every ten minutes.
"""

import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import torch

from striate.device import choose, keep_memory
from striate.nets import create
from striate.recipe import Recipe, TrainingRecipe
from striate.training import checkpoint, optimizer
from striate.training.ema import Ema
from striate.training.state import State

NETS = ("resnet18", "resnet50", "mobilenet_v2")
BATCH, IMG_SIZE, ROUNDS, EVERY_S = 16, 224, 5, 600.0


def measure(name: str, folder: Path) -> tuple[float, float, float, float]:
    """Megabytes of a checkpoint, seconds to copy and to write it, and how many times as long steps take meanwhile."""
    machine = choose("cpu")
    net = machine.place(create(name, num_classes=10)).train()
    state = State(net, optimizer.build(net, TrainingRecipe()), Ema(net, 0.999))
    images = machine.images(torch.randn(BATCH, 3, IMG_SIZE, IMG_SIZE))

    def step() -> float:
        started = time.perf_counter()
        with machine.autocast():
            loss = net(images).float().square().mean()
        loss.backward()
        state.optimizer.step()
        state.optimizer.zero_grad()
        return time.perf_counter() - started

    for _ in range(2):
        step()
    copying, writing, alone, beside = [], [], [], []
    for state.progress.step in range(ROUNDS):
        alone.append(step())
        started = time.perf_counter()
        frozen = checkpoint.freeze(state, Recipe())
        copying.append(time.perf_counter() - started)
        thread = threading.Thread(target=checkpoint.write, args=(folder, frozen))
        started = time.perf_counter()
        thread.start()
        beside.append(step())
        thread.join()
        writing.append(time.perf_counter() - started)
    size = sum(value.nbytes for value in frozen.tensors.values()) / 1e6
    return size, median(copying), median(writing), median(b / a for a, b in zip(alone, beside, strict=True))


def main() -> None:
    keep_memory()
    print(f"{choose('cpu')}; medians of {ROUNDS}, batches of {BATCH} at {IMG_SIZE}")
    print(f"{'':14}{'MB':>8}{'copied, s':>11}{'written, s':>12}{'step beside':>13}{'every 10 min':>14}")
    for name in sys.argv[1:] or NETS:
        folder = Path(tempfile.mkdtemp())
        try:
            size, copied, written, slower = measure(name, folder)
        finally:
            shutil.rmtree(folder)
        share = (copied + written * max(0.0, 1 - 1 / slower)) / EVERY_S
        print(f"{name:14}{size:8.0f}{copied:11.3f}{written:12.2f}{slower:13.2f}{share:14.3%}", flush=True)


if __name__ == "__main__":
    main()
