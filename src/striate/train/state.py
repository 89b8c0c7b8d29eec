"""What a run is made of: what stays the same while it goes on, and how far it has come."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import nn

from striate.augment import Augmentation, resolve
from striate.data import Index, Preprocessing
from striate.device import Machine
from striate.recipe import Recipe
from striate.tasks import Task
from striate.train.console import Reporter
from striate.train.distributed import ALONE, Processes
from striate.train.ema import Ema
from striate.train.folder import RunFolder


@dataclass(frozen=True)
class Run:
    """What stays the same while a run goes on."""

    recipe: Recipe
    index: Index
    task: Task
    preprocessing: Preprocessing
    machine: Machine
    workers: int
    folder: RunFolder
    reporter: Reporter
    about: dict[str, Any]
    """What the model file says of the run."""

    network: str
    """The name of the net in the catalogue, with the task's head."""

    arguments: dict[str, Any]
    """Of the net, resolved."""

    processes: Processes = ALONE
    """Which of those that train together this is."""

    @cached_property
    def augment(self) -> Augmentation:
        """The recipe's augmentation, with nothing left open."""
        return resolve(self.recipe.augment)


@dataclass
class Tally:
    """Sums over the steps of an epoch, without those that were skipped."""

    pictures: int = 0
    loss: float = 0.0
    score: float = 0.0
    """The sum of the task's `image_scores`."""

    wait_s: float = 0.0
    seconds: float = 0.0

    @property
    def mean_loss(self) -> float | None:
        """A picture's; None where every step was skipped."""
        return self.loss / self.pictures if self.pictures else None

    @property
    def mean_score(self) -> float | None:
        """The mean of the task's `image_scores`; None where every step was skipped."""
        return self.score / self.pictures if self.pictures else None

    def line(self, image_score: str) -> str:
        """What is said of them; `image_score` is the name of the task's."""
        if not self.pictures:
            return "no step without a fault"
        return (
            f"loss {self.mean_loss:.4f}, {image_score.replace('_', ' ')} {self.mean_score:.4f}, "
            f"{self.pictures / self.seconds:,.0f} pictures/s, {self.wait_s / self.seconds:.0%} waiting for data"
        )


@dataclass
class Progress:
    """How far a run has come: with the recipe, all that the next step depends on besides weights."""

    epoch: int = 0
    """Epochs that are finished."""

    step: int = 0
    """Steps that are finished, from the beginning of the run; skipped ones count."""

    tally: Tally = field(default_factory=Tally)
    """Of the epoch that is not finished."""

    best: float | None = None
    """Best score on val so far."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """Metrics of each finished epoch."""

    skipped: int = 0
    """Steps that were skipped because a loss or gradient was not finite."""

    part_size: int | None = None
    """Pictures that go through the network at a time, where a whole batch took too much memory."""


@dataclass
class State:
    """The live objects of a run that a checkpoint freezes and restores."""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    ema: Ema | None
    progress: Progress = field(default_factory=Progress)
