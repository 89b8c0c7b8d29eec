"""The scores of a model on one split of a data set."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from striate.data import Index, IndexedImages, Loader, Rows, batches
from striate.data.check import examine
from striate.device import cores
from striate.errors import DataError
from striate.evaluation.calibration import calibration_error, reliability
from striate.evaluation.classes import confused_pairs
from striate.evaluation.intervals import Resampling
from striate.evaluation.selective import Abstention, abstention, aurc
from striate.model import Model
from striate.tasks.answers import Answers


@dataclass(frozen=True)
class Evaluation:
    """What a model scored, and on which images."""

    split: str
    """train, val, test or all."""

    why: str
    """How the split came to be chosen."""

    metrics: dict[str, float]
    """See `Task.metrics`."""

    confusion: NDArray[np.int64] | None
    """(classes, classes) images by true class (row) and answer (column); None where the task has none."""

    classes: tuple[str, ...]
    rows: Rows
    """(N,) of the index."""

    answers: NDArray[np.int64]
    """(N,) class number of the first answer to each row."""

    mirrored: bool = False
    """Whether each answer is the mean of an image's and of its mirror image's."""

    unreadable: tuple[str, ...] = ()
    """Files that were left out, with the reason."""

    graded: Answers | None = None
    """Each image's answer beside its truth; None where an image's answer is not one class."""

    @cached_property
    def resampling(self) -> Resampling:
        """The bootstrap draws that all figures share."""
        return Resampling(len(self.rows))

    def calibration(self) -> dict[str, Any]:
        """How far probabilities can be believed, each figure with its interval; empty where `graded` is None."""
        if self.graded is None:
            return {}
        graded = self.graded
        loss, brier = self.resampling.means(np.stack([graded.loss, graded.brier], axis=1))
        return {
            "calibration_error": calibration_error(graded.confidence, graded.hits, self.resampling).to_dict(),
            "brier": brier.to_dict(),
            "loss": loss.to_dict(),
            "aurc": aurc(graded.confidence, graded.hits, self.resampling).to_dict(),
            "bins": reliability(graded.confidence, graded.hits).to_dict(),
        }

    def abstention(self, wanted: float) -> Abstention | None:
        """The threshold of probability that keeps a wanted accuracy; None where `graded` is None."""
        if self.graded is None:
            return None
        return abstention(self.graded.confidence, self.graded.hits, wanted, self.resampling)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain: dict[str, Any] = {
            "split": self.split,
            "why": self.why,
            "mirrored": self.mirrored,
            **self.metrics,
            "unreadable": list(self.unreadable),
        }
        if self.graded is not None:
            plain["calibration"] = self.calibration()
        if self.confusion is not None:
            plain["confused"] = [pair.to_dict() for pair in confused_pairs(self.confusion, self.classes)]
            plain["per_class"] = self.per_class()
            plain["confusion"] = {"classes": list(self.classes), "matrix": self.confusion.tolist()}
        return plain

    def per_class(self) -> dict[str, dict[str, float]]:
        """Images, precision and recall of each class; nan where there is nothing to divide by, as 0."""
        if self.confusion is None:
            return {}
        right, true, answered = np.diag(self.confusion), self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        return {
            name: {
                "count": int(true[i]),
                "precision": float(right[i] / max(answered[i], 1)),
                "recall": float(right[i] / max(true[i], 1)),
            }
            for i, name in enumerate(self.classes)
        }


def evaluate(
    model: Model,
    index: Index,
    which: str = "auto",
    batch_size: int = 64,
    workers: int | None = None,
    *,
    mirrored: bool = False,
) -> Evaluation:
    """Scores a model on one split; images that cannot be read are left out and named.

    Args:
        model: of which the classes must cover the index's.
        index: as `striate.data.read` gives it.
        which: "train", "val", "test", "all" or "auto"; see `evaluation_rows`.
        batch_size: images at a time.
        workers: threads that decode; one a core unless given.
        mirrored: answer by the mean of the logits of each image and of its mirror image, at twice the cost.

    Raises:
        DataError: if a class is unknown to the model, or the split has no labelled image.
    """
    workers = workers or cores()
    if not len(index):
        raise DataError("data: expected images to evaluate on; got none.")
    task, matched = model.task, model.task.match(index)
    name, rows, why = evaluation_rows(model, matched, which, workers)
    images = IndexedImages(matched, model.max_pixels)
    unreadable: dict[int, str] = {}
    loader = Loader(
        images,
        batches(rows, batch_size),
        model.preprocessing,
        workers=workers,
        unreadable=unreadable,
        **task.annotations(matched),
    )
    records = torch.cat(
        [
            task.observe(model.predict_batch(batch.images, mirrored=mirrored), matched, batch, model.preprocessing)
            for batch in loader
        ]
    )
    read = np.array([row not in unreadable for row in rows.tolist()])
    rows, records = rows[read], records[torch.from_numpy(read)]
    if not len(rows):
        raise DataError(f"{name}: expected at least one readable image; got none of {len(read)}.")
    return Evaluation(
        split=name,
        why=why,
        metrics=task.metrics(records),
        confusion=task.confusion(records),
        classes=model.classes,
        rows=rows,
        answers=task.answers(records),
        graded=task.graded(records),
        mirrored=mirrored,
        unreadable=tuple(f"{images.path(row)}: {reason}" for row, reason in sorted(unreadable.items())),
    )


def evaluation_rows(model: Model, index: Index, which: str, workers: int | None = None) -> tuple[str, Rows, str]:
    """The split to evaluate on, its rows, and how it was chosen.

    "auto" takes test, else val, where the data has such a split. Where it has none and is the data that the model was
    trained on, it is split as it was then, and test is taken. Other data without a split is taken whole.

    Args:
        model: whose recipe says how the data was split.
        index: as the model's task matches it.
        which: "train", "val", "test", "all" or "auto".
        workers: threads that look for copies of images, which are split together; one a core unless given.

    Raises:
        DataError: if the split has no labelled image.
    """
    has_splits = index.table["split"].null_count < len(index)
    trained_on = model.about.get("data") == index.fingerprint()
    if not has_splits and trained_on:
        data = model.about["recipe"]["data"]
        found = examine(index, max_pixels=model.max_pixels, max_bad=data["max_bad"], workers=workers or cores())
        index = found.split(
            val_fraction=data["val_fraction"], test_fraction=data["test_fraction"], seed=model.about["seed"]
        )
    if which == "auto" and not has_splits and not trained_on:
        which, why = "all", "the data has no splits and is not what the model was trained on: all of it"
    elif which == "auto":
        which = "test" if len(index.rows("test")) else "val"
        why = "held out from training" if which == "test" else "there is no test split; val also chose the best epoch"
    else:
        why = "as asked"
    rows = np.flatnonzero(index.usable() & index.labelled()) if which == "all" else index.rows(which)
    if not len(rows):
        raise DataError(f"{which}: expected at least one labelled image; got none. Try --split all.")
    return which, rows, why
