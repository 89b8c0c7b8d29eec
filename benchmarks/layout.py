"""A training step in float32 on a CPU: channels_last beside the layout that comes by default.

usage: python benchmarks/layout.py [NET ...]
"""

import sys
from collections.abc import Callable

import torch

from _timing import compare
from striate.device import Machine, keep_memory
from striate.nets import create, default_of
from striate.tasks.classify import Classify

NETS = {"lenet5": (128, 32), "resnet20_cifar": (128, 32), "resnet18": (16, 224), "mobilenet_v2": (16, 224)}
PICTURES = 512  # at most, a timed piece of work


def stepper(name: str, memory_format: str) -> Callable[[], int]:
    """A function that takes some steps and returns how many pictures it used."""
    machine = Machine(torch.device("cpu"), "float32", memory_format, "")  # type: ignore[arg-type]
    batch, size = NETS[name]
    net = machine.place(create(name, num_classes=10))
    objective = machine.place(Classify(tuple(map(str, range(10)))).objective(net)).train()
    images = machine.images(torch.randn(batch, default_of(name, "in_channels"), size, size))
    labels = torch.arange(batch) % 10
    steps = max(PICTURES // batch // (1 if size == 32 else 16), 1)

    def work() -> int:
        for _ in range(steps):
            loss, _ = objective(images, {"label": labels})
            loss.backward()
            objective.zero_grad()
        return steps * batch

    return work


def main() -> None:
    keep_memory()
    print("training steps in float32, pictures a second, medians of 5")
    print(f"{'net':16}{'channels_last':>15}{'default':>10}{'ratio':>8}")
    for name in sys.argv[1:] or NETS:
        a, b, ratio = compare(stepper(name, "channels_last"), stepper(name, "contiguous"), rounds=5)
        print(f"{name:16}{a:15.1f}{b:10.1f}{ratio:7.2f}x", flush=True)


if __name__ == "__main__":
    main()
