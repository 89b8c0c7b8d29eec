"""Records of evaluations that are what a test wants them to be."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from striate.evaluation import Evaluation
from striate.evaluation.calibration import calibration
from striate.evaluation.classes import class_scores, confused_pairs
from striate.evaluation.intervals import Resampling
from striate.evaluation.record import Metric
from striate.evaluation.selective import abstention
from striate.tasks.answers import Answers


def planted_answers(matrix: Sequence[Sequence[int]], sure: float | Sequence[Sequence[float]] = 0.9) -> Answers:
    """Answers with a given confusion.

    Args:
        matrix: images by true class (row) and answer (column).
        sure: the probability of each answer, or that of each cell's answers.
    """
    counts, classes = np.asarray(matrix), len(matrix)
    probability = np.broadcast_to(np.asarray(sure, float), counts.shape)
    cells = [cell for cell in np.ndindex(*counts.shape) for _ in range(counts[cell])]
    labels: NDArray[np.int64] = np.array([truth for truth, _ in cells])
    shares = np.empty((len(cells), classes))
    for row, (truth, answer) in enumerate(cells):
        shares[row] = (1 - probability[truth, answer]) / (classes - 1)
        shares[row, answer] = probability[truth, answer]
    return Answers.of(torch.from_numpy(np.log(shares)), torch.from_numpy(labels))


def planted(
    matrix: Sequence[Sequence[int]], sure: float | Sequence[Sequence[float]] = 0.9, **changes: Any
) -> Evaluation:
    """The record of answers with a given confusion; classes are called a, b, c unless `classes` says otherwise."""
    answers = planted_answers(matrix, sure)
    resampling = Resampling(len(answers))
    names = changes.pop("classes", tuple("abcdefghijklmnopqrstuvwxyz"[: len(matrix)]))
    accuracy = resampling.share(answers.hits)
    found = Evaluation(
        network="resnet18",
        task="classify",
        data="photos",
        read_as="read as: class folders",
        split="test",
        why="held out from training",
        count=len(answers),
        classes=names,
        score="accuracy",
        metrics={"accuracy": Metric(accuracy.value, accuracy.low, accuracy.high, "wilson")},
        worst=(),
        device="cpu",
        precision="float32",
        seconds=1.0,
        images_per_second=100.0,
        calibration=calibration(answers, resampling),
        per_class=tuple(class_scores(answers, names, resampling)),
        confusion=tuple(map(tuple, np.asarray(matrix).tolist())),
        confused=tuple(confused_pairs(answers, names, resampling)),
        abstention=abstention(answers.confidence, answers.hits, 0.99, resampling),
    )
    return replace(found, **changes)
