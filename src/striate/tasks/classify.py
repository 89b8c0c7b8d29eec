"""Classification: one label a picture, or several."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Prediction:
    """What a model says of one picture."""

    path: str
    """Of the picture, or its place in the list."""

    probabilities: dict[str, float] = field(repr=False)
    """By class name, the most probable first; empty where the picture could not be read."""

    labels: tuple[str, ...] = ()
    """The most probable class; where a picture may have several, all of probability 0.5 or more."""

    error: str = ""
    """Why there is no prediction."""

    @property
    def label(self) -> str:
        """The name of the most probable class; "" where the picture could not be read."""
        return next(iter(self.probabilities), "")

    @property
    def probability(self) -> float:
        """Of the most probable class; nan where the picture could not be read."""
        return next(iter(self.probabilities.values()), float("nan"))

    def top(self, k: int) -> list[tuple[str, float]]:
        """The `k` most probable classes with their probabilities."""
        return list(self.probabilities.items())[:k]


class Objective(nn.Module):
    """A net with its loss, as one module to compile, replicate or differentiate.

    While training, the losses of a net's side branches (`branches`) are added, each by its share in `branch_weights`.
    """

    weight: Tensor | None

    def __init__(self, net: nn.Module, *, several_labels: bool, label_smoothing: float, weight: Tensor | None) -> None:
        super().__init__()
        self.net = net
        self.several_labels = several_labels
        self.label_smoothing = label_smoothing
        self.side_weights: tuple[float, ...] = getattr(net, "branch_weights", ())
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss () and logits (N, classes).

        Args:
            images: (N, C, H, W), normalised.
            labels: (N,) class numbers; or (N, classes) targets, which mixing makes shares of, and which they always are
                where a picture may have several labels.
        """
        if not (self.training and self.side_weights):
            logits: Tensor = self.net(images).float()
            return self._loss(logits, labels), logits
        logits, *sides = [output.float() for output in self.net.branches(images)]  # type: ignore[operator]
        loss = self._loss(logits, labels)
        for share, side in zip(self.side_weights, sides, strict=True):
            loss = loss + share * self._loss(side, labels)
        return loss, logits

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.several_labels:
            return binary_cross_entropy_with_logits(logits, labels, pos_weight=self.weight)
        if not labels.is_floating_point():
            return cross_entropy(logits, labels, self.weight, label_smoothing=self.label_smoothing)
        total = cross_entropy(logits, labels, self.weight, label_smoothing=self.label_smoothing, reduction="sum")
        return total / (labels.sum() if self.weight is None else (labels @ self.weight).sum())


@dataclass(frozen=True)
class Classify:
    """The task of naming what a picture shows."""

    classes: tuple[str, ...]
    several_labels: bool = False

    @property
    def outputs(self) -> int:
        """How many logits the network has."""
        return len(self.classes)

    @property
    def score(self) -> str:
        """The metric by which the best epoch is chosen; larger is better."""
        return "mean_average_precision" if self.several_labels else "accuracy"

    def objective(self, net: nn.Module, label_smoothing: float = 0.0, weight: Tensor | None = None) -> Objective:
        """The loss of this task on a net: cross-entropy; with several labels, a binary one for each class."""
        return Objective(net, several_labels=self.several_labels, label_smoothing=label_smoothing, weight=weight)

    def balanced_weight(self, counts: list[int], pictures: int) -> Tensor:
        """Weights (classes,) that give every class the same share in the loss.

        Args:
            counts: training pictures of each class.
            pictures: training pictures altogether.
        """
        count = torch.tensor(counts, dtype=torch.float32).clamp(min=1)
        if self.several_labels:
            return (pictures - count).clamp(min=1) / count  # of the pictures that have the label
        return pictures / (count * len(counts))

    def targets(self, labels: Tensor) -> Tensor:
        """Targets (N, classes), float, that can be mixed: for each class 0 or 1.

        Args:
            labels: (N,) or (N, classes), as in `Objective`.
        """
        return labels if self.several_labels else one_hot(labels, self.outputs).float()

    def hits(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(N,) whether each picture's answer is right; with several labels, whether all of them are."""
        if self.several_labels:
            return ((logits > 0) == labels.bool()).all(dim=1)
        return logits.argmax(dim=1) == labels

    def metrics(self, logits: Tensor, labels: Tensor) -> dict[str, float]:
        """Scores over a set of pictures, by name.

        `accuracy` (the share of pictures answered right) comes with its 95 % interval by Wilson's formula,
        `accuracy_low` and `accuracy_high`; `loss` is the mean cross-entropy. With more than five classes,
        `top5_accuracy`. With several labels, `mean_average_precision` and `f1` (both the mean over classes that occur).

        Args:
            logits: (N, classes), N >= 1.
            labels: (N,) or (N, classes), as in `Objective`.
        """
        from scipy.stats import binomtest  # here, because it takes a second, and who predicts needs no metrics

        right, count = int(self.hits(logits, labels).sum()), len(labels)
        low, high = binomtest(right, count).proportion_ci(CONFIDENCE, method="wilson")
        scores = {"count": count, "accuracy": right / count, "accuracy_low": float(low), "accuracy_high": float(high)}
        if not self.several_labels:
            scores["loss"] = float(cross_entropy(logits, labels))
            if len(self.classes) > 5:
                top5 = logits.topk(5, dim=1).indices
                scores["top5_accuracy"] = float((top5 == labels[:, None]).any(dim=1).float().mean())
            return scores
        from sklearn.metrics import average_precision_score, f1_score

        scores["loss"] = float(binary_cross_entropy_with_logits(logits, labels))
        occurs = (labels.sum(dim=0) > 0).numpy()
        truth, values = labels.numpy()[:, occurs], logits.numpy()[:, occurs]
        scores["mean_average_precision"] = float(average_precision_score(truth, values)) if occurs.any() else 0.0
        scores["f1"] = float(f1_score(truth, values > 0, average="macro", zero_division=0)) if occurs.any() else 0.0
        return scores

    def confusion(self, logits: Tensor, labels: Tensor) -> NDArray[np.int64]:
        """(classes, classes) pictures by true class (row) and answer (column); of one-label tasks."""
        cells = labels * self.outputs + logits.argmax(dim=1)
        return cells.bincount(minlength=self.outputs**2).reshape(self.outputs, self.outputs).numpy()

    def decode(self, logits: Tensor, paths: list[str]) -> list[Prediction]:
        """Predictions in class names.

        Args:
            logits: (N, classes).
            paths: what to call each picture.
        """
        probabilities = logits.double().sigmoid() if self.several_labels else logits.double().softmax(dim=1)
        predictions = []
        for path, row in zip(paths, probabilities, strict=True):
            values, order = row.sort(descending=True, stable=True)
            named = {self.classes[i]: p for i, p in zip(order.tolist(), values.tolist(), strict=True)}
            chosen = [name for name, p in named.items() if p >= 0.5] if self.several_labels else list(named)[:1]
            predictions.append(Prediction(path, named, tuple(chosen)))
        return predictions

    def to_dict(self) -> dict[str, Any]:
        """What a model file keeps of the task, besides the class names."""
        return {"name": "classify", "several_labels": self.several_labels}
