"""Two models on the same images: what can be said of one beside the other, in one sentence."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.data import Index, Rows
from striate.errors import DataError, UsageError
from striate.evaluation.intervals import Interval, Resampling
from striate.evaluation.paired import MARGIN, Paired, mean_difference, paired
from striate.evaluation.scores import evaluate
from striate.model import Model


@dataclass(frozen=True)
class Comparison:
    """Model B beside model A on the images that both could read."""

    split: str
    why: str
    rows: Rows
    """(N,) of the index."""

    paired: Paired
    accuracy: tuple[float, float]
    """Of A and of B."""

    loss_difference: Interval
    """Mean loss of B less that of A."""

    gained: Rows
    """Rows that B alone answers right."""

    lost: Rows
    """Rows that A alone answers right."""

    def sentence(self) -> str:
        """Which model is better, that they are equivalent, or how many images it would take to tell."""
        found = self.paired
        difference = f"{found.difference:+.4f}"
        match found.verdict:
            case "better" | "worse":
                better = "B" if found.verdict == "better" else "A"
                return (
                    f"{better} is better: the accuracy of B less that of A is {difference}, McNemar's p {found.p:.2g}."
                )
            case "equivalent":
                return f"They are equivalent: the accuracy of B less that of A is {difference}, within {found.margin}."
        if math.isinf(found.images_needed):
            need = f"{found.images_for_equivalence:,} images would show that they differ by less than {found.margin}"
        else:
            need = f"about {found.images_needed:,} images would tell a difference as large as this"
        return (
            f"These {found.count:,} images cannot tell which is better: the accuracy of B less that of A is "
            f"{difference}, McNemar's p {found.p:.2g}; {need}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "split": self.split,
            "why": self.why,
            "accuracy": {"a": self.accuracy[0], "b": self.accuracy[1]},
            **self.paired.to_dict(),
            "loss_difference": self.loss_difference.to_dict(),
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
        margin: of accuracy, within which they count as equivalent, > 0.

    Raises:
        UsageError: if the models do not answer with one class of the same names.
        DataError: if there is no image that both are scored on.
    """
    if set(a.classes) != set(b.classes):
        raise UsageError("models: expected two with the same classes; got others. Try models of the same data.")
    first = evaluate(a, index, which, batch_size, workers)
    name, why = first.split, first.why
    second = evaluate(b, index, name, batch_size, workers)
    if first.graded is None or second.graded is None:
        raise UsageError("models: expected two that answer with one class an image; got another task.")
    rows, in_first, in_second = np.intersect1d(first.rows, second.rows, return_indices=True)
    if not len(rows):
        raise DataError(f"{name}: expected images that both models are scored on; got none. Try --split all.")
    one, other = first.graded.take(in_first), second.graded.take(in_second)
    resampling = Resampling(len(rows))
    flips: NDArray[np.int64] = other.hits.astype(np.int64) - one.hits
    return Comparison(
        name,
        why,
        rows,
        paired(one.hits, other.hits, resampling, margin),
        (float(one.hits.mean()), float(other.hits.mean())),
        mean_difference(one.loss, other.loss, resampling),
        rows[flips > 0],
        rows[flips < 0],
    )
