"""Semantic segmentation: the class of each pixel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from striate.augment import Size
from striate.augment.mix import Mix
from striate.augment.resample import IGNORED
from striate.data import Annotations, Batch, Index, Preprocessing, Rows
from striate.data.masks import load_mask
from striate.errors import DataError, UsageError
from striate.files import fit_to_print
from striate.nets import gives_pixels
from striate.nets.unet import PREFIX
from striate.recipe import Recipe
from striate.recipe.ranges import MAX_PIXELS, MOST_FILE_PIXELS
from striate.tasks.answers import Answers
from striate.tasks.average import mean_of_shares
from striate.tasks.bootstrap import Groups
from striate.tasks.options import options
from striate.tasks.prediction import Prediction
from striate.tasks.problems import HeadProblem, ValueProblem
from striate.tasks.segment_loss import PixelLoss, median_frequency, pixel_loss, pixel_mass
from striate.tasks.segment_masks import logits_at, mask_at
from striate.tasks.segment_metrics import PER_CLASS, class_ious, record, scores, width
from striate.tasks.task import Objective, Targets
from striate.tasks.whole_images import frozen_without_plan, unmixed_and_whole

BATCH_SIZE = 8  # at which 200 images are 25 steps an epoch
COUNTED = 500  # masks of train, spread evenly, in which pixels are counted for class weights
NO_MASK = "it has no mask"
IMAGE = "image"  # the one class of an index whose images are told apart by nothing but their masks


@dataclass(frozen=True)
class Options:
    """What `task_args` may say."""

    loss: PixelLoss = "ce"


@dataclass(frozen=True)
class Segmented(Prediction):
    """What a model says about each pixel of an image; `probabilities` are shares of its pixels."""

    mask: NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)
    """(H, W) class numbers, of the upright original's pixels; None where it could not be read."""

    def row(self, top_k: int) -> dict[str, Any]:
        """The path, the classes that cover most with their shares of the pixels, and the error."""
        top = self.top(top_k)
        row: dict[str, Any] = {"path": self.path}
        for place in range(top_k):
            name, share = top[place] if place < len(top) else ("", None)
            row |= {f"class_{place + 1}": name, f"share_{place + 1}": share}
        return row | {"error": self.error}


