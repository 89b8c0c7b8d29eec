"""Classification with localisation: which class the object of an image has, and the box that it lies in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from striate.augment import Size
from striate.augment.mix import Mix
from striate.data import Annotations, Batch, Index, Preprocessing, Rows
from striate.errors import DataError, UsageError
from striate.nets import gives_pixels
from striate.recipe import Recipe
from striate.tasks.answers import Answers
from striate.tasks.average import mean_of_shares
from striate.tasks.bootstrap import Groups
from striate.tasks.classify import Classify
from striate.tasks.locate_boxes import iou, ordered, to_original, to_shares
from striate.tasks.locate_loss import BOX_WEIGHTS, BoxLoss, box_loss
from striate.tasks.locate_metrics import SHARES, Records, line, right_overlaps, scores
from striate.tasks.locate_rows import NO_OBJECT, boxes_of, matched, objects_of
from striate.tasks.located import Located
from striate.tasks.options import options
from striate.tasks.problems import HeadProblem, ValueProblem
from striate.tasks.task import Objective, Targets
from striate.tasks.whole_images import frozen_without_plan, unmixed_and_whole

LOCATOR = "locator"  # the net of the catalogue with two heads
FITTED_LOSS = "mse"  # of boxes, where their layer is fitted in closed form


@dataclass(frozen=True)
class Options:
    """What `task_args` may say."""

    box_loss: BoxLoss = "mse"
    box_weight: float | None = None
    """The weight of the box's loss beside the cross-entropy of the class; that of `BOX_WEIGHTS` unless given."""

    per_class_boxes: bool = False
    """One box for each class, of which that of the class counts, instead of one for all."""

    no_object: bool = False
    """Whether images without an object are used, as a class of their own that has no box."""

    def __post_init__(self) -> None:
        if self.box_weight is not None and not self.box_weight > 0:
            raise UsageError(f"`task_args.box_weight`: expected a number above 0; got {self.box_weight}.")

    @property
    def weight(self) -> float:
        """The weight of the box's loss."""
        return BOX_WEIGHTS[self.box_loss] if self.box_weight is None else self.box_weight


