"""The answers of a model to the images of one split of a data set, and their scores."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.data import Batch, Index, IndexedImages, Rows
from striate.data.check import examine, leaks
from striate.data.check.run import Progress, no_progress
from striate.data.crops import ONCE, Viewing
from striate.data.index import SPLITS
from striate.device import arithmetic_threads
from striate.errors import DataError
from striate.evaluation.answered import Answered
from striate.files import list_names
from striate.model import Model
from striate.processors import cores
from striate.tasks.answers import Answers


@dataclass(frozen=True)
class Column:
    """A column of the data: its name, and its value for each of the N images that were scored."""

    name: str
    values: Sequence[Any]
    """(N,); None for an image that has none."""


@dataclass(frozen=True)
class Scored:
    """What a model answered to each image of a split; `striate.evaluation.summarise` says how good that is."""

    model: Model
    index: Index
    """As the model's task matches it."""

    split: str
    """train, val, test or all."""

    why: str
    """How the split came to be chosen."""

    rows: Rows
    """(N,) of the index, N >= 1."""

    records: Tensor
    """(N, record_width), see `Task.observe`."""

    seconds: float
    """For decoding and answering all images."""

    viewing: Viewing = ONCE
    """The views of each image, over which an answer is averaged."""

    unreadable: tuple[str, ...] = ()
    """Files that were left out, with the reason."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, by class number."""
        return self.model.classes

    def column(self, name: str, values: Sequence[Any]) -> Column:
        """A column by its values for all rows of the index."""
        if len(values) != len(self.index):
            raise ValueError(f"`{name}`: expected a value for each of {len(self.index)} images; got {len(values)}.")
        return Column(name, [values[row] for row in self.rows.tolist()])

    @cached_property
    def metrics(self) -> dict[str, float]:
        """See `Task.metrics`."""
        return self.model.task.metrics(self.records)

    @cached_property
    def graded(self) -> Answers | None:
        """Each image's answer beside its truth; None where an image's answer is not one class."""
        return self.model.task.graded(self.records)

    @cached_property
    def confusion(self) -> NDArray[np.int64] | None:
        """(classes, classes) images by true class (row) and answer (column); None where the task has none."""
        return self.model.task.confusion(self.records)

    @cached_property
    def answers(self) -> NDArray[np.int64]:
        """(N,) class number of the first answer to each row."""
        return self.model.task.answers(self.records)


def evaluate(
    model: Model,
    index: Index,
    which: str = "auto",
    batch_size: int = 64,
    workers: int | None = None,
    viewing: Viewing = ONCE,
    progress: Progress = no_progress,
    answered: Answered | None = None,
) -> Scored:
    """Scores a model on one split; images that cannot be read are left out and named.

    Args:
        model: of which the classes must cover the index's.
        index: as `striate.data.read` gives it.
        which: "train", "val", "test", "all" or "auto"; see `evaluation_rows`.
        batch_size: images at a time.
        workers: threads that decode; one a core unless given.
        viewing: the views of each image, over which probabilities are averaged.
        progress: shows how far it is; as in `striate.data.examine`.
        answered: what a model answers to images of the index, where it has been asked, in one view; taken where it is
            this model, and these are the images of the split.

    Raises:
        DataError: if a class is unknown to the model, or the split has no labelled image.
        UsageError: if the views are not such as this model can look at.
    """
    workers = workers or cores()
    if not len(index):
        raise DataError("data: expected images to evaluate on; got none.")
    task, matched = model.task, model.task.match(index)
    name, rows, why = evaluation_rows(model, matched, which, workers)
    images = IndexedImages(matched, model.max_pixels)
    unreadable: dict[int, str] = {}
    outputs: Iterable[tuple[Tensor, Batch]]
    if answered and viewing == ONCE and np.array_equal(rows, answered.rows) and answered.is_of(model):
        outputs, unreadable, seconds_before = answered.batches, dict(answered.unreadable), answered.seconds
    else:
        seconds_before = 0.0
        outputs = model.outputs_of(
            images, rows, batch_size, workers, viewing, unreadable=unreadable, annotations=task.annotations(matched)
        )
    started = time.perf_counter()
    shown = viewing.whole(model.preprocessing)
    found = []
    with progress("scoring", len(rows)) as advance, arithmetic_threads(model.machine.threads):
        for each, batch in outputs:
            found.append(task.observe(each, matched, batch, shown))
            advance(len(batch.rows))
    records = torch.cat(found)
    seconds = time.perf_counter() - started + seconds_before
    read = np.array([row not in unreadable for row in rows.tolist()])
    if not read.any():
        raise DataError(f"{name}: expected at least one readable image; got none of {len(read)}.")
    return Scored(
        model,
        matched,
        split=name,
        why=why,
        rows=rows[read],
        records=records[torch.from_numpy(read)],
        seconds=seconds,
        viewing=viewing,
        unreadable=tuple(f"{images.path(row)}: {reason}" for row, reason in sorted(unreadable.items())),
    )


