"""Answers: what a model answered to each image, as columns whose number does not depend on that of the classes."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Answers:
    """N images with one label each, and what a model answered: 44 bytes an image."""

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

    plain_confidence: NDArray[np.float32]
    """(N,) `confidence` as it was without a temperature."""

    plain_loss: NDArray[np.float32]
    """(N,) likewise."""

    plain_brier: NDArray[np.float32]
    """(N,) likewise."""

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
        return Answers.from_records(Answers.records(logits, labels, temperature))

    @staticmethod
    def records(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> Tensor:
        """(N, WIDTH) float32, one row of the fields of `Answers` an image; class numbers are exact up to 2^24."""
        top = logits.topk(min(2, logits.shape[1]), dim=1).indices
        answers = logits.argmax(dim=1)  # the first of several
        second = torch.where(top[:, 0] == answers, top[:, -1], top[:, 0])
        true = logits.gather(1, labels[:, None])
        before = torch.arange(logits.shape[1]) < labels[:, None]
        ranks = ((logits > true) | ((logits == true) & before)).sum(dim=1)
        scaled = _Figures.of(logits.double() / temperature, answers, labels)
        plain = scaled if temperature == 1 else _Figures.of(logits.double(), answers, labels)
        columns = (labels, answers, second, ranks, *scaled, plain.confidence, plain.loss, plain.brier)
        return torch.stack([column.float() for column in columns], dim=1)

    @staticmethod
    def from_records(records: Tensor) -> "Answers":
        """The answers of N images from their records (N, WIDTH)."""
        columns = records.T.numpy()
        return Answers(
            *(column.astype(np.int32) for column in columns[:INTEGERS]),
            *(np.ascontiguousarray(column) for column in columns[INTEGERS:]),
        )


INTEGERS = 4  # fields that hold class numbers and ranks; they come first
WIDTH = len(fields(Answers))


class _Figures(NamedTuple):
    """(N,) each: the probability of the answer and of the truth, the loss, and Brier's score."""

    confidence: Tensor
    truth: Tensor
    loss: Tensor
    brier: Tensor

    @staticmethod
    def of(logits: Tensor, answers: Tensor, labels: Tensor) -> "_Figures":
        """Those that logits (N, classes) give."""
        log_p = logits.log_softmax(dim=1)
        truth = log_p.gather(1, labels[:, None])[:, 0]
        confidence = log_p.gather(1, answers[:, None])[:, 0].exp()
        brier = log_p.exp().square().sum(dim=1) - 2 * truth.exp() + 1
        return _Figures(confidence, truth.exp(), -truth, brier)
