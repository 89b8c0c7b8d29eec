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

    def of(self, rows: Rows) -> Tensor:
        """The outputs for some of the rows."""
        return torch.cat([outputs for outputs, _ in self.batches])[torch.from_numpy(np.searchsorted(self.rows, rows))]


def answer(model: Model, index: Index, rows: Rows, batch_size: int = 64, workers: int | None = None) -> Answered:
    """Lets a model answer images that need nothing beside their pixels.

    Args:
        model: of the images; the temperature of its task plays no part.
        index: as the model's task matches it.
        rows: of the images, in order.
        batch_size: images at a time.
        workers: threads that decode; one a core unless given.
    """
    started = time.perf_counter()
    unreadable: dict[int, str] = {}
    outputs = model.outputs_of(IndexedImages(index, model.max_pixels), rows, batch_size, workers, unreadable=unreadable)
    batches = tuple((values, replace(batch, images=torch.empty(0))) for values, batch in outputs)
    return Answered(rows, batches, unreadable, time.perf_counter() - started)
