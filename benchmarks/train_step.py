"""A training step: as striate runs it here, beside the same step in float32 and the layout that comes by default.

usage: python benchmarks/train_step.py [NET ...]
"""

import sys
from collections.abc import Callable

import torch

from _timing import compare
from striate.device import Machine, choose
from striate.nets import create
from striate.recipe import TrainingRecipe
from striate.tasks import Classify
from striate.train import optimizer

BATCH, SIZE, CLASSES, STEPS = 32, 224, 10, 3


def stepper(net_name: str, machine: Machine) -> Callable[[], int]:
    """A function that runs a few steps and returns how many pictures it used."""
    task = Classify(tuple(str(i) for i in range(CLASSES)))
    net = machine.place(create(net_name, num_classes=CLASSES))
    objective = machine.place(task.objective(net)).train()
    updates = optimizer.build(net, TrainingRecipe(opt="momentum", lr=0.01))
    images = machine.images(torch.randn(BATCH, 3, SIZE, SIZE))
    labels = torch.randint(CLASSES, (BATCH,), device=machine.device)

    def steps() -> int:
        for _ in range(STEPS):
            with machine.autocast():
                loss, _ = objective(images, labels)
            loss.backward()
            updates.step()
            updates.zero_grad()
            loss.item()
        return STEPS * BATCH

    return steps


def main() -> None:
    machine = choose()
    plain = Machine(machine.device, "float32", "contiguous", "as it comes by default")
    print(f"training steps of {BATCH} pictures of {SIZE} pixels, pictures a second; {machine}")
    print(f"{'net':12}{'striate':>10}{'float32':>10}{'ratio':>8}")
    for name in sys.argv[1:] or ["resnet18", "resnet50"]:
        a, b, ratio = compare(stepper(name, machine), stepper(name, plain))
        print(f"{name:12}{a:10.1f}{b:10.1f}{ratio:8.2f}", flush=True)


if __name__ == "__main__":
    main()
