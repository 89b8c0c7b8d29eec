"""The table of a recipe that says how images are augmented."""

import math
import sys
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from striate.recipe.require import require, require_pair


@Parameter(name="*", group=Group("Augmentation", sort_key=3))
@dataclass(frozen=True)
class AugmentRecipe:
    """What training does to an image each time that it is seen; what is not given is as the preset `augment` says."""

    augment: Literal["none", "light", "medium", "heavy"] = "light"
    """Preset that gives every value below that is not given itself."""

    trivial: bool = False
    """One operation an image, drawn at random, at a random strength, besides crop and mirror (TrivialAugment)."""

    crop_scale: tuple[float, float] | None = None
    """Least and largest share of the image's area that a random crop covers; `1 1` for what evaluation sees."""

    crop_ratio: tuple[float, float] | None = None
    """Least and largest width of a crop over its height."""

    mirror: float | None = None
    """Probability of a left-right mirror."""

    mirror_alternating: bool = False
    """Mirror, or do not, in the first epoch, and change that in every later one: each view is seen equally often."""

    mirror_top_bottom: float | None = None
    """Probability of a top-bottom mirror."""

    rotation: float | None = None
    """Largest turn to either side, in degrees."""

    shear: float | None = None
    """Largest slant to either side, in degrees."""

    zoom: tuple[float, float] | None = None
    """Least and largest enlargement; `1 1` for none."""

    translation: float | None = None
    """Largest shift along either axis, as a share of that side; it is of whole pixels."""

    perspective: float | None = None
    """Largest shift of a corner along either axis, as a share of that side."""

    warp: float | None = None
    """Largest shift of a point by a smooth random displacement, as a share of the side."""

    brightness: float | None = None
    """Largest relative change of all values; 0.2 for 0.8 to 1.2 times."""

    contrast: float | None = None
    """Largest relative change of the distance from middle grey."""

    saturation: float | None = None
    """Largest relative change of the distance from the grey of the same luma."""

    hue: float | None = None
    """Largest turn of the hue to either side, in degrees."""

    channel_shift: float | None = None
    """Largest value added to, or taken from, each channel on its own, of values 0 to 1."""

    pca_colour: float | None = None
    """Standard deviation of the steps along the principal components of colour; Krizhevsky's was 0.1."""

    pca_source: Literal["imagenet", "images"] = "imagenet"
    """Whose principal components, where they are not given."""

    pca_values: tuple[float, float, float] | None = None
    """Variance along each principal component of colour, of values 0 to 1."""

    pca_vectors: Annotated[tuple[float, ...] | None, Parameter(consume_multiple=True)] = None
    """The three principal components, red, green and blue of the first, then of the next."""

    noise: float | None = None
    """Standard deviation of the noise added to every value, of values 0 to 1."""

    erase: float | None = None
    """Probability that a box of the image is erased."""

    erase_scale: tuple[float, float] | None = None
    """Least and largest share of the image's area that an erased box covers."""

    mixup: float | None = None
    """Alpha of the beta distribution of the share at which two images are blended; 0 for none."""

    cutmix: float | None = None
    """Alpha of the beta distribution of the share that a pasted box of another image leaves; 0 for none."""

    def __post_init__(self) -> None:
        require_pair(self.crop_scale, "crop_scale", 1)
        require_pair(self.erase_scale, "erase_scale", 1)
        require_pair(self.crop_ratio, "crop_ratio")
        require_pair(self.zoom, "zoom")
        for name in ("mirror", "mirror_top_bottom", "erase"):
            self._require_between(name, 1, "a probability from 0 to 1")
        for name in ("brightness", "contrast", "saturation", "channel_shift", "noise", "translation", "warp"):
            self._require_between(name, 1, "from 0 to 1")
        self._require_between("perspective", 0.2, "from 0 to 0.2")  # at 0.25, three corners may lie on a line
        for name, degrees in (("rotation", 180), ("hue", 180), ("shear", 60)):
            self._require_between(name, degrees, f"from 0 to {degrees} degrees")
        for name in ("pca_colour", "mixup", "cutmix"):
            self._require_between(name, sys.float_info.max, "0 or more")
        values, vectors = self.pca_values, self.pca_vectors
        alone = "`pca_vectors` alone" if values is None else "`pca_values` alone"
        require((values is None) == (vectors is None), "pca_values`, `pca_vectors", "both or neither", alone)
        require(values is None or all(0 <= v < math.inf for v in values), "pca_values", "0 or more each", values)
        whole = vectors is None or (len(vectors) == 9 and all(map(math.isfinite, vectors)))
        require(whole, "pca_vectors", "9 numbers, three of each component", vectors)

    def _require_between(self, name: str, largest: float, expected: str) -> None:
        value: float | None = getattr(self, name)
        require(value is None or 0 <= value <= largest, name, expected, value)
