"""What an evaluation found, in plain values: `striate evaluate --json`, the report and the model card print it."""

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from striate.evaluation.calibration import Calibration
from striate.evaluation.classes import ClassScores, Confusion
from striate.evaluation.gain import Gain
from striate.evaluation.intervals import Interval
from striate.evaluation.selective import Abstention
from striate.evaluation.slices import Slice
from striate.files import json_text

Method = Literal["wilson", "bootstrap", ""]


@dataclass(frozen=True)
class Metric(Interval):
    """A score over all images; its bounds are NaN where it has no interval."""

    method: Method = ""
    """How the bounds were found; "" without bounds."""


@dataclass(frozen=True)
class Example:
    """An image, how well it was answered, and where an answer is one class, what was answered."""

    path: str
    """As it stands in the data."""

    score: float
    """From 0 to 1, by the task; NaN where nothing of the image counts."""

    truth: str = ""
    answer: str = ""
    probability: float = math.nan
    """Of the answer."""

    loss: float = math.nan
    """Negative log probability of the true class, in nats."""


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on labelled images, with a 95 % interval for every figure.

    Shares of independent images have Wilson's interval. All other figures have that of a bootstrap by image, and where
    images belong together, all figures that of one by `group`; the calibration error has its own, see
    `calibration_error`. A figure that nothing was there to compute from is NaN, in JSON null. What does not apply, such
    as the calibration of a task whose answers are no classes, is None or empty, and left out of JSON.
    """

    network: str
    """Its name in the catalogue."""

    task: str
    """Its name in `TASKS`."""

    data: str
    """Name of the folder or file that was evaluated."""

    read_as: str
    """How the data was understood, in a sentence; "" where it came from memory."""

    split: str
    """train, val, test or all."""

    why: str
    """How the split came to be chosen."""

    count: int
    """Images that were scored."""

    classes: tuple[str, ...]
    """Names, by class number."""

    score: str
    """The metric to look at first."""

    metrics: dict[str, Metric]
    """By name; see `Task.metrics`."""

    worst: tuple[Example, ...]
    """The images that were answered worst, by their score and then by their loss, the worst first."""

    device: str
    precision: str
    """Of the arithmetic: float32 or bfloat16."""

    seconds: float
    """For decoding and answering all images."""

    images_per_second: float
    views: int = 1
    """Views of each image, such as crops and mirror images, over which an answer is averaged."""

    group: str = ""
    """The column whose values say which images belong together; "" where each is by itself."""

    groups: int = 0
    """How many of them there are."""

    unreadable: tuple[str, ...] = ()
    """Files that were left out, with the reason."""

    temperature: float = 1.0
    """What outputs are divided by before they become probabilities."""

    calibration: Calibration | None = None
    """How far probabilities can be believed."""

    uncalibrated: Calibration | None = None
    """Likewise without the temperature; None where that is 1."""

    per_class: tuple[ClassScores, ...] = ()
    """In the order of `classes`."""

    confusion: tuple[tuple[int, ...], ...] = ()
    """Images by true class (row) and answer (column); empty where there are more than 30 classes."""

    confused: tuple[Confusion, ...] = ()
    """The pairs of classes of most mistakes, at most 100, those of most images first."""

    aurc: Interval | None = None
    """Area under the curve of risk against coverage: the mean share of mistakes over all thresholds of probability."""

    abstention: Abstention | None = None
    """Which answers to leave to a person, where a wanted accuracy was given."""

    gain: Gain | None = None
    """What several views of each image, or several members, gain over one, and at what cost."""

    slices: tuple[Slice, ...] = ()
    """Parts of the images, by columns of the data; of each column the worst first."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without what does not apply."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return {name: value for name, value in plain.items() if value not in (None, (), [])}

    def to_json(self) -> str:
        """JSON that `from_json` reads."""
        return json_text(self.to_dict(), indent=2)

    @staticmethod
    def from_json(text: str | bytes) -> "Evaluation":
        """The record that `to_json` wrote.

        Raises:
            ValueError: if the text is not that of a record.
        """
        return msgspec.convert(_with_nan(json.loads(text)), Evaluation)


def _with_nan(plain: Any) -> Any:
    """JSON's values with NaN for null, which stands for a number that is not known."""
    if isinstance(plain, dict):
        return {name: _with_nan(value) for name, value in plain.items()}
    if isinstance(plain, list):
        return [_with_nan(value) for value in plain]
    return math.nan if plain is None else plain
