"""Each class on its own: precision, recall and F1 with intervals, and which classes are taken for which."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.evaluation.intervals import UNKNOWN, Floats, Interval, Resampling, share
from striate.tasks.answers import Answers
from striate.tasks.wilson import wilson


@dataclass(frozen=True)
class ClassScores:
    """How well one class is answered."""

    name: str
    count: int
    """Images of this class."""

    answered: int
    """Images that were answered with this class."""

    precision: Interval
    """Share of the images answered with this class that are of it; unknown where there are none."""

    recall: Interval
    """Share of the images of this class that are answered with it; unknown where there are none."""

    f1: Interval
    """2 * right / (count + answered); unknown where both are 0."""


@dataclass(frozen=True)
class Confusion:
    """Images of one class that were answered with another."""

    truth: str
    answer: str
    count: int
    share: Interval
    """Of the images of the true class."""


def confusion_matrix(answers: Answers, classes: int) -> NDArray[np.int64]:
    """(classes, classes) images by true class (row) and answer (column)."""
    cells = answers.labels.astype(np.int64) * classes + answers.answers
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def class_scores(answers: Answers, names: tuple[str, ...], resampling: Resampling) -> list[ClassScores]:
    """The scores of each class, in the order of the names.

    Args:
        answers: of N images.
        names: of the classes.
        resampling: of these N images. Where it has groups, every interval is by it, else those of F1 alone.
    """
    classes = len(names)
    truth = np.bincount(answers.labels, minlength=classes)
    answered = np.bincount(answers.answers, minlength=classes)
    right = np.bincount(answers.labels[answers.hits], minlength=classes)
    drawn = _drawn(answers, classes, resampling)  # (draws, 3, classes): right, of the class, answered with it
    return [
        ClassScores(
            name,
            int(truth[k]),
            int(answered[k]),
            _share(right[k], answered[k], drawn[:, 0, k], drawn[:, 2, k], resampling),
            _share(right[k], truth[k], drawn[:, 0, k], drawn[:, 1, k], resampling),
            _f1(int(right[k]), int(truth[k] + answered[k]), drawn[:, 0, k], drawn[:, 1:, k].sum(axis=1), resampling),
        )
        for k, name in enumerate(names)
    ]


def _drawn(answers: Answers, classes: int, resampling: Resampling) -> NDArray[np.float64]:
    """(draws, 3, classes) how many images of each draw are right, of each class, and answered with it."""
    from scipy.sparse import csr_array

    block, hits = resampling.block, answers.hits
    rows = np.concatenate([block[hits], block, block])
    columns = np.concatenate(
        [answers.labels[hits], classes + answers.labels.astype(np.int64), 2 * classes + answers.answers]
    )
    sums = csr_array((np.ones(len(rows)), (rows, columns)), shape=(resampling.blocks, 3 * classes))
    return resampling.sums(sums).reshape(-1, 3, classes)


def _share(right: float, count: float, drawn_right: Floats, drawn_count: Floats, resampling: Resampling) -> Interval:
    plain = share(float(right), float(count))
    if not resampling.grouped or not 0 < right < count:
        return plain
    with np.errstate(invalid="ignore"):
        return resampling.percentile(plain.value, drawn_right / drawn_count)


def _f1(right: int, both: int, drawn_right: Floats, drawn_both: Floats, resampling: Resampling) -> Interval:
    if not both:
        return UNKNOWN
    if 0 < 2 * right < both:
        with np.errstate(invalid="ignore"):
            return resampling.percentile(2 * right / both, 2 * drawn_right / drawn_both)
    low, high = wilson(right, both / 2)  # no draw of such images differs, so that of a share of as many
    return Interval(2 * right / both, float(low), float(high))


def confused_pairs(answers: Answers, names: tuple[str, ...], resampling: Resampling, most: int = 10) -> list[Confusion]:
    """The pairs of classes that are taken for each other most often, by count and then by share of the true class.

    Args:
        answers: of N images.
        names: of the classes.
        resampling: of these N images.
        most: pairs to give.
    """
    matrix = confusion_matrix(answers, len(names))
    off = matrix - np.diag(np.diag(matrix))
    shares = off / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    order = np.lexsort((-shares.ravel(), -off.ravel()))[:most]
    found = []
    for i, j in (divmod(int(k), len(names)) for k in order if off.ravel()[k]):
        of_class = answers.labels == i
        taken = resampling.within(of_class).share(answers.answers[of_class] == j)
        found.append(Confusion(names[i], names[j], int(off[i, j]), taken))
    return found
