"""What the verdict and the advice go by: the record of an evaluation, and what else is known of the model."""

import math
from dataclasses import dataclass, field

import numpy as np

from striate.evaluation.classes import ClassScores
from striate.evaluation.intervals import Interval
from striate.evaluation.record import Evaluation
from striate.files import NAME_LENGTH, fit_to_print
from striate.recipe import Recipe, TransferRecipe
from striate.report.history import History
from striate.tasks import task_kind

TOO_AUGMENTED = 0.1  # by how much augmented training images may be answered worse


@dataclass(frozen=True)
class Facts:
    """An evaluation, beside how the model came to be."""

    evaluation: Evaluation
    history: History = field(default_factory=History)
    doubtful: int = 0
    """Wrong answers that were given as surely as right ones, so that the label may be wrong."""

    learned_from: bool = False
    """Whether the model learned from images that it was scored on."""

    @property
    def value(self) -> Interval:
        """The score to look at first."""
        return self.evaluation.metrics[self.evaluation.score]

    @property
    def names_images(self) -> bool:
        """Whether the score is the share of images that are answered right."""
        return self.evaluation.score == "accuracy" and bool(self.evaluation.per_class)

    @property
    def can_plan(self) -> bool:
        """Whether `--freeze auto` measures what helps the task."""
        asked = Recipe(transfer=TransferRecipe(freeze="auto"))
        return task_kind(self.evaluation.task).resolve_transfer(asked).transfer.freeze == "auto"

    @property
    def mistakes(self) -> int:
        """Images that were answered wrong, where the score is the share of those answered right."""
        return self.evaluation.count - round(self.value.value * self.evaluation.count)

    @property
    def scored_classes(self) -> list[ClassScores]:
        """The classes that were asked for, the worst recall first."""
        asked = [each for each in self.evaluation.per_class if each.count]
        return sorted(asked, key=lambda each: (each.recall.value, each.recall.high))

    @property
    def most_frequent(self) -> tuple[str, float]:
        """The class of most images that were scored, and its share of them."""
        largest = max(self.evaluation.per_class, key=lambda each: each.count)
        return largest.name, largest.count / self.evaluation.count

    @property
    def confidence(self) -> float:
        """The mean probability of the answers; NaN where answers have none."""
        bins = self.evaluation.calibration.bins if self.evaluation.calibration else ()
        counts = [bin_.count for bin_ in bins]
        return float(np.average([bin_.confidence for bin_ in bins], weights=counts)) if sum(counts) else math.nan

    @property
    def train_score(self) -> float:
        """The score on training images in the last epoch, where that is measured as the score here; else NaN."""
        return self.history.last(f"train_{self.evaluation.score}")

    @property
    def gap(self) -> float:
        """By how much training images are answered better, beyond the interval; NaN where that is not known."""
        return self.train_score - self.value.high

    @property
    def too_augmented(self) -> bool:
        """Whether training images, as augmentation shows them, are answered much worse than those that were scored.

        Mixed images have two labels, of which one alone counts, so nothing follows from their score.
        """
        augment = self.history.recipe.get("augment") or {}
        mixed = augment.get("mixup") or augment.get("cutmix")
        return (
            augment.get("augment", "none") != "none" and not mixed and self.train_score < self.value.low - TOO_AUGMENTED
        )

    @property
    def best_epoch(self) -> float:
        """The epoch whose model was kept; NaN where it is not known."""
        known = [row for row in self.history.epochs if math.isfinite(row.get(self._val, math.nan))]
        return max(known, key=lambda row: (row[self._val], -row["epoch"]))["epoch"] if known else math.nan

    @property
    def chosen_here(self) -> bool:
        """Whether the images that were scored also chose among the epochs."""
        return self.evaluation.split == "val" and len(self.history.epochs) != 1

    @property
    def _val(self) -> str:
        return f"val_{self.evaluation.score}"


def quoted(name: str) -> str:
    """The name of a class in a sentence."""
    return f"“{fit_to_print(name, NAME_LENGTH)}”"
