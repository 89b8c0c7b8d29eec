"""What a pass shows of each image: what evaluation sees of it, or a random view."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from striate.augment.colour import draw_colour, draws_colour
from striate.augment.geometry import Map, Size
from striate.augment.policy import draw_map
from striate.augment.presets import Augmentation, for_image, resolve
from striate.data.preprocessing import Preprocessing
from striate.recipe import AugmentRecipe

Colour = NDArray[np.float32]  # (C, C + 1)


class View(Protocol):
    """What a pass shows of each image."""

    @property
    def draws_colour(self) -> bool:
        """Whether images come with a colour."""
        ...

    def __call__(self, row: int, source: Size) -> tuple[Map, Colour | None]:
        """From output to the upright image of size `source`, and its colour, where the view draws one."""
        ...


@dataclass(frozen=True)
class EvaluationView:
    """What evaluation sees of each image; see `Preprocessing.map`."""

    preprocessing: Preprocessing
    draws_colour: bool = False

    def __call__(self, row: int, source: Size) -> tuple[Map, Colour | None]:
        """The same for every row."""
        return self.preprocessing.map(source), None


@dataclass(frozen=True)
class TrainingView:
    """The random view of each image in one epoch of training."""

    augment: Augmentation
    preprocessing: Preprocessing
    seed: int
    epoch: int
    draws_colour: bool

    def __call__(self, row: int, source: Size) -> tuple[Map, Colour | None]:
        """A pure function of (seed, epoch, row), so that no number of workers and no order changes it."""
        shown = self.preprocessing
        augment = for_image(self.augment, self.seed, self.epoch, row)
        map_ = draw_map(augment, source, shown.size, shown.crop_pct, self.seed, self.epoch, row, shown.crop_mode)
        colour = draw_colour(augment, shown.channels, self.seed, self.epoch, row) if self.draws_colour else None
        return map_, colour


def training_view(augment: AugmentRecipe, preprocessing: Preprocessing, seed: int, epoch: int) -> View:
    """The random view of each image in one epoch of training.

    Args:
        augment: what to draw.
        preprocessing: size and channels of the batches, and what an image without a random crop shows.
        seed: from 0, below 2^63.
        epoch: from 0.
    """
    resolved = resolve(augment)
    return TrainingView(resolved, preprocessing, seed, epoch, draws_colour(resolved))