def evaluation_rows(model: Model, index: Index, which: str, workers: int | None = None) -> tuple[str, Rows, str]:
    """The split to evaluate on, its rows, and how it was chosen.

    "auto" takes test, else val, where the data has such a split. Where it has none and is the data that the model was
    trained on, it is split as it was then. Other data is taken whole. Of the data that the model was trained on,
    "train" is what it learned from, without what the run left out.

    Args:
        model: whose recipe says how the data was split.
        index: as the model's task matches it.
        which: "train", "val", "test", "all" or "auto".
        workers: threads that look for copies of images, which are split together; one a core unless given.

    Raises:
        DataError: if the split has no labelled image, or nothing was held out from training.
    """
    known = "seed" in model.about and model.about.get("recipe", {}).get("data") is not None
    trained_on = known and model.about.get("data") == index.fingerprint()
    if trained_on and not _as_given(index, which):
        index = _as_trained(model, index, workers or cores())
    held_out = next((split for split in ("test", "val") if len(index.rows(split))), "")
    if which != "auto":
        why = "as asked"
    elif held_out:
        which = held_out
        chosen = "" if "head" in model.about else "; val also chose the best epoch"  # a fitted head has no epochs
        why = "held out from training" if which == "test" else f"there is no test split{chosen}"
    elif trained_on:
        raise DataError(
            "data: expected images that were held out from training; got none, so that a score would tell nothing of "
            "new images. Try it on others, or --split train."
        )
    else:
        which, why = "all", _why_all(index, known=known)
    rows = np.flatnonzero(index.usable() & index.labelled()) if which == "all" else index.rows(which)
    if not len(rows):
        raise DataError(f"{which}: expected at least one labelled image; got {_labelled(index)}.")
    return which, rows, why


def _why_all(index: Index, *, known: bool) -> str:
    """How all images came to be chosen, of data in which nothing is held out.

    Args:
        index: of which the images may be those that the model learned from.
        known: whether the model says what it was trained on, which is another set.
    """
    lacks = "no splits" if index.table["split"].null_count == len(index) else "neither val nor test"
    other = "is not what the model was trained on" if known else "the model does not say what it was trained on"
    return f"the data has {lacks}, and {other}; a score is too good if the model learned from some of the images"


def _labelled(index: Index) -> str:
    """The labelled images of each split, and what to try, for the end of a sentence."""
    counts = {split: len(index.rows(split)) for split in SPLITS}
    found = [f"{count:,} in {split}" for split, count in counts.items() if count]
    others = int((index.usable() & index.labelled()).sum()) - sum(counts.values())
    found += [f"{others:,} without a split"] if others else []
    if not found:
        return "none in any split"
    tried = next((split for split in reversed(SPLITS) if counts[split]), "all")
    return f"{list_names(found)}. Try --split {tried}"


def _as_given(index: Index, which: str) -> bool:
    """Whether the data itself says which rows a run has in a split; of train, the run may have left some out."""
    wanted = ("test", "val") if which == "auto" else (which,)
    return which == "all" or any(split != "train" and len(index.rows(split)) for split in wanted)


def _as_trained(model: Model, index: Index, workers: int) -> Index:
    """The data that a model was trained on, split as its run split it."""
    data = model.about["recipe"]["data"]
    found = examine(index, max_pixels=model.max_pixels, max_bad=data["max_bad"], workers=workers)
    found = found.of_bands(model.preprocessing.channels)
    own = data.get("split_seed")
    seed = model.about["seed"] if own is None else own
    index = found.split(val_fraction=data["val_fraction"], test_fraction=data["test_fraction"], seed=seed)
    kept = data.get("keep_leaks", True)  # as runs did before there was a choice
    return index if kept else leaks.without(index, found.leaks(index))
