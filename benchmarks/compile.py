"""A training step that `torch.compile` has rewritten beside the same step as it is, in the machine's precision.

usage: python benchmarks/compile.py [NET ...]

A B A B; "ready after" is the first compiled step, "won back by" the images after which it has paid.
"""

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext

import torch

from _timing import compare
from striate.device import choose, keep_memory
from striate.nets import create, default_of
from striate.tasks.classify import Classify
from striate.training.weight_gradients import bfloat16_backward

NETS = {  # batch, height and width, steps of a timed piece of work
    "lenet5": (128, 32, 40),
    "resnet20_cifar": (128, 32, 4),
    "resnet18": (32, 224, 2),
    "mobilenet_v2": (32, 224, 2),
}


def stepper(name: str, *, compiled: bool) -> tuple[Callable[[], int], float]:
    """A function that takes some steps and returns how many images it used; the seconds of the first one."""
    machine = choose()
    batch, size, steps = NETS[name]
    torch.manual_seed(0)
    net = machine.place(create(name, num_classes=10))
    objective = machine.place(Classify(tuple(map(str, range(10)))).objective(net)).train()
    if compiled:
        objective.compile(dynamic=False, options={"fallback_random": True})  # as a run does
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, fused=True)
    images = machine.images(torch.randn(batch, default_of(name, "in_channels"), size, size))
    labels = (torch.arange(batch) % 10).to(machine.device)
    backward = nullcontext() if compiled else bfloat16_backward(net, machine)  # as a run has it

    def step() -> None:
        with machine.autocast():
            loss, _ = objective(images, {"label": labels})
        with backward:
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    def work() -> int:
        for _ in range(steps):
            step()
        if machine.device.type == "cuda":
            torch.cuda.synchronize()
        return steps * batch

    started = time.perf_counter()
    step()
    return work, time.perf_counter() - started


def main() -> None:
    keep_memory()
    print(f"training steps, images a second, medians of 5; {choose()}")
    print(f"{'net':16}{'compiled':>10}{'as it is':>10}{'ratio':>8}{'ready after':>13}{'won back by':>20}")
    for name in sys.argv[1:] or NETS:
        (ours, ready), (reference, _) = (stepper(name, compiled=compiled) for compiled in (True, False))
        a, b, ratio = compare(ours, reference, rounds=5)
        back = f"{ready / (1 / b - 1 / a):,.0f} images" if a > b else "never"
        print(f"{name:16}{a:10.1f}{b:10.1f}{ratio:7.2f}x{ready:11.1f} s{back:>20}", flush=True)


if __name__ == "__main__":
    main()
