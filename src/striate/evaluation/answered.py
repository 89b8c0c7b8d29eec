"""The outputs of a model for images, kept, so that one pass over the images answers several questions."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from striate.data import Batch, Index, IndexedImages, Rows
from striate.model import Model


@dataclass(frozen=True)
class Answered:
    """The outputs of a model for images."""

    rows: Rows
    """(N,) of the index, in order."""

    batches: tuple[tuple[Tensor, Batch], ...]
    """As `Model.outputs_of` gives them, without pixels."""

    unreadable: Mapping[int, str]
    """The reason of each row that could not be read."""

    seconds: float
    """For decoding and answering all images."""

    model: Model
    """That answered."""

    beside: Tensor | None = None
    """The outputs of another model for some of the rows, where it was asked beside this one."""

    def is_of(self, model: Model) -> bool:
        """Whether a model would answer the same: all but its temperature and what it says of itself is equal."""
        own, other = self.model.net.state_dict(), model.net.state_dict()
        return (
            (self.model.name, self.model.arguments, self.model.preprocessing, self.model.machine, self.model.max_pixels)
            == (model.name, model.arguments, model.preprocessing, model.machine, model.max_pixels)
            and own.keys() == other.keys()
            and all(torch.equal(own[name], other[name]) for name in own)
        )

    def lend_net(self, model: Model) -> None:
        """Lets a model that would answer the same take over the net that answered, which is ready to run."""
        if self.is_of(model):
            model.run_as(self.model)

    def of(self, rows: Rows) -> Tensor:
        """The outputs for some of the rows."""
        return torch.cat([outputs for outputs, _ in self.batches])[torch.from_numpy(np.searchsorted(self.rows, rows))]


def answer(
    model: Model,
    index: Index,
    rows: Rows,
    batch_size: int = 64,
    workers: int | None = None,
    beside: tuple[Model, Rows] | None = None,
) -> Answered:
    """Lets a model answer images that need nothing beside their pixels.

    Args:
        model: of the images; the temperature of its task plays no part.
        index: as the model's task matches it.
        rows: of the images, in order.
        batch_size: images at a time.
        workers: threads that decode; one a core unless given.
        beside: another model, of the same images, that is asked too, for some of the rows.
    """
    started = time.perf_counter()
    unreadable: dict[int, str] = {}
    images = IndexedImages(index, model.max_pixels)
    batches, others, beside_s = [], [], 0.0
    for values, batch in model.outputs_of(images, rows, batch_size, workers, unreadable=unreadable):
        if beside is not None:
            other, asked = beside
            began = time.perf_counter()
            others.append(other.predict_batch(batch.images[torch.from_numpy(np.isin(batch.rows, asked))]))
            beside_s += time.perf_counter() - began
        batches.append((values, replace(batch, images=torch.empty(0))))
    seconds = time.perf_counter() - started - beside_s
    return Answered(rows, tuple(batches), unreadable, seconds, model, torch.cat(others) if others else None)
