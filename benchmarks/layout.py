"""A training step on a CPU: channels_last beside the layout that comes by default, and bfloat16 beside float32.

Seconds are those of the processor, which other programs that run beside this one do not take away.

usage: python benchmarks/layout.py [NET ...]
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch

from _timing import race
from striate.device import Machine, choose, keep_memory
from striate.nets import create, default_of
from striate.tasks.classify import Classify

NETS = {"lenet5": (128, 32), "resnet20_cifar": (128, 32), "resnet18": (16, 224), "mobilenet_v2": (16, 224)}
IMAGES = 512  # at most, a timed piece of work


def stepper(name: str, precision: str, memory_format: str) -> Callable[[], int]:
    """A function that takes some steps and returns how many images it used."""
    machine = Machine(torch.device("cpu"), precision, memory_format, "")  # type: ignore[arg-type]
    batch, size = NETS[name]
    net = machine.place(create(name, num_classes=10))
    objective = machine.place(Classify(tuple(map(str, range(10)))).objective(net)).train()
    images = machine.images(torch.randn(batch, default_of(name, "in_channels"), size, size))
    labels = torch.arange(batch) % 10
    steps = max(IMAGES // batch // (1 if size == 32 else 16), 1)

    def work() -> int:
        for _ in range(steps):
            with machine.autocast():
                loss, _ = objective(images, {"label": labels})
            loss.backward()
            objective.zero_grad()
        return steps * batch

    return work


def main() -> None:
    keep_memory()
    print(f"training steps, images a processor second, medians of 5; {choose('cpu').reason}")
    ways = (("float32", "contiguous"), ("float32", "channels_last"), ("bfloat16", "channels_last"))
    print(f"{'net':16}" + "".join(f"{' '.join(way):>26}" for way in ways))
    for name in sys.argv[1:] or NETS:
        found = race({" ".join(way): stepper(name, *way) for way in ways}, rounds=5, clock=time.process_time)
        medians = [statistics.median(rates) for rates in found.values()]
        print(f"{name:16}" + "".join(f"{rate:18.1f} {rate / medians[0]:6.2f}x" for rate in medians), flush=True)


if __name__ == "__main__":
    main()
