"""What a model says about the one object of an image: its class and its box."""

from dataclasses import dataclass
from typing import Any

from striate.augment import Size
from striate.tasks.prediction import Prediction

CORNERS = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class Located(Prediction):
    """What a model says about the one object of an image."""

    box: tuple[float, float, float, float] | None = None
    """x0, y0, x1, y1 in pixels of the upright original; None where there is no object, or the image is unreadable."""

    size: Size = (0, 0)
    """Width and height of the upright original."""

    def row(self, top_k: int) -> dict[str, Any]:
        """As of classification, with the box after the classes."""
        row = super().row(top_k)
        error = row.pop("error")
        return row | dict(zip(CORNERS, self.box or (None,) * 4, strict=True)) | {"error": error}