class PixelObjective(Objective):
    """A network with the loss of its pixels."""

    weight: Tensor | None

    def __init__(
        self, net: nn.Module, loss: PixelLoss = "ce", smoothing: float = 0.0, weight: Tensor | None = None
    ) -> None:
        super().__init__(net)
        self.loss = loss
        self.label_smoothing = smoothing
        self.register_buffer("weight", weight, persistent=False)
        self._weight_on_cpu = None if weight is None else weight.cpu()

    def forward(self, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        """Mean loss () and logits (N, classes, H, W).

        Args:
            images: (N, C, H, W), normalised.
            targets: `mask`, (N, H, W) class numbers, 255 for pixels that count for nothing.
        """
        logits: Tensor = self.net(images).float()
        masks = targets["mask"]
        each = pixel_loss(self.loss, logits, masks, self.weight, self.label_smoothing)
        mass = pixel_mass(masks, self.weight)
        return (each * mass).sum() / mass.sum().clamp(min=torch.finfo(mass.dtype).tiny), logits

    def mass(self, targets: Targets) -> float:
        """The number of pixels that count, or the sum of the weights of their classes."""
        return float(pixel_mass(targets["mask"], self._weight_on_cpu).sum())


@dataclass(frozen=True)
class Segment:
    """The task of naming what each pixel shows."""

    classes: tuple[str, ...]
    max_pixels: int = field(default=MAX_PIXELS, compare=False)
    """A mask of more is not read."""

    name = "segment"
    score = "mean_iou"
    image_score = "pixel_accuracy"
    pipeline_tag = "image-segmentation"
    shares = ()
    has_temperature = False
    temperature = 1.0

    @property
    def outputs(self) -> int:
        """One map of logits a class."""
        return len(self.classes)

    @property
    def record_width(self) -> int:
        """See `striate.tasks.segment_metrics.record`."""
        return width(len(self.classes))

    @classmethod
    def suits(cls, index: Index, recipe: Recipe) -> bool:
        """Whether images have masks."""
        return len(index.mask_classes) > 1

    @classmethod
    def resolve(cls, recipe: Recipe) -> Recipe:
        """All of an image is shown, because each of its pixels is asked about; images are not mixed.

        Batches are small unless the recipe says otherwise: few images have masks, and each of them has many answers.
        """
        options(Options, cls.name, recipe.network.task_args)
        training = replace(recipe.training, batch_size=recipe.training.batch_size or BATCH_SIZE)
        return unmixed_and_whole(replace(recipe, training=training), cls.name, "pixels have one class each")

    @classmethod
    def resolve_transfer(cls, recipe: Recipe) -> Recipe:
        """Nothing is frozen: no head is fitted, and the way up has to learn in any case."""
        return frozen_without_plan(recipe, "none")

    @classmethod
    def of(cls, index: Index, recipe: Recipe) -> Self:
        """The classes of the index's masks."""
        if len(index.mask_classes) < 2:
            found = f"classes {', '.join(index.mask_classes)}" if index.mask_classes else "none"
            raise DataError(f"masks: expected images with masks of two classes or more; got {found}.")
        return cls(index.mask_classes, recipe.data.max_pixels)

    @classmethod
    def from_dict(cls, classes: tuple[str, ...], values: Mapping[str, Any]) -> Self:
        """The task of a model file."""
        max_pixels = values.get("max_pixels", MAX_PIXELS)
        if not isinstance(max_pixels, int) or not 1 <= max_pixels <= MOST_FILE_PIXELS:
            shown = fit_to_print(repr(max_pixels), 40)
            raise TypeError(f"max_pixels: expected a whole number from 1 to {MOST_FILE_PIXELS:,}; got {shown}")
        return cls(classes, max_pixels)

    def to_dict(self) -> dict[str, Any]:
        """What a model file keeps of the task, besides the class names."""
        return {"name": self.name, "max_pixels": self.max_pixels}

    @classmethod
    def require_outputs(cls, network: str, outputs: Tensor) -> None:
        """Nothing more: `over` gives none but networks that name pixels."""

    @classmethod
    def over(cls, name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The network itself where it names pixels; else a U-Net over it."""
        return (name if gives_pixels(name) else f"{PREFIX}{name}"), dict(arguments)

    def net(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The network that names pixels, with one map a class."""
        own, given = self.over(name, arguments)
        return own, {**given, "num_classes": self.outputs}

    def require_trainable(self, index: Index) -> None:
        """Nothing more."""

    def match(self, index: Index) -> Index:
        """The index of images that have a mask, with its values numbered as in `classes`."""
        unknown = sorted(set(index.mask_classes) - set(self.classes))
        if unknown:
            raise DataError(
                f"masks: expected only classes that the model knows ({', '.join(self.classes)}); "
                f"got also {', '.join(unknown)}. Try --mask-classes."
            )
        numbers = [self.classes.index(name) for name in index.mask_classes]
        values = {value: IGNORED if old == IGNORED else numbers[old] for value, old in index.mask_values.items()}
        has_mask = np.asarray(index.table["mask"].is_valid())
        reasons: list[str | None] = index.table["reason"].to_pylist()
        for row in np.flatnonzero(~has_mask & index.usable()).tolist():
            reasons[row] = NO_MASK
        labelled = index.with_column("label", pa.array(np.where(has_mask, 0, -1))).with_column("reason", reasons)
        return replace(labelled, classes=(IMAGE,), several_labels=False, mask_classes=self.classes, mask_values=values)

    def annotations(self, index: Index) -> Annotations:
        """The masks."""
        return {"masks": lambda row: load_mask(index, row, self.max_pixels)}

    def targets(self, index: Index, batch: Batch, preprocessing: Preprocessing) -> Targets:
        """`mask`, (N, H, W) uint8 of what is shown, 255 for pixels that count for nothing."""
        if batch.masks is None:
            raise ValueError("`batch`: expected one with masks; got none.")
        return {"mask": batch.masks}

    def blank_targets(self, count: int, input_size: tuple[int, int, int]) -> Targets:
        """The first class everywhere."""
        return {"mask": torch.zeros(count, *input_size[1:], dtype=torch.uint8)}

    def mix(self, targets: Targets, mix: Mix) -> Targets:
        """Not mixed: `resolve` refuses it."""
        raise UsageError("`mixup`: expected 0 with the task segment; got more.")

    def objective(self, net: nn.Module, recipe: Recipe | None = None, index: Index | None = None) -> PixelObjective:
        """The loss of pixels that the recipe asks for."""
        if recipe is None:
            return PixelObjective(net)
        chosen = options(Options, self.name, recipe.network.task_args)
        return PixelObjective(net, chosen.loss, recipe.training.label_smoothing, self.class_weight(index, recipe))

    def class_weight(self, index: Index | None, recipe: Recipe) -> Tensor | None:
        """(classes,) weights by median frequency, from the masks of train; None where all weigh alike."""
        if recipe.training.class_weights == "none":
            return None
        if index is None:
            raise ValueError("`index`: expected one to count pixels in, for class weights; got None.")
        rows = index.rows("train")
        pixels, present = np.zeros((2, len(self.classes)), np.int64)
        for row in rows[:: -(-len(rows) // COUNTED)].tolist():
            mask = load_mask(index, row, self.max_pixels)
            counts = np.bincount(mask[mask != IGNORED], minlength=len(self.classes))
            pixels += counts
            present += np.where(counts > 0, counts.sum(), 0)
        return median_frequency(torch.from_numpy(pixels), torch.from_numpy(present))

    def as_targets(self, outputs: Tensor) -> Targets:
        """The class that is answered in each pixel."""
        return {"mask": outputs.argmax(dim=1).byte()}

    def unmirror(self, outputs: Tensor) -> Tensor:
        """The logits of each pixel where the image has that pixel."""
        return outputs.flip(-1)

    def average(self, outputs: Sequence[Tensor]) -> Tensor:
        """Logits of each pixel, whose probabilities are means."""
        return mean_of_shares(outputs)

    def image_scores(self, outputs: Tensor, targets: Targets) -> Tensor:
        """(N,) the share of each image's pixels that is answered right, of those that count."""
        masks = targets["mask"]
        counts = masks != IGNORED
        right = (outputs.argmax(dim=1) == masks) & counts
        return right.sum(dim=(1, 2)) / counts.sum(dim=(1, 2)).clamp(min=1)

    def observe(self, outputs: Tensor, index: Index, batch: Batch, preprocessing: Preprocessing) -> Tensor:
        """(N, record_width): see `striate.tasks.segment_metrics.record`; each mask is answered at its own size."""
        records = []
        for row, logits in zip(batch.rows.tolist(), outputs, strict=True):
            truth = load_mask(index, row, self.max_pixels)
            answer, loss = np.empty_like(truth), 0.0
            for rows, strip in logits_at(logits, (truth.shape[1], truth.shape[0]), preprocessing):
                answer[rows] = strip.argmax(dim=0).numpy()
                wanted = torch.from_numpy(truth[rows]).long()[None]
                loss += float(cross_entropy(strip[None], wanted, ignore_index=IGNORED, reduction="sum"))
            records.append(record(answer, truth, len(self.classes), loss))
        return torch.from_numpy(np.stack(records)).float()

    def metrics(self, records: Tensor, groups: Groups | None = None) -> dict[str, float]:
        """See `striate.tasks.segment_metrics.scores`."""
        return scores(records.double().numpy(), self.classes, groups)

    def record_scores(self, records: Tensor) -> NDArray[np.float64]:
        """(N,) the mean IoU of each image by itself."""
        ious = class_ious(records.double().numpy(), len(self.classes))
        known = ~np.isnan(ious)
        sums: NDArray[np.float64] = np.nan_to_num(ious).sum(axis=1)
        counts = known.sum(axis=1)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.full(len(ious), np.nan))

    def line(self, metrics: Mapping[str, float]) -> str:
        """The mean IoU, over how many classes, and the share of pixels."""
        over = int(metrics["classes_scored"])
        of = "" if over == len(self.classes) else f" over {over} of {len(self.classes)} classes"
        interval = f"[{metrics['mean_iou_low']:.4f}, {metrics['mean_iou_high']:.4f}]"
        return (
            f"mean IoU {metrics['mean_iou']:.4f} {interval}{of}, pixel accuracy {metrics['pixel_accuracy']:.4f}, "
            f"boundary F1 {metrics['boundary_f1']:.4f}"
        )

    def confusion(self, records: Tensor) -> None:
        """None: records hold no pixels by class and answer."""

    def answers(self, records: Tensor) -> NDArray[np.int64]:
        """(N,) the class that most pixels are answered as."""
        answered = records[:, : PER_CLASS * len(self.classes)].chunk(PER_CLASS, dim=1)[2]
        return answered.argmax(dim=1).numpy()

    def graded(self, records: Tensor) -> Answers | None:
        """None: an image has many answers, one a pixel."""
        return None

    def probabilities(self, outputs: Tensor) -> Tensor:
        """(N, classes, H, W)."""
        return outputs.double().softmax(dim=1)

    def calibrated(self, outputs: Tensor, targets: Targets) -> Self:
        """The task as it is: it has no temperature."""
        return self

    def head_problem(self, index: Index, rows: Rows, recipe: Recipe) -> HeadProblem | None:
        """None: all that decodes the maps is trained."""
        return None

    def head_parts(
        self, index: Index, rows: Rows, recipe: Recipe, views: Sequence[Targets]
    ) -> dict[str, HeadProblem | ValueProblem]:
        """None: all that decodes the maps is trained."""
        return {}

    def decode(
        self, outputs: Tensor, paths: Sequence[str], sizes: Sequence[Size], preprocessing: Preprocessing
    ) -> list[Segmented]:
        """Predictions with a mask of the upright original's size."""
        predictions = []
        for path, size, logits in zip(paths, sizes, outputs, strict=True):
            mask = mask_at(logits, size, preprocessing)
            predictions.append(self._with_mask(path, mask, np.bincount(mask.ravel(), minlength=self.outputs)))
        return predictions

    def _with_mask(self, path: str, mask: NDArray[np.uint8], pixels: NDArray[np.int64]) -> Segmented:
        """A prediction of a mask (H, W), of which each class covers so many `pixels` (classes,)."""
        shares = pixels / max(pixels.sum(), 1)
        order = np.argsort(-shares, kind="stable").tolist()
        named = {self.classes[i]: float(shares[i]) for i in order}
        return Segmented(path, named, (self.classes[order[0]],), mask=mask)

    def truth(self, index: Index, row: int, size: Size) -> Segmented:
        """A prediction of the image's mask, in its own size; 255 for pixels that count for nothing."""
        mask = load_mask(index, row, self.max_pixels)
        return self._with_mask(index.paths([row])[0], mask, np.bincount(mask[mask != IGNORED], minlength=self.outputs))

    def unread(self, path: str, error: str) -> Segmented:
        """A prediction without a mask."""
        return Segmented(path, {}, error=error)
