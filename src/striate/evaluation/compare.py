"""Two models on the same images: what can be said of one beside the other, in one sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.data import Index, Rows
from striate.errors import DataError, UsageError
from striate.evaluation.intervals import Interval, Resampling
from striate.evaluation.paired import MARGIN, Difference, mean_difference, paired, paired_means
from striate.evaluation.scores import Scored, evaluate
from striate.files import list_names
from striate.model import Model
from striate.tasks.answers import Answers

ACCURACY = "accuracy"
ONE_SPLIT = "Train both with one --split-seed"


@dataclass(frozen=True)
class Comparison:
    """Model B beside model A on the images that both could read."""

    split: str
    why: str
    rows: Rows
    """(N,) of the index."""

    score: str
    """What is compared: accuracy, or the name of the task's score of an image, of which the mean is taken."""

    means: tuple[float, float]
    """The score of A and of B."""

    paired: Difference
    """A `Paired` where the score is the accuracy."""

    loss_difference: Interval | None
    """Mean loss of B less that of A; None where the score is not the accuracy."""

    gained: Rows
    """Rows that B answers better: that it alone answers right, or those of the largest difference first."""

    lost: Rows
    """Rows that A answers better, likewise."""

    answers: dict[int, tuple[str, str, str]]
    """The truth, A's answer and B's answer to each image that one alone answers right, by row."""

    @property
    def compared(self) -> str:
        """What is compared, in words."""
        return self.score if self.score == ACCURACY else "mean score of an image"

    def sentence(self) -> str:
        """Which model is better, that they are equivalent, or how many images it would take to tell."""
        found, what = self.paired, self.compared
        difference = f"{found.difference:+z.4f}"
        p = f"{'McNemar' if self.score == ACCURACY else 'Student'}'s p {found.p:.2g}"
        match found.verdict:
            case "better" | "worse":
                better = "B" if found.verdict == "better" else "A"
                return f"{better} is better: the {what} of B less that of A is {difference}, {p}."
            case "equivalent":
                return f"They are equivalent: the {what} of B less that of A is {difference}, within {found.margin}."
        if math.isinf(found.images_needed):
            need = f"{found.images_for_equivalence:,} images would show that they differ by less than {found.margin}"
        else:
            need = f"about {found.images_needed:,} images would tell a difference as large as this"
        return (
            f"These {found.count:,} images cannot tell which is better: the {what} of B less that of A is "
            f"{difference}, {p}; {need}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        loss = {} if self.loss_difference is None else {"loss_difference": self.loss_difference.to_dict()}
        return {
            "split": self.split,
            "why": self.why,
            "score": self.score,
            self.score: {"a": self.means[0], "b": self.means[1]},
            **self.paired.to_dict(),
            **loss,
            "sentence": self.sentence(),
        }


def compare(
    a: Model,
    b: Model,
    index: Index,
    which: str = "auto",
    batch_size: int = 64,
    workers: int | None = None,
    *,
    margin: float = MARGIN,
) -> Comparison:
    """Scores two models on the same images and compares them in pairs.

    Args:
        a: model A.
        b: model B; its classes have the same names.
        index: as `striate.data.read` gives it.
        which: the split; see `evaluation_rows`, by model A.
        batch_size: images at a time.
        workers: threads that decode; one a core unless given.
        margin: of accuracy, or of the mean score of an image, within which they count as equivalent, > 0.

    Raises:
        UsageError: if the models do not have classes of the same names and the same score.
        DataError: if there is no image that both are scored on.
    """
    if set(a.classes) != set(b.classes):
        got = "; ".join(
            f"{name} alone has {list_names(sorted(own))}"
            for name, own in (("A", set(a.classes) - set(b.classes)), ("B", set(b.classes) - set(a.classes)))
            if own
        )
        raise UsageError(f"models: expected two with the same classes; {got}. Try models of the same data.")
    if a.task.score != b.task.score:
        raise UsageError(f"models: expected two with the same score; got {a.task.score} and {b.task.score}.")
    first = evaluate(a, index, which, batch_size, workers)
    second = evaluate(b, index, which, batch_size, workers)
    rows, in_first, in_second = np.intersect1d(first.rows, second.rows, return_indices=True)
    if not len(rows):
        raise DataError(
            f"{first.split}: expected images that neither model learned from; got {len(first.rows):,} of A and "
            f"{len(second.rows):,} of B, of which none is among both. {ONE_SPLIT}, or try images new to both."
        )
    split, why = _together(first, second, len(rows))
    first = replace(first, split=split, why=why)
    if first.graded is None or second.graded is None or a.task.score != ACCURACY:
        return _of_scores(first, rows, _image_scores(first)[in_first], _image_scores(second)[in_second], margin)
    one, other = first.graded.take(in_first), second.graded.take(in_second)
    return _of_answers(first, second.classes, rows, one, other, margin)


def _together(first: Scored, second: Scored, count: int) -> tuple[str, str]:
    """The split of the images that both models are scored on, and why these."""
    if first.split == second.split and count == len(first.rows) == len(second.rows):
        return first.split, first.why
    own = f"those among both of {len(first.rows):,} of A's {first.split} and {len(second.rows):,} of B's {second.split}"
    if first.split == second.split:
        return first.split, f"{own}. {ONE_SPLIT} to compare on more"
    return "held out", own


def _image_scores(scored: Scored) -> NDArray[np.float64]:
    """(N,) of the images, of which one that nothing counts of has 0."""
    return np.nan_to_num(scored.model.task.record_scores(scored.records))


def _of_scores(
    first: Scored, rows: Rows, one: NDArray[np.float64], other: NDArray[np.float64], margin: float
) -> Comparison:
    """Compares by the score (N,) of each image."""
    more = other - one
    order = rows[np.argsort(-more, kind="stable")]
    return Comparison(
        first.split,
        first.why,
        rows,
        first.model.task.image_score,
        (float(one.mean()), float(other.mean())),
        paired_means(one, other, Resampling(len(rows)), margin),
        None,
        order[: int((more > 0).sum())],
        order[::-1][: int((more < 0).sum())],
        {},
    )


def _of_answers(
    first: Scored, classes: Sequence[str], rows: Rows, one: Answers, other: Answers, margin: float
) -> Comparison:
    """Compares by whether each of the N images is answered right; `classes` are those of the other model."""
    resampling = Resampling(len(rows))
    flips = np.flatnonzero(one.hits != other.hits)
    answers = {
        int(rows[k]): (first.classes[one.labels[k]], first.classes[one.answers[k]], classes[other.answers[k]])
        for k in flips.tolist()
    }
    return Comparison(
        first.split,
        first.why,
        rows,
        ACCURACY,
        (float(one.hits.mean()), float(other.hits.mean())),
        paired(one.hits, other.hits, resampling, margin),
        mean_difference(one.loss, other.loss, resampling),
        rows[flips[other.hits[flips]]],
        rows[flips[one.hits[flips]]],
        answers,
    )
