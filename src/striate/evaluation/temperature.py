"""A model with the temperature at which its probabilities are right as often as they say."""

from dataclasses import replace

import numpy as np
import torch

from striate.data import Index, Rows
from striate.evaluation.answered import Answered, answer
from striate.model import Model

FEWEST = 50  # images: of fewer, chance decides
MOST = 5_000  # images that are looked at, spread evenly


def calibrated(
    model: Model,
    index: Index,
    rows: Rows,
    workers: int | None = None,
    answered: Answered | None = None,
) -> Model:
    """The model with a temperature fitted to images that it did not learn from; its answers stay what they are.

    Where its task has no temperature, or there are fewer than 50 images, the model stays as it is.

    Args:
        model: of the images.
        index: as the model's task matches it.
        rows: of the images.
        workers: threads that decode; one a core unless given.
        answered: what the model answers to all rows, where it has been asked; at most `MOST`.
    """
    if not model.task.has_temperature or len(rows) < FEWEST:
        return model
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST)).round().astype(np.int64))]
    answered = answered or answer(model, index, chosen, workers=workers)
    outputs, labels = [], []
    for values, batch in answered.batches:
        read = torch.tensor([row not in answered.unreadable for row in batch.rows.tolist()])
        outputs.append(values[read])
        labels.append(
            {name: each[read] for name, each in model.task.targets(index, batch, model.preprocessing).items()}
        )
    targets = {name: torch.cat([each[name] for each in labels]) for name in labels[0]}
    seen = torch.cat(outputs)
    return replace(model, task=model.task.calibrated(seen, targets)) if len(seen) >= FEWEST else model