class ClassAndBox(Objective):
    """A network with the cross-entropy of its classes and the weighted loss of its boxes.

    Each image has the weight of its class in the mean of both; one without a box has no loss of it.
    """

    weight: Tensor | None

    def __init__(
        self, net: nn.Module, task: "Locate", chosen: Options, smoothing: float = 0.0, weight: Tensor | None = None
    ) -> None:
        super().__init__(net)
        self.task = task
        self.chosen = chosen
        self.label_smoothing = smoothing
        self.register_buffer("weight", weight, persistent=False)
        self._weight_on_cpu = None if weight is None else weight.cpu()

    def forward(self, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        """Mean loss () and outputs (N, outputs).

        Args:
            images: (N, C, H, W), normalised; or what cached features hold in their place.
            targets: `label`, (N,) class numbers, and `box`, (N, 4) shares of the image, NaN for none.
        """
        outputs: Tensor = self.net(images).float()
        labels = targets["label"]
        logits = outputs[:, : len(self.task.classes)]
        each = cross_entropy(logits, labels, reduction="none", label_smoothing=self.label_smoothing)
        boxes = self.task.boxes(outputs, labels)
        each = each + self.chosen.weight * box_loss(self.chosen.box_loss, boxes, targets["box"])
        if self.weight is None:
            return each.mean(), outputs
        weight = self.weight[labels]
        return (each * weight).sum() / weight.sum(), outputs

    def mass(self, targets: Targets) -> float:
        """The number of images, or the sum of the weights of their classes."""
        labels, weight = targets["label"], self._weight_on_cpu
        return len(labels) if weight is None else float(weight[labels].sum())


@dataclass(frozen=True)
class Locate:
    """The task of naming the one object of an image, and saying where it is."""

    classes: tuple[str, ...]
    """Names, by class number; `NO_OBJECT` last where that is one."""

    per_class_boxes: bool = False
    largest: bool = False
    """Whether images of several objects are used, by their largest."""

    name = "locate"
    pipeline_tag = "object-detection"
    shares = SHARES
    has_temperature = False
    temperature = 1.0

    @property
    def score(self) -> str:
        """The overlap where the class is right; of a single class, whose answers are all right, the overlap."""
        return "right_iou" if len(self.classes) > 1 else "mean_iou"

    @property
    def image_score(self) -> str:
        """As `score`."""
        return self.score

    @property
    def no_object(self) -> bool:
        """Whether the last class is that of images without an object."""
        return self.classes[-1] == NO_OBJECT

    @property
    def number_of_boxes(self) -> int:
        """How many boxes the network gives: one, or one for each class of objects."""
        return len(self.classes) - self.no_object if self.per_class_boxes else 1

    @property
    def outputs(self) -> int:
        """One logit a class, then the four numbers of each box."""
        return len(self.classes) + 4 * self.number_of_boxes

    @property
    def record_width(self) -> int:
        """See `Records`."""
        return Records.width(len(self.classes))

    @classmethod
    def suits(cls, index: Index, recipe: Recipe) -> bool:
        """Whether images have boxes; refuses those that mostly have several, unless the largest is asked for."""
        found = objects_of(index)
        if recipe.data.boxes == "largest":
            return found.one + found.several > 0
        if found.several > found.one:
            raise DataError(found.cannot_locate())
        return found.one > 0

    @classmethod
    def resolve(cls, recipe: Recipe) -> Recipe:
        """All of an image is shown, because an object may lie anywhere; images of two objects are not made."""
        options(Options, cls.name, recipe.network.task_args)
        return unmixed_and_whole(recipe, cls.name, "images show one object")

    @classmethod
    def resolve_transfer(cls, recipe: Recipe) -> Recipe:
        """All is frozen: the layers for classes and boxes are fitted in closed form.

        Raises:
            UsageError: if the recipe asks for a loss that such a fit does not have.
        """
        recipe = frozen_without_plan(recipe, "all")
        loss = options(Options, cls.name, recipe.network.task_args).box_loss
        if recipe.transfer.freeze == "all" and loss not in (FITTED_LOSS, Options.box_loss):
            raise UsageError(
                f"`task_args.box_loss`: expected {FITTED_LOSS} where all stages are frozen, because boxes are then "
                f"fitted by least squares; got {loss}. Try --freeze none."
            )
        return recipe

    @classmethod
    def of(cls, index: Index, recipe: Recipe) -> Self:
        """The classes of the index's objects; of images that show several, the recipe says what becomes."""
        chosen = options(Options, cls.name, recipe.network.task_args)
        largest = recipe.data.boxes == "largest"
        found = objects_of(index)
        if not found.one and not (largest and found.several):
            raise DataError(found.cannot_locate())
        names = tuple(name for name in index.classes if name != NO_OBJECT)
        return cls((*names, NO_OBJECT) if chosen.no_object else names, chosen.per_class_boxes, largest)

    @classmethod
    def from_dict(cls, classes: tuple[str, ...], values: Mapping[str, Any]) -> Self:
        """The task of a model file."""
        flags = {name: values[name] for name in ("per_class_boxes", "largest")}
        for name, value in flags.items():
            if not isinstance(value, bool):
                raise TypeError(f"{name}: expected true or false; got {value!r}")
        return cls(classes, **flags)

    def to_dict(self) -> dict[str, Any]:
        """What a model file keeps of the task, besides the class names."""
        return {"name": self.name, "per_class_boxes": self.per_class_boxes, "largest": self.largest}

    @classmethod
    def require_outputs(cls, network: str, outputs: Tensor) -> None:
        """Nothing more: `over` gives none but a `locator`."""

    @classmethod
    def over(cls, name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """A `locator` over the network.

        Raises:
            UsageError: the network names pixels.
        """
        if gives_pixels(name):
            raise UsageError(
                f"`model`: expected a network that names an image; got {name}, which names its pixels. Try resnet18."
            )
        return LOCATOR, {**({} if name == LOCATOR else {"encoder": name}), **arguments}

    def net(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """A `locator` over the network, with its boxes."""
        own, given = self.over(name, arguments)
        return own, {**given, "boxes": self.number_of_boxes, "num_classes": self.outputs}

    def require_trainable(self, index: Index) -> None:
        """Nothing more: where a class is alone, its box is still to be found."""

    def match(self, index: Index) -> Index:
        """The index of images that show one object, with classes numbered as in `classes`."""
        return matched(index, self.classes, largest=self.largest)

    def annotations(self, index: Index) -> Annotations:
        """The boxes."""
        return {"boxes": boxes_of(index)}

    def targets(self, index: Index, batch: Batch, preprocessing: Preprocessing) -> Targets:
        """`label`, (N,) int64, and `box`, (N, 4) float32 in shares of what is shown, NaN for none.

        An object that a random crop hardly shows has no box; where that is a class, there is then no object.
        """
        labels, boxes = torch.from_numpy(index.labels(batch.rows)), batch.boxes
        if boxes is None:
            raise ValueError("`batch`: expected one with boxes; got none.")
        if self.no_object:
            labels = torch.where(boxes.isfinite().all(dim=1), labels, len(self.classes) - 1)
        return {"label": labels, "box": to_shares(boxes, preprocessing.size)}

    def blank_targets(self, count: int, input_size: tuple[int, int, int]) -> Targets:
        """The first class, in the middle of the image."""
        return {
            "label": torch.zeros(count, dtype=torch.int64),
            "box": torch.tensor([0.25, 0.25, 0.75, 0.75]).repeat(count, 1),
        }

    def mix(self, targets: Targets, mix: Mix) -> Targets:
        """Not mixed: `resolve` refuses it."""
        raise UsageError("`mixup`: expected 0 with the task locate; got more.")

    def objective(self, net: nn.Module, recipe: Recipe | None = None, index: Index | None = None) -> ClassAndBox:
        """Cross-entropy and the loss of the box, as the recipe asks for them."""
        if recipe is None:
            return ClassAndBox(net, self, Options())
        chosen = options(Options, self.name, recipe.network.task_args)
        return ClassAndBox(
            net, self, chosen, recipe.training.label_smoothing, Classify(self.classes).class_weight(index, recipe)
        )

    def boxes(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """(N, 4) the box that goes with each image's class, in shares, in any order of the edges.

        Args:
            outputs: (N, outputs).
            labels: (N,) class numbers.
        """
        boxes = outputs[:, len(self.classes) :].unflatten(1, (self.number_of_boxes, 4))
        which = labels.clamp(max=self.number_of_boxes - 1)
        chosen: Tensor = boxes.take_along_dim(which[:, None, None], dim=1).squeeze(1)  # (N, 4)
        return chosen

    def as_targets(self, outputs: Tensor) -> Targets:
        """The class that is answered and its box; none where there is no object."""
        answers = outputs[:, : len(self.classes)].argmax(dim=1)
        boxes = ordered(self.boxes(outputs, answers))
        nothing = (answers == len(self.classes) - 1) & self.no_object
        return {"label": answers, "box": torch.where(nothing[:, None], torch.nan, boxes)}

    def unmirror(self, outputs: Tensor) -> Tensor:
        """The same logits, and boxes whose left and right edges have changed places."""
        logits, boxes = outputs[:, : len(self.classes)], outputs[:, len(self.classes) :].unflatten(1, (-1, 4))
        x0, y0, x1, y1 = boxes.unbind(dim=-1)
        return torch.cat([logits, torch.stack([1 - x1, y0, 1 - x0, y1], dim=-1).flatten(1)], dim=1)

    def average(self, outputs: Sequence[Tensor]) -> Tensor:
        """Logits, whose probabilities are means, and the mean of each box."""
        count = len(self.classes)
        boxes = torch.stack([each[:, count:] for each in outputs]).mean(dim=0)
        return torch.cat([mean_of_shares([each[:, :count] for each in outputs]), boxes], dim=1)

    def image_scores(self, outputs: Tensor, targets: Targets) -> Tensor:
        """(N,) the overlap of each box, 0 where the class is wrong; where there is none, whether the class is right."""
        answers = outputs[:, : len(self.classes)].argmax(dim=1)
        right, truth = (answers == targets["label"]).float(), targets["box"]
        overlaps = iou(ordered(self.boxes(outputs, answers)), truth)
        return right * torch.where(truth.isfinite().all(dim=1), overlaps, 1.0)

    def observe(self, outputs: Tensor, index: Index, batch: Batch, preprocessing: Preprocessing) -> Tensor:
        """(N, record_width): see `Records`."""
        targets = self.targets(index, batch, preprocessing)
        logits = outputs[:, : len(self.classes)]
        boxes = self.boxes(outputs, logits.argmax(dim=1))
        return Records(logits, boxes, targets["label"], targets["box"]).packed()

    def metrics(self, records: Tensor, groups: Groups | None = None) -> dict[str, float]:
        """See `striate.tasks.locate_metrics.scores`."""
        return scores(Records.unpack(records, len(self.classes)), groups)

    def record_scores(self, records: Tensor) -> NDArray[np.float64]:
        """(N,) as `image_scores`."""
        return right_overlaps(Records.unpack(records, len(self.classes)))

    def line(self, metrics: Mapping[str, float]) -> str:
        """The overlap and both shares."""
        return line(metrics)

    def confusion(self, records: Tensor) -> NDArray[np.int64] | None:
        """(classes, classes) images by true class (row) and answer (column)."""
        known, count = Records.unpack(records, len(self.classes)), len(self.classes)
        cells = known.labels * count + known.logits.argmax(dim=1)
        return cells.bincount(minlength=count**2).reshape(count, count).numpy()

    def answers(self, records: Tensor) -> NDArray[np.int64]:
        """(N,) the class number of the largest logit."""
        return Records.unpack(records, len(self.classes)).logits.argmax(dim=1).numpy()

    def graded(self, records: Tensor) -> Answers | None:
        """The classes, whatever their boxes; None of a single class, which every answer names."""
        if len(self.classes) == 1:
            return None
        known = Records.unpack(records, len(self.classes))
        return Answers.of(known.logits, known.labels)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """(N, classes)."""
        return outputs[:, : len(self.classes)].double().softmax(dim=1)

    def calibrated(self, outputs: Tensor, targets: Targets) -> Self:
        """The task as it is: it has no temperature."""
        return self

    def head_problem(self, index: Index, rows: Rows, recipe: Recipe) -> HeadProblem | None:
        """None: the head is of two layers."""
        return None

    def head_parts(
        self, index: Index, rows: Rows, recipe: Recipe, views: Sequence[Targets]
    ) -> dict[str, HeadProblem | ValueProblem]:
        """The labels for the classes, and the boxes for the boxes, of which one for each class is the same for all."""
        smoothing = recipe.training.label_smoothing or None
        parts: dict[str, HeadProblem | ValueProblem] = {
            "boxes": ValueProblem(tuple(targets["box"].repeat(1, self.number_of_boxes) for targets in views))
        }
        if len(self.classes) > 1:
            weight = Classify(self.classes).class_weight(index, recipe)
            parts["classes"] = HeadProblem(views[0]["label"], weight, smoothing)
        return parts

    def decode(
        self, outputs: Tensor, paths: Sequence[str], sizes: Sequence[Size], preprocessing: Preprocessing
    ) -> list[Located]:
        """Predictions with class names, and boxes in pixels of the upright original."""
        logits = outputs[:, : len(self.classes)]
        answers = logits.argmax(dim=1)
        boxes = self.boxes(outputs, answers).double().numpy()
        predictions = []
        for path, size, row, answer, box in zip(
            paths, sizes, logits.double().softmax(dim=1), answers.tolist(), boxes, strict=True
        ):
            values, order = row.sort(descending=True, stable=True)
            named = {self.classes[i]: p for i, p in zip(order.tolist(), values.tolist(), strict=True)}
            x0, y0, x1, y1 = to_original(box[None], preprocessing.map(size), preprocessing.size, size)[0].tolist()
            none = self.classes[answer] == NO_OBJECT
            found = None if none else (x0, y0, x1, y1)
            predictions.append(Located(path, named, (self.classes[answer],), box=found, size=size))
        return predictions

    def truth(self, index: Index, row: int, size: Size) -> Located:
        """A prediction of the image's class and box."""
        name = self.classes[int(np.asarray(index.labels(np.array([row])))[0])]
        x0, y0, x1, y1 = boxes_of(index)[row].tolist()
        found = None if np.isnan(x0) else (x0, y0, x1, y1)
        return Located(index.paths([row])[0], {name: 1.0}, (name,), box=found, size=size)

    def unread(self, path: str, error: str) -> Located:
        """A prediction without classes or box."""
        return Located(path, {}, error=error)
