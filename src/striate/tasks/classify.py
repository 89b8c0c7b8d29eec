"""Classification: one label an image, or several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from striate.augment import Size
from striate.augment.mix import Mix
from striate.data import Annotations, Batch, Index, Preprocessing, Rows
from striate.errors import DataError, UsageError
from striate.files import fit_to_print, list_names
from striate.recipe import Recipe
from striate.tasks import several_labels
from striate.tasks.answers import WIDTH, Answers
from striate.tasks.average import mean_of_chances, mean_of_shares
from striate.tasks.bootstrap import Groups, share_interval
from striate.tasks.prediction import Prediction
from striate.tasks.problems import HeadProblem, ValueProblem
from striate.tasks.task import Objective, Targets
from striate.tasks.temperature import LARGEST, SMALLEST, fit_temperature


class CrossEntropy(Objective):
    """A network with its cross-entropy; with several labels, a binary one for each class.

    While training, the losses of a network's side branches (`branches`) are added, each by its share in
    `branch_weights`.
    """

    weight: Tensor | None

    def __init__(self, net: nn.Module, *, several_labels: bool, label_smoothing: float, weight: Tensor | None) -> None:
        super().__init__(net)
        self.several_labels = several_labels
        self.label_smoothing = label_smoothing
        self.branch_weights: tuple[float, ...] = getattr(net, "branch_weights", ())
        self.register_buffer("weight", weight, persistent=False)
        self._weight_on_cpu = None if weight is None else weight.cpu()

    def forward(self, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        """Mean loss () and logits (N, classes).

        Args:
            images: (N, C, H, W), normalised.
            targets: `label`, (N,) class numbers; or (N, classes) shares, which mixing makes, and which targets always
                are where an image may have several labels.
        """
        labels = targets["label"]
        if not (self.training and self.branch_weights):
            logits: Tensor = self.net(images).float()
            return self._loss(logits, labels), logits
        logits, *sides = [output.float() for output in self.net.branches(images)]  # type: ignore[operator]
        loss = self._loss(logits, labels)
        for share, side in zip(self.branch_weights, sides, strict=True):
            loss = loss + share * self._loss(side, labels)
        return loss, logits

    def mass(self, targets: Targets) -> float:
        """The number of images, or the sum of the weights of their classes."""
        labels, weight = targets["label"], self._weight_on_cpu
        if weight is None or self.several_labels:
            return len(labels)
        return float((labels @ weight if labels.is_floating_point() else weight[labels]).sum())

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.several_labels:
            return binary_cross_entropy_with_logits(logits, labels, pos_weight=self.weight)
        if not labels.is_floating_point():
            return cross_entropy(logits, labels, self.weight, label_smoothing=self.label_smoothing)
        total = cross_entropy(logits, labels, self.weight, label_smoothing=self.label_smoothing, reduction="sum")
        return total / (labels.sum() if self.weight is None else (labels @ self.weight).sum())


@dataclass(frozen=True)
class Classify:
    """The task of naming what an image shows."""

    classes: tuple[str, ...]
    several_labels: bool = False
    temperature: float = 1.0
    """What logits are divided by before they become probabilities."""

    name = "classify"
    image_score = "accuracy"
    pipeline_tag = "image-classification"
    shares = ("accuracy",)
    has_temperature = True

    @property
    def outputs(self) -> int:
        """How many logits the network has: one a class."""
        return len(self.classes)

    @property
    def score(self) -> str:
        """Accuracy; with several labels, mean average precision."""
        return "mean_average_precision" if self.several_labels else "accuracy"

    @property
    def record_width(self) -> int:
        """The fields of `Answers`; with several labels, the logits and a 0 or 1 for each class."""
        return 2 * self.outputs if self.several_labels else WIDTH

    @classmethod
    def of(cls, index: Index, recipe: Recipe) -> Self:
        """One label an image or several, as the index has them."""
        return cls(index.classes, index.several_labels)

    @classmethod
    def from_dict(cls, classes: tuple[str, ...], values: Mapping[str, Any]) -> Self:
        """The task of a model file."""
        several_labels = values["several_labels"]
        if not isinstance(several_labels, bool):
            raise TypeError(f"several_labels: expected true or false; got {several_labels!r}")
        temperature = values.get("temperature", 1.0)
        if not isinstance(temperature, int | float) or not 1 / LARGEST <= temperature <= 1 / SMALLEST:
            shown = fit_to_print(repr(temperature), 40)
            raise TypeError(f"temperature: expected a number from {1 / LARGEST:g} to {1 / SMALLEST:g}; got {shown}")
        return cls(classes, several_labels, float(temperature))

    def to_dict(self) -> dict[str, Any]:
        """What a model file keeps of the task, besides the class names."""
        values = {"name": self.name, "several_labels": self.several_labels}
        return values if self.temperature == 1 else {**values, "temperature": self.temperature}

    @classmethod
    def require_outputs(cls, network: str, outputs: Tensor) -> None:
        """Refuses a network that gives anything but one row of logits an image."""
        if outputs.ndim != 2:
            raise UsageError(
                f"`model`: expected a network that names an image; got {network}, which names its pixels. Try "
                "resnet18, or images with masks and --task segment."
            )

    @classmethod
    def over(cls, name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The same network."""
        return name, dict(arguments)

    def net(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The same network with one output a class."""
        return name, {**arguments, "num_classes": self.outputs}

    @classmethod
    def suits(cls, index: Index, recipe: Recipe) -> bool:
        """Every index has labels, or nothing to learn."""
        return True

    @classmethod
    def resolve(cls, recipe: Recipe) -> Recipe:
        """Classification looks at the center of an image."""
        return replace(recipe, data=replace(recipe.data, crop_mode=recipe.data.crop_mode or "center"))

    @classmethod
    def resolve_transfer(cls, recipe: Recipe) -> Recipe:
        """All is frozen, which a few hundred images can bear and takes seconds; auto is for the planner to decide."""
        return replace(recipe, transfer=replace(recipe.transfer, freeze=recipe.transfer.freeze or "all"))

    def require_trainable(self, index: Index) -> None:
        """Refuses one class alone."""
        if len(self.classes) < 2 and not self.several_labels:
            raise DataError(
                f"train: expected at least two classes to tell apart; got {list_names(self.classes)} alone. Try it "
                "with images of something else, in a folder or with a label of their own."
            )

    def match(self, index: Index) -> Index:
        """The index with labels numbered as in `classes`, matched by name."""
        return index if index.classes == self.classes else index.with_classes(self.classes)

    def annotations(self, index: Index) -> Annotations:
        """Nothing: labels stay as they are, whatever is done to an image."""
        return {}

    def targets(self, index: Index, batch: Batch, preprocessing: Preprocessing) -> Targets:
        """`label`, (N,) int64; with several labels, (N, classes) float32 of 0 and 1."""
        return {"label": torch.from_numpy(index.labels(batch.rows))}

    def blank_targets(self, count: int, input_size: tuple[int, int, int]) -> Targets:
        """The first class for each image; with several labels, none."""
        shape = (count, self.outputs) if self.several_labels else (count,)
        return {"label": torch.zeros(shape, dtype=torch.float32 if self.several_labels else torch.int64)}

    def mix(self, targets: Targets, mix: Mix) -> Targets:
        """Shares (N, classes) of the labels of both images of a pair."""
        labels = targets["label"]
        shares = labels if self.several_labels else one_hot(labels, self.outputs).float()
        return {"label": mix.targets(shares)}

    def objective(self, net: nn.Module, recipe: Recipe | None = None, index: Index | None = None) -> CrossEntropy:
        """Cross-entropy, with the recipe's label smoothing and class weights."""
        if recipe is None:
            return self.cross_entropy(net)
        return self.cross_entropy(net, recipe.training.label_smoothing, self.class_weight(index, recipe))

    def cross_entropy(self, net: nn.Module, label_smoothing: float = 0.0, weight: Tensor | None = None) -> CrossEntropy:
        """Cross-entropy on a network; `weight` is (classes,), as `balanced_weight` gives it."""
        return CrossEntropy(net, several_labels=self.several_labels, label_smoothing=label_smoothing, weight=weight)

    def class_weight(self, index: Index | None, recipe: Recipe) -> Tensor | None:
        """The weight of each class in the loss, from the classes' counts in train; None where all weigh alike."""
        if recipe.training.class_weights == "none":
            return None
        if index is None:
            raise ValueError("`index`: expected one to count classes in, for class weights; got None.")
        return self.balanced_weight(list(index.counts("train").values()), len(index.rows("train")))

    def balanced_weight(self, counts: list[int], images: int) -> Tensor:
        """Weights (classes,) that give every class the same share in the loss.

        Args:
            counts: training images of each class.
            images: training images altogether.
        """
        count = torch.tensor(counts, dtype=torch.float32).clamp(min=1)
        if self.several_labels:
            return (images - count).clamp(min=1) / count  # images without the label, over those that have it
        return images / (count * len(counts))

    def as_targets(self, outputs: Tensor) -> Targets:
        """The labels that are answered."""
        return {"label": (outputs > 0).float() if self.several_labels else outputs.argmax(dim=1)}

    def unmirror(self, outputs: Tensor) -> Tensor:
        """The same logits: a class has no side."""
        return outputs

    def average(self, outputs: Sequence[Tensor]) -> Tensor:
        """Logits, whose probabilities are means."""
        mean = mean_of_chances if self.several_labels else mean_of_shares
        return mean([each / self.temperature for each in outputs]) * self.temperature

    def image_scores(self, outputs: Tensor, targets: Targets) -> Tensor:
        """(N,) 1 where an image's answer is right, else 0; with several labels, where all of them are."""
        labels = targets["label"]
        if self.several_labels:
            return ((outputs > 0) == labels.bool()).all(dim=1).float()
        return (outputs.argmax(dim=1) == labels).float()

    def observe(self, outputs: Tensor, index: Index, batch: Batch, preprocessing: Preprocessing) -> Tensor:
        """(N, record_width): the fields of `Answers`; with several labels, logits and labels."""
        labels = self.targets(index, batch, preprocessing)["label"]
        if self.several_labels:
            return torch.cat([outputs / self.temperature, labels.to(outputs)], dim=1)
        return Answers.records(outputs, labels, self.temperature)

    def metrics(self, records: Tensor, groups: Groups | None = None) -> dict[str, float]:
        """Scores over a set of images, by name.

        `accuracy` (the share of images answered right) comes with its 95 % interval by Wilson's formula, or
        by bootstrap where there are groups, `accuracy_low` and `accuracy_high`; `loss` is the mean cross-entropy. With
        more than five classes, `top5_accuracy`. With several labels, see `striate.tasks.several_labels.scores`.
        """
        graded, count = self.graded(records), len(records)
        right = self.record_scores(records)
        low, high = share_interval(right, np.ones(count), groups)
        scores = {
            "count": count,
            "accuracy": float(right.mean()),
            "accuracy_low": low,
            "accuracy_high": high,
        }
        if graded is None:
            logits, labels = records.tensor_split(2, dim=1)
            return scores | several_labels.scores(logits.contiguous(), labels.contiguous(), groups)
        scores["loss"] = float(graded.loss.mean(dtype=np.float64))
        if len(self.classes) > 5:
            scores["top5_accuracy"] = float((graded.ranks < 5).mean())
        return scores

    def record_scores(self, records: Tensor) -> NDArray[np.float64]:
        """(N,) as `image_scores`."""
        graded = self.graded(records)
        if graded is not None:
            return graded.hits.astype(np.float64)
        logits, labels = records.tensor_split(2, dim=1)
        return self.image_scores(logits, {"label": labels}).double().numpy()

    def line(self, metrics: Mapping[str, float]) -> str:
        """Accuracy with its interval, and the score that picks the best epoch where that is another."""
        text = f"accuracy {metrics['accuracy']:.4f} [{metrics['accuracy_low']:.4f}, {metrics['accuracy_high']:.4f}]"
        if self.score != "accuracy":
            text += f", {self.score.replace('_', ' ')} {metrics[self.score]:.4f}"
        return text

    def confusion(self, records: Tensor) -> NDArray[np.int64] | None:
        """(classes, classes) images by true class (row) and answer (column); None with several labels."""
        graded = self.graded(records)
        if graded is None:
            return None
        cells = graded.labels.astype(np.int64) * self.outputs + graded.answers
        return np.bincount(cells, minlength=self.outputs**2).reshape(self.outputs, self.outputs)

    def answers(self, records: Tensor) -> NDArray[np.int64]:
        """(N,) the class number of the largest logit."""
        if self.several_labels:
            return records[:, : self.outputs].argmax(dim=1).numpy()
        return Answers.from_records(records).answers.astype(np.int64)

    def graded(self, records: Tensor) -> Answers | None:
        """The answers beside the labels; None with several labels."""
        return None if self.several_labels else Answers.from_records(records)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """(N, classes): they add up to 1; with several labels each is on its own."""
        scaled = outputs.double() / self.temperature
        return scaled.sigmoid() if self.several_labels else scaled.softmax(dim=1)

    def calibrated(self, outputs: Tensor, targets: Targets) -> Self:
        """The same task with the temperature at which the cross-entropy is least."""
        return replace(self, temperature=fit_temperature(outputs, targets["label"]))

    def head_problem(self, index: Index, rows: Rows, recipe: Recipe) -> HeadProblem:
        """The labels, with the recipe's class weights and label smoothing."""
        smoothing = None if self.several_labels else recipe.training.label_smoothing or None
        return HeadProblem(torch.from_numpy(index.labels(rows)), self.class_weight(index, recipe), smoothing)

    def head_parts(
        self, index: Index, rows: Rows, recipe: Recipe, views: Sequence[Targets]
    ) -> dict[str, HeadProblem | ValueProblem]:
        """None: the head is one layer."""
        return {}

    def decode(
        self, outputs: Tensor, paths: Sequence[str], sizes: Sequence[Size], preprocessing: Preprocessing
    ) -> list[Prediction]:
        """Predictions in class names, from logits (N, classes)."""
        predictions = []
        for path, row in zip(paths, self.probabilities(outputs), strict=True):
            values, order = row.sort(descending=True, stable=True)
            named = {self.classes[i]: p for i, p in zip(order.tolist(), values.tolist(), strict=True)}
            chosen = [name for name, p in named.items() if p >= 0.5] if self.several_labels else list(named)[:1]
            predictions.append(Prediction(path, named, tuple(chosen)))
        return predictions

    def truth(self, index: Index, row: int, size: Size) -> Prediction:
        """A prediction of the image's labels, each of probability 1."""
        labels = np.asarray(index.labels(np.array([row])))[0]
        numbers = np.flatnonzero(labels).tolist() if self.several_labels else [int(labels)]
        names = tuple(self.classes[number] for number in numbers)
        return Prediction(index.paths([row])[0], dict.fromkeys(names, 1.0), names)

    def unread(self, path: str, error: str) -> Prediction:
        """A prediction without classes."""
        return Prediction(path, {}, error=error)
