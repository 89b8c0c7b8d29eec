"""How far a run has come, and the live objects that a checkpoint freezes and restores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import torch
from msgspec import Meta
from torch import nn

from striate.recipe import Recipe
from striate.recipe.ranges import MOST
from striate.training import optimizer
from striate.training.ema import Ema

Count = Annotated[int, Meta(ge=0, le=10**15)]


@dataclass
class Totals:
    """Sums over the steps of an epoch, without those that were skipped."""

    images: Count = 0
    loss: float = 0.0
    score: float = 0.0
    """The sum of the task's `image_scores`."""

    wait_s: float = 0.0
    seconds: float = 0.0

    @property
    def mean_loss(self) -> float | None:
        """The mean over images; None where every step was skipped."""
        return self.loss / self.images if self.images else None

    @property
    def mean_score(self) -> float | None:
        """The mean of the task's `image_scores`; None where every step was skipped."""
        return self.score / self.images if self.images else None

    @property
    def wait_share(self) -> float:
        """The share of the time that was spent waiting for data."""
        return self.wait_s / self.seconds

    def add(self, images: int, loss: float, score: float) -> None:
        """Counts a step: its images, their mean loss, and the sum of their scores."""
        self.images += images
        self.loss += loss * images
        self.score += score

    def line(self, image_score: str) -> str:
        """The sentence of a console; `image_score` is the task's name for its score."""
        if not self.images:
            return "no step with finite numbers"
        return (
            f"loss {self.mean_loss:.4f}, {image_score.replace('_', ' ')} {self.mean_score:.4f}, "
            f"{self.images / self.seconds:,.0f} images/s, {self.wait_share:.0%} waiting for data"
        )

    def row(self, image_score: str) -> dict[str, Any]:
        """The columns of metrics.csv."""
        return {
            "train_loss": self.mean_loss,
            f"train_{image_score}": self.mean_score,
            "images_per_s": self.images / self.seconds,
            "wait_share": self.wait_share,
            "train_s": self.seconds,
        }


@dataclass
class Progress:
    """How far a run has come: with the recipe, all that the next step depends on besides weights."""

    epoch: Count = 0
    """The number of finished epochs."""

    step: Count = 0
    """The number of finished steps since the beginning of the run, skipped ones included."""

    totals: Totals = field(default_factory=Totals)
    """Those of the epoch that is not finished."""

    best: float | None = None
    """The best score on val so far."""

    rows: list[dict[str, int | float | None]] = field(default_factory=list)
    """The metrics of each finished epoch, all by the same names."""

    skipped: Count = 0
    """The number of steps that were skipped because a loss or gradient was not finite."""

    part_size: Annotated[int, Meta(ge=1, le=MOST)] | None = None
    """How many images go through the network at a time, where a whole batch took too much memory."""

    def __post_init__(self) -> None:
        if any(row.keys() != self.rows[0].keys() for row in self.rows):
            raise ValueError("expected the same metrics of each epoch; got others")


@dataclass
class State:
    """The live objects of a run that a checkpoint freezes and restores."""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    ema: Ema | None
    progress: Progress = field(default_factory=Progress)

    @staticmethod
    def begin(net: nn.Module, recipe: Recipe, lr_scales: Mapping[str, float] | None = None) -> "State":
        """The state before the first step; what is frozen of the net is frozen already.

        `lr_scales` as in `striate.training.optimizer.parameter_groups`.
        """
        training = recipe.training
        ema = Ema(net, training.ema_decay) if training.ema_decay else None
        return State(net, optimizer.build(net, training, lr_scales), ema)

    @property
    def evaluated(self) -> nn.Module:
        """The net that is scored and kept: the running average where there is one."""
        return self.net if self.ema is None else self.ema.net

    def set_lr(self, lr: float) -> None:
        """Sets the learning rate of the next step; each group of parameters has its share of it."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["lr_scale"] * lr
