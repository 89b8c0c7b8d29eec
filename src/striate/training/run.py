"""A run: everything that stays the same while it goes on."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import nn

from striate import recipe as recipes
from striate.augment import Augmentation, resolve
from striate.console import Reporter
from striate.data import Index, Order, Preprocessing, Rows, weighted_rows
from striate.data.sampler import Weights
from striate.device import Machine
from striate.model import Model
from striate.recipe import Recipe
from striate.tasks import Task
from striate.training.checkpoint import Checkpoint
from striate.training.commit import commit
from striate.training.folder import RunFolder
from striate.training.process_group import ALONE, Processes


@dataclass(frozen=True)
class Run:
    """What stays the same while a run goes on, as `prepare` or `reopen` makes it."""

    recipe: Recipe
    index: Index
    """Checked, matched to the task, and split."""

    task: Task
    preprocessing: Preprocessing
    machine: Machine
    workers: int
    """The number of threads that decode images."""

    folder: RunFolder
    reporter: Reporter
    network: str
    """The name of the net in the catalogue, with the task's head."""

    arguments: dict[str, Any]
    """The arguments of the net, resolved."""

    processes: Processes = ALONE
    checkpoint: Checkpoint | None = None
    """Where the run goes on from; None for a new one."""

    tried: dict[str, Any] | None = None
    """What bfloat16 changed of its answers, where float32 took its place."""

    @cached_property
    def augment(self) -> Augmentation:
        """The recipe's augmentation, with nothing left open."""
        return resolve(self.recipe.augment)

    def order(self, epoch: int) -> Order:
        """The batches of this process in an epoch."""
        rows, weights = self._drawn_rows
        training, processes = self.recipe.training, self.processes
        return Order(rows, training.seed, epoch, training.images_a_step, weights, processes.rank, processes.world)

    @cached_property
    def _drawn_rows(self) -> tuple[Rows, Weights | None]:
        return weighted_rows(self.index, self.index.rows("train"), self.recipe.training.sampling)

    def model(self, net: nn.Module, metrics: dict[str, float] | None = None, **about: Any) -> Model:
        """The model of a net, with what its file says of the run.

        Args:
            net: of this run.
            metrics: the net's scores on val.
            about: what else the file says, such as the epoch.
        """
        about = self._origin | about
        return Model(
            net, self.network, self.arguments, self.task, self.preprocessing, metrics or {}, about, self.machine
        )

    @cached_property
    def _origin(self) -> dict[str, Any]:
        """What the model file says of the run."""
        return {
            "recipe": recipes.to_dict(self.recipe),
            "seed": self.recipe.training.seed,
            "commit": commit(),
            "data": self.index.fingerprint(),
            "machine": self.machine.pinned(),
            **({"bfloat16": self.tried} if self.tried else {}),
        }

    def in_float32(self, tried: dict[str, Any]) -> "Run":
        """The same run with all arithmetic in float32, because bfloat16 changed its answers.

        Args:
            tried: what its model file says of that, as `striate.training.trial.Trial` has it.
        """
        machine = replace(self.recipe.machine, precision="float32")
        run = self.with_recipe(replace(self.recipe, machine=machine))
        reason = "bfloat16 changed too many answers"
        return replace(run, machine=replace(self.machine, precision="float32", reason=reason), tried=tried)

    def with_recipe(self, recipe: Recipe) -> "Run":
        """The same run by another recipe, which its folder keeps."""
        if self.processes.first:
            self.folder.write_recipe(recipe)
        return replace(self, recipe=recipe)
