"""What a model says about one image, and the row of a table that it becomes."""

from dataclasses import dataclass, field, replace
from typing import Any, Self


@dataclass(frozen=True)
class Prediction:
    """What a model says about one image; a task that says more than class names has a subclass."""

    path: str
    """The image's path, or its place in the list."""

    probabilities: dict[str, float] = field(repr=False)
    """By class name, the most probable first; empty where the image could not be read."""

    labels: tuple[str, ...] = ()
    """The most probable class; where an image may have several, all of probability 0.5 or more."""

    error: str = ""
    """Why there is no prediction."""

    @property
    def label(self) -> str:
        """The name of the most probable class; "" where the image could not be read."""
        return next(iter(self.probabilities), "")

    @property
    def probability(self) -> float:
        """The probability of the most probable class; nan where the image could not be read."""
        return next(iter(self.probabilities.values()), float("nan"))

    def top(self, k: int) -> list[tuple[str, float]]:
        """The `k` most probable classes with their probabilities."""
        return list(self.probabilities.items())[:k]

    def renamed(self, path: str) -> Self:
        """The same prediction of an image that is called otherwise."""
        return replace(self, path=path)

    def row(self, top_k: int) -> dict[str, Any]:
        """One row of a table: the path, the labels, the `top_k` most probable classes, and the error.

        Every prediction of a task has the same keys, those of images that could not be read included.
        """
        top = self.top(top_k)
        row: dict[str, Any] = {"path": self.path, "label": ";".join(self.labels)}
        for place in range(top_k):
            name, probability = top[place] if place < len(top) else ("", None)
            row |= {f"class_{place + 1}": name, f"probability_{place + 1}": probability}
        return row | {"error": self.error}
