"""How fast networks train and predict here."""

import functools
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from striate.device import Machine
from striate.graph.meta import build
from striate.inspect import inspect
from striate.machine.peak import peak_bytes
from striate.machine.timing import Rate, Work, rates
from striate.nets import create
from striate.recipe import TrainingRecipe
from striate.recipe.size import height_and_width
from striate.tasks import task_from_dict, to_device
from striate.training import optimizer
from striate.training.weight_gradients import bfloat16_backward

CLASSES = 10
CLASSIFY = {"name": "classify", "several_labels": False}  # the task of the networks of the catalogue that are timed
PASSES = 3  # what a training step counts as: forward, back to the maps, and back to the weights


@dataclass(frozen=True)
class Speed:
    """How fast one network is in one precision."""

    model: str
    precision: str
    training: Rate
    """Images a second."""

    inference: Rate
    multiplications: int
    """Those of one image, forward."""

    peak_bytes: int | None
    """The most memory that the network and a training step took; None where the system does not say."""

    def training_share(self, ceiling: float) -> float:
        """The share that training reaches of a convolution's operations a second."""
        return 2 * PASSES * self.multiplications * self.training.median / ceiling

    def inference_share(self, ceiling: float) -> float:
        """The same for inference."""
        return 2 * self.multiplications * self.inference.median / ceiling


@functools.cache
def multiplications(model: str, img_size: int | str) -> int:
    """The multiplications of one image, forward.

    Raises:
        UsageError: the network is unknown, or cannot take such images.
    """
    return inspect(build(lambda: create(model, num_classes=CLASSES)), (3, *height_and_width(img_size))).macs


def speeds(
    model: str, machines: list[Machine], batch_size: int, img_size: int | str, rounds: int, least_s: float
) -> list[Speed]:
    """How fast a network trains and predicts, on each machine in turn.

    Args:
        model: its name in the catalogue.
        machines: what it runs on; they differ in precision.
        batch_size: images a step.
        img_size: of the images: 224, or "224x320", height first.
        rounds: see `rates`.
        least_s: see `rates`.

    Raises:
        UsageError: the network is unknown, or cannot take such images.
    """
    macs = multiplications(model, img_size)
    images = torch.randn(batch_size, 3, *height_and_width(img_size))
    works: dict[str, Work] = {}
    peaks = [peak_bytes(machine.device, partial(_begin, model, machine, images, works)) for machine in machines]
    found = rates(works, rounds, least_s)
    return [
        Speed(
            model,
            machine.precision,
            found[f"{machine.precision}, training"],
            found[f"{machine.precision}, inference"],
            macs,
            peak,
        )
        for machine, peak in zip(machines, peaks, strict=True)
    ]


def _begin(model: str, machine: Machine, images: torch.Tensor, works: dict[str, Work]) -> None:
    """Adds training and inference of a new network to `works`, and takes its first step."""
    net = machine.place(create(model, num_classes=CLASSES))
    works[f"{machine.precision}, training"] = _training(net, machine, images)
    works[f"{machine.precision}, inference"] = _inference(net, machine, images)
    works[f"{machine.precision}, training"]()


def _training(net: nn.Module, machine: Machine, images: torch.Tensor) -> Work:
    task = task_from_dict(tuple(map(str, range(CLASSES))), CLASSIFY)
    objective = machine.place(task.objective(net))
    updates = optimizer.build(net, TrainingRecipe(opt="momentum", lr=1e-3))
    placed = machine.images(images)
    targets = to_device(task.blank_targets(len(images), (3, *images.shape[2:])), machine.device)
    faster = bfloat16_backward(net, machine)

    def work() -> float:
        objective.train()
        with machine.autocast():
            loss, _ = objective(placed, targets)
        with faster:
            loss.backward()
        updates.step()
        updates.zero_grad()
        return len(images)

    return work


def _inference(net: nn.Module, machine: Machine, images: torch.Tensor) -> Work:
    placed = machine.images(images)

    def work() -> float:
        net.eval()
        with torch.inference_mode(), machine.autocast():
            net(placed)
        return len(images)

    return work
