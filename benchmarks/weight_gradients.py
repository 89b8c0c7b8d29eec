"""Gradients of convolutions' weights, by oneDNN and as one matrix product, in the steps of some networks.

usage: python benchmarks/weight_gradients.py [NET SIZE BATCH]

Each convolution of a step is done both ways, one after the other, on what the step gives it; medians of three steps, in
milliseconds. `taken` says which of the two `striate.training.weight_gradients` would take.
"""

import sys
import time
from collections import defaultdict
from statistics import median
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from striate.device import choose, keep_memory
from striate.nets import create
from striate.training.weight_gradients import BACKWARD, Backward, gains, gradients

STEPS = (
    ("resnet18", 224, 64),
    ("resnet18", 128, 64),
    ("resnet50", 224, 32),
    ("resnet50", 128, 32),
    ("mobilenet_v2", 224, 64),
    ("vgg16", 128, 16),
    ("airbench94", 32, 500),
    ("resnet20_cifar", 32, 128),
)
WARM_UP, COUNTED = 2, 3


def _by_onednn(of: Backward) -> Any:
    return BACKWARD(*of)


class Both(TorchDispatchMode):
    """Times both ways for each convolution, by its channels, kernel, stride and output map."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds: dict[tuple[Any, ...], tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
        self.taken: dict[tuple[Any, ...], bool] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func is not BACKWARD or args[1].shape[1] == 3 or args[9] != 1:  # the first layer's is always oneDNN's
            return func(*args, **(kwargs or {}))
        of = Backward(*args)
        out_channels, in_channels, *kernel = of.weight.shape
        key = (in_channels, out_channels, kernel[0], of.stride[0], of.gradient.shape[2])
        alone = of._replace(wanted=[False, True, of.wanted[2]])
        for way, seconds in zip((_by_onednn, gradients), self.seconds[key], strict=True):
            started = time.perf_counter()
            way(alone)
            seconds.append(time.perf_counter() - started)
        self.taken[key] = gains(of)
        return func(*args)


def measure(name: str, size: int, batch_size: int) -> None:
    machine = choose("cpu", "bfloat16")
    torch.manual_seed(0)
    net = machine.place(create(name, num_classes=10)).train()
    images, labels = machine.images(torch.randn(batch_size, 3, size, size)), torch.randint(10, (batch_size,))
    both = Both()
    for number in range(WARM_UP + COUNTED):
        if number == WARM_UP:
            both.seconds.clear()
        with machine.autocast():
            loss = cross_entropy(net(images), labels)
        with both:
            loss.backward()
    print(f"{name}, {batch_size} images of {size} x {size}; {machine}")
    print("   in   out kernel stride  map  count  oneDNN product  taken")
    totals = [0.0, 0.0]
    for key, (theirs, ours) in both.seconds.items():
        count, milliseconds = len(ours) // COUNTED, [1000 * median(theirs), 1000 * median(ours)]
        taken = both.taken[key]
        totals[0] += count * milliseconds[0]
        totals[1] += count * milliseconds[taken]
        channels = f"{key[0]:5}{key[1]:6}{key[2]:7}{key[3]:7}{key[4]:5}"
        print(f"{channels}{count:7}{milliseconds[0]:8.1f}{milliseconds[1]:8.1f}  {'product' if taken else 'oneDNN'}")
    print(f"together {totals[0]:.0f} ms by oneDNN, {totals[1]:.0f} ms as taken", flush=True)


def main() -> None:
    if not torch.cpu.get_capabilities().get("amx_bf16"):
        print("weight_gradients: skipped, because this processor has no AMX matrix units for bfloat16")
        return
    keep_memory()
    steps = [(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))] if sys.argv[1:] else STEPS
    for name, size, batch_size in steps:
        measure(name, size, batch_size)


if __name__ == "__main__":
    main()
