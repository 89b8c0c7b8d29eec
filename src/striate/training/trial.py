"""Whether a model answers in bfloat16 as it does in float32, tried on images of its data."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import nn

from striate.data import Batch, Index, IndexedImages, Loader, Rows, batches
from striate.evaluation.answered import Answered
from striate.model import Model, load
from striate.training.run import Run

IMAGES = 256  # at most, spread over val
MOST_CHANGED = 1 / 200  # of the answers
BATCH_SIZE = 32


@dataclass(frozen=True)
class Trial:
    """What bfloat16 changed of a model's answers in float32."""

    images: int
    changed: int
    """Images that were answered otherwise."""

    difference: float
    """The length of the difference of all outputs, relative to that of the outputs in float32."""

    @property
    def passed(self) -> bool:
        """Whether at most 1 answer in 200 changes; one alone is no sign, however few the images."""
        return self.changed <= max(1, MOST_CHANGED * self.images)

    def __str__(self) -> str:
        return (
            f"bfloat16 beside float32 on {self.images} images: outputs differ by {self.difference:.2%}, "
            f"{self.changed} {'answer changes' if self.changed == 1 else 'answers change'}"
        )


def tried(model: Model, index: Index, workers: int, answered: Answered | None = None) -> Trial:
    """Lets a model answer images in bfloat16 and in float32.

    Args:
        model: whose device both run on.
        index: split; images of val are answered, or of train where it has none.
        workers: threads that decode.
        answered: what the model answers to val in bfloat16, where it has been asked, with its answers in float32 to
            `tried_rows` beside them, where that has been asked too.
    """
    rows = tried_rows(index)
    if answered is not None and answered.beside is not None:
        read = torch.tensor([row not in answered.unreadable for row in rows.tolist()])
        both, asked = (answered.of(rows), answered.beside), Batch(torch.empty(0), rows)
        seen = [model.task.observe(outputs, index, asked, model.preprocessing) for outputs in both]
        return _trial(model, read, both, seen)
    rounded, exact = replace(model, machine=replace(model.machine, precision="bfloat16")), in_float32(model)
    unreadable: dict[int, str] = {}
    outputs: list[list[torch.Tensor]] = [[], []]
    records: list[list[torch.Tensor]] = [[], []]
    annotations = model.task.annotations(index)
    images = IndexedImages(index, model.max_pixels)
    parts = batches(rows, BATCH_SIZE)
    for batch in Loader(images, parts, model.preprocessing, workers=workers, unreadable=unreadable, **annotations):
        first = rounded.predict_batch(batch.images) if answered is None else answered.of(batch.rows)
        for found, values, seen in zip((first, exact.predict_batch(batch.images)), outputs, records, strict=True):
            values.append(found)
            seen.append(model.task.observe(values[-1], index, batch, model.preprocessing))
    read = torch.tensor([row not in unreadable for row in rows.tolist()])
    return _trial(model, read, [torch.cat(values) for values in outputs], [torch.cat(seen) for seen in records])


def tried_rows(index: Index) -> Rows:
    """The images that are answered in both precisions."""
    rows = index.rows("val") if len(index.rows("val")) else index.rows("train")
    chosen: Rows = rows[np.unique(np.linspace(0, len(rows) - 1, IMAGES).astype(int))]
    return chosen


def in_float32(model: Model) -> Model:
    """The model, in float32."""
    return replace(model, machine=replace(model.machine, precision="float32"))


def _trial(model: Model, read: torch.Tensor, outputs: Sequence[torch.Tensor], records: Sequence[torch.Tensor]) -> Trial:
    """Compares outputs and their records, in bfloat16 and in float32, of the images that could be read."""
    of_rounded, of_exact = (values[read] for values in outputs)
    answers = [model.task.answers(seen[read]) for seen in records]
    difference = (of_rounded - of_exact).norm() / of_exact.norm().clamp(min=1e-30)
    return Trial(int(read.sum()), int((answers[0] != answers[1]).sum()), float(difference))


def try_bfloat16(
    run: Run, net: nn.Module | None = None, answers: Callable[[], Answered | None] = lambda: None
) -> Trial | None:
    """Tries what a run answers by, and says what was found; None where that is in float32.

    Args:
        run: of which the model file is tried, and keeps what was found.
        net: tried in place of the file; in evaluation mode, where the machine has placed it.
        answers: what the file answers to val, where it is asked anyway; asked in the first process alone.
    """
    if run.machine.precision != "bfloat16":
        return None

    def work() -> Trial:
        if net is not None:
            return tried(run.model(net), run.index, run.workers)
        model = load(run.folder.model, device=run.machine.device.type, precision="bfloat16")
        trial = tried(model, run.index, run.workers, answers())
        replace(model, about=model.about | {"bfloat16": asdict(trial)}).save(run.folder.model)
        return trial

    trial = run.processes.from_first(work)
    run.reporter.info(f"{trial}{'' if trial.passed else ', more than 1 in 200: float32 takes its place'}")
    return trial


def answer_in_float32(run: Run) -> None:
    """Lets the run's model file answer in float32."""
    if run.processes.first:
        model = load(run.folder.model, device=run.machine.device.type)
        machine = model.about["machine"] | {"precision": "float32"}
        replace(model, about=model.about | {"machine": machine}).save(run.folder.model)
