"""What a task is: everything that training, evaluation and prediction ask of it.

A task says which head a network gets, which targets belong to a batch, what the loss is, how outputs are scored, and
what they mean in the user's terms. Adding one takes a file beside this one and a row in `TASKS`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.augment import Size
from striate.augment.mix import Mix
from striate.data import Annotations, Batch, Index, Preprocessing, Rows
from striate.recipe import Recipe
from striate.tasks.answers import Answers
from striate.tasks.bootstrap import Groups
from striate.tasks.prediction import Prediction
from striate.tasks.problems import HeadProblem, ValueProblem

Targets = dict[str, Tensor]
"""What a network should answer, by name; the first dimension of every tensor is the image."""


class Objective(nn.Module, ABC):
    """A network with its loss, as one module to compile, replicate or differentiate."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    @abstractmethod
    def forward(self, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        """The mean loss () and the outputs (N, …), both float32.

        Args:
            images: (N, C, H, W), normalised; or what cached features hold in their place.
            targets: as the task's `targets` or `mix` gives them, on the same device.
        """

    @abstractmethod
    def mass(self, targets: Targets) -> float:
        """What the mean loss over these targets is divided by.

        The loss of a batch that goes through the network in parts, or on several processes, is the sum of the parts'
        means, each times its share of the batch's mass.

        Args:
            targets: on the CPU, so that no step waits for the device.
        """


class Task(Protocol):
    """A question that networks are trained to answer.

    An instance knows the classes of one data set. Metrics are computed from records, one row of numbers an image,
    so that several processes, streaming and bootstrapping over images need nothing else of a task.
    """

    @property
    def name(self) -> str:
        """The key in `TASKS`, and the folder of its runs."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, by class number."""
        ...

    @property
    def outputs(self) -> int:
        """The `num_classes` of the network that answers it."""
        ...

    @property
    def score(self) -> str:
        """The metric that picks the best epoch; larger is better."""
        ...

    @property
    def image_score(self) -> str:
        """The name of what `image_scores` gives; training shows its mean."""
        ...

    @property
    def pipeline_tag(self) -> str:
        """What the Hugging Face Hub calls such a task."""
        ...

    @property
    def shares(self) -> Sequence[str]:
        """The metrics that are a share of the images."""
        ...

    @property
    def has_temperature(self) -> bool:
        """Whether `calibrated` finds one."""
        ...

    @property
    def temperature(self) -> float:
        """What outputs are divided by before they become probabilities; 1 where that is not done."""
        ...

    @property
    def record_width(self) -> int:
        """How many numbers `observe` gives for one image."""
        ...

    @classmethod
    def of(cls, index: Index, recipe: Recipe) -> Self:
        """The task that a data set asks for.

        Raises:
            UsageError: if the recipe asks for what this task cannot do.
            DataError: if the data lack what this task learns from.
        """
        ...

    @classmethod
    def from_dict(cls, classes: tuple[str, ...], values: Mapping[str, Any]) -> Self:
        """The task that `to_dict` gave, read from a model file.

        Raises:
            KeyError, TypeError, ValueError: if the values are not those of this task.
        """
        ...

    def to_dict(self) -> dict[str, Any]:
        """What a model file keeps besides the class names: `name`, and what else `from_dict` needs."""
        ...

    @classmethod
    def require_outputs(cls, network: str, outputs: Tensor) -> None:
        """Checks what a network gives for a batch of two, before any data are read.

        Raises:
            UsageError: if it cannot answer this task.
        """
        ...

    @classmethod
    def suits(cls, index: Index, recipe: Recipe) -> bool:
        """Whether this is the task that a data set is annotated for.

        Raises:
            DataError: if it is annotated for a task like this one that there is not.
        """
        ...

    @classmethod
    def resolve(cls, recipe: Recipe) -> Recipe:
        """The recipe with what it leaves open, and this task decides, filled in.

        Raises:
            UsageError: if the recipe asks for what this task cannot do.
        """
        ...

    @classmethod
    def resolve_transfer(cls, recipe: Recipe) -> Recipe:
        """The recipe of a run that begins with weights, with what it leaves open, and this task decides, filled in.

        That is `freeze`, which stays auto only where this task has a head from which a plan can be made.
        """
        ...

    @classmethod
    def over(cls, name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The network of the catalogue that answers this task where a recipe names another: that one, or one over it.

        Args:
            name: of the network in the recipe.
            arguments: that the recipe gives, some for the network that is named, some for the one over it.

        Raises:
            UsageError: if it cannot answer this task.
        """
        ...

    def net(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The network that `over` gives, with this task's head."""
        ...

    def match(self, index: Index) -> Index:
        """The index as this task reads it: classes numbered as in `classes`, and `index.rows` those it can use.

        Raises:
            DataError: if the index has a class that the task does not know.
        """
        ...

    def require_trainable(self, index: Index) -> None:
        """Checks an index that has been split, beyond what every task asks of it.

        Raises:
            DataError: if there is nothing to learn.
        """
        ...

    def annotations(self, index: Index) -> Annotations:
        """What the loader brings along with images, transformed as they are: masks, boxes, or nothing."""
        ...

    def targets(self, index: Index, batch: Batch, preprocessing: Preprocessing) -> Targets:
        """The targets of a batch, on the CPU.

        Args:
            index: as `match` gives it.
            batch: with the `annotations` of the index.
            preprocessing: of the batch.
        """
        ...

    def blank_targets(self, count: int, input_size: tuple[int, int, int]) -> Targets:
        """Targets of `count` images (C, H, W) for trials of a step, on the CPU or the device of the context."""
        ...

    def mix(self, targets: Targets, mix: Mix) -> Targets:
        """The targets of images that were mixed in pairs."""
        ...

    def objective(self, net: nn.Module, recipe: Recipe | None = None, index: Index | None = None) -> Objective:
        """The loss on a network, as the recipe asks for it; the plain loss without one.

        Args:
            net: what takes inputs to outputs.
            recipe: its label smoothing, class weights and the like.
            index: whose training split the classes are counted in; needed where the recipe has class weights.
        """
        ...

    def as_targets(self, outputs: Tensor) -> Targets:
        """What would be true of images if these outputs (N, …) were right, as `targets` says it."""
        ...

    def unmirror(self, outputs: Tensor) -> Tensor:
        """The outputs (N, …) for images, from those for their mirror images: what lies left comes to lie right."""
        ...

    def average(self, outputs: Sequence[Tensor]) -> Tensor:
        """The outputs (N, …) of which the probabilities are the means of those of several outputs for the same images.

        What outputs say besides, such as where something is, is averaged as it is.
        """
        ...

    def image_scores(self, outputs: Tensor, targets: Targets) -> Tensor:
        """(N,) how well each image is answered, from 0 to 1, against targets that are not mixed."""
        ...

    def observe(self, outputs: Tensor, index: Index, batch: Batch, preprocessing: Preprocessing) -> Tensor:
        """(N, record_width), float32 and finite: all that `metrics` needs to know of each image.

        Args:
            outputs: (N, …), float32 on the CPU, of a batch as evaluation shows it.
            index: as in `targets`.
            batch: likewise.
            preprocessing: likewise.
        """
        ...

    def metrics(self, records: Tensor, groups: Groups | None = None) -> dict[str, float]:
        """Scores over a set of images, by name.

        A score with a 95 % interval comes with its bounds under the same name with `_low` and `_high`: Wilson's if it
        is in `shares` and there are no groups, else those of a bootstrap.

        Args:
            records: (N, record_width), N >= 1.
            groups: (N,) number of the group that each image belongs to, from 0 without a gap, where images are not
                independent; each by itself unless given.
        """
        ...

    def record_scores(self, records: Tensor) -> NDArray[np.float64]:
        """(N,) how well each image is answered, from 0 to 1, from its record; NaN where nothing of it counts."""
        ...

    def line(self, metrics: Mapping[str, float]) -> str:
        """What the console says of an epoch's scores."""
        ...

    def confusion(self, records: Tensor) -> NDArray[np.int64] | None:
        """(classes, classes) images by true class (row) and answer (column); None where that has no meaning."""
        ...

    def graded(self, records: Tensor) -> Answers | None:
        """Each image's answer beside its truth; None where an image's answer is not one class."""
        ...

    def probabilities(self, outputs: Tensor) -> Tensor | None:
        """The probability of each class (N, classes, …), float64; None where outputs are no scores of classes.

        Args:
            outputs: (N, …); what they hold besides scores of classes is left out.
        """
        ...

    def calibrated(self, outputs: Tensor, targets: Targets) -> Self:
        """The same task with the temperature that makes probabilities right as often as they say; or itself.

        Args:
            outputs: (N, …), of images that were not learned from.
            targets: of the same images, on the CPU.
        """
        ...

    def answers(self, records: Tensor) -> NDArray[np.int64]:
        """(N,) the class number of the first answer to each image."""
        ...

    def head_problem(self, index: Index, rows: Rows, recipe: Recipe) -> HeadProblem | None:
        """What a linear head on features would be fitted to; None where this task has no such head."""
        ...

    def head_parts(
        self, index: Index, rows: Rows, recipe: Recipe, views: Sequence[Targets]
    ) -> dict[str, HeadProblem | ValueProblem]:
        """What each linear layer of a head of several would be fitted to; empty where this task has no such head.

        Args:
            index: as in `targets`.
            rows: (N,) of the index.
            recipe: its class weights and the like.
            views: the targets of these rows, for each view that features are of.

        Returns:
            Problems by the names of layers within the head.
        """
        ...

    def decode(
        self, outputs: Tensor, paths: Sequence[str], sizes: Sequence[Size], preprocessing: Preprocessing
    ) -> Sequence[Prediction]:
        """Predictions in the user's terms.

        Args:
            outputs: (N, …), float32 on the CPU.
            paths: what to call each image.
            sizes: width and height of each upright original.
            preprocessing: `preprocessing.map(size)` leads from what the network saw to the original.
        """
        ...

    def truth(self, index: Index, row: int, size: Size) -> Prediction:
        """What a perfect model would say about an image.

        Args:
            index: as `match` gives it.
            row: of a usable image.
            size: width and height of the upright original.
        """
        ...

    def unread(self, path: str, error: str) -> Prediction:
        """The prediction of an image that could not be read."""
        ...


def to_device(targets: Targets, device: torch.device) -> Targets:
    """The same targets on a device."""
    return {name: value.to(device, non_blocking=True) for name, value in targets.items()}


def split_targets(targets: Targets, parts: int) -> list[Targets]:
    """The targets of so many parts of a batch, as equal as can be, in order."""
    each = {name: value.tensor_split(parts) for name, value in targets.items()}
    return [{name: values[part] for name, values in each.items()} for part in range(parts)]
