"""Answers: what a model answered to each image, as columns whose size does not depend on the number of classes."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Answers:
    """N images with one label each, and what a model answered: 32 bytes an image."""

    labels: NDArray[np.int32]
    """(N,) class number."""

    answers: NDArray[np.int32]
    """(N,) the most probable class; the first of several."""

    seconds: NDArray[np.int32]
    """(N,) the second most probable class; the answer itself where there is one class."""

    ranks: NDArray[np.int32]
    """(N,) how many classes are more probable than the true one."""

    confidence: NDArray[np.float32]
    """(N,) probability of the answer."""

    truth: NDArray[np.float32]
    """(N,) probability of the true class."""

    loss: NDArray[np.float32]
    """(N,) negative log probability of the true class, in nats."""

    brier: NDArray[np.float32]
    """(N,) sum over the classes of the squared difference of probability and truth, 0 to 2."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def hits(self) -> NDArray[np.bool_]:
        """(N,) whether each answer is right."""
        return np.equal(self.labels, self.answers)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Answers":
        """Those of the chosen images: a mask (N,) or places (M,)."""
        return Answers(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @staticmethod
    def of(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> "Answers":
        """The answers that logits give.

        Args:
            logits: (N, classes), or log-probabilities.
            labels: (N,) class numbers.
            temperature: what the logits are divided by.
        """
        log_p = (logits.double() / temperature).log_softmax(dim=1)
        p, truth = log_p.exp(), log_p.gather(1, labels[:, None])[:, 0]
        top = logits.topk(min(2, logits.shape[1]), dim=1).indices
        answers = logits.argmax(dim=1)
        second = torch.where(top[:, 0] == answers, top[:, -1], top[:, 0])
        ranks = (logits > logits.gather(1, labels[:, None])).sum(dim=1)
        brier = (p**2).sum(dim=1) - 2 * truth.exp() + 1
        confidence = p.gather(1, answers[:, None])[:, 0]
        columns = (labels.int(), answers.int(), second.int(), ranks.int())
        figures = (confidence.float(), truth.exp().float(), -truth.float(), brier.float())
        return Answers(*(column.numpy() for column in (*columns, *figures)))

    @staticmethod
    def joined(parts: Sequence["Answers"]) -> "Answers":
        """The answers of several batches, in order; at least one."""
        return Answers(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Answers)))
