"""The table of a recipe that says how images are augmented."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from msgspec import Meta

from striate.recipe.ranges import MOST, Amount, Positive, Share, ShareAboveZero
from striate.recipe.require import require
from striate.records import require_ranges

Component = Annotated[float, Meta(ge=-MOST, le=MOST)]
PrincipalComponents = Annotated[tuple[Component, ...], Meta(min_length=9, max_length=9)]


@Parameter(name="*", group=Group("Augmentation", sort_key=3))
@dataclass(frozen=True)
class AugmentRecipe:
    """What training does to an image each time that it is seen; what is not given is as the preset `augment` says."""

    augment: Literal["none", "light", "medium", "heavy"] | None = None
    """Preset that gives every value below that is not given itself; light unless given, and none where a network from
    scratch learns small grey scans, such as digits."""

    trivial: bool = False
    """One operation an image, drawn at random, at a random strength, besides crop and mirror (TrivialAugment)."""

    crop_scale: tuple[ShareAboveZero, ShareAboveZero] | None = None
    """Least and largest share of the image's area that a random crop covers; `1 1` for what evaluation sees."""

    crop_ratio: tuple[Positive, Positive] | None = None
    """Least and largest width of a crop over its height."""

    mirror: Share | None = None
    """Probability of a left-right mirror."""

    mirror_alternating: bool = False
    """Mirror, or do not, in the first epoch, and change that in every later one: each view is seen equally often."""

    mirror_top_bottom: Share | None = None
    """Probability of a top-bottom mirror."""

    rotation: Annotated[float, Meta(ge=0, le=180)] | None = None
    """Largest turn to either side, in degrees."""

    shear: Annotated[float, Meta(ge=0, le=60)] | None = None
    """Largest slant to either side, in degrees."""

    zoom: tuple[Positive, Positive] | None = None
    """Least and largest enlargement; `1 1` for none."""

    translation: Share | None = None
    """Largest shift along either axis, as a share of that side; it is of whole pixels."""

    perspective: Annotated[float, Meta(ge=0, le=0.2)] | None = None  # at 0.25, three corners may lie on a line
    """Largest shift of a corner along either axis, as a share of that side."""

    warp: Share | None = None
    """Largest shift of a point by a smooth random displacement, as a share of the side."""

    brightness: Share | None = None
    """Largest relative change of all values; 0.2 for 0.8 to 1.2 times."""

    contrast: Share | None = None
    """Largest relative change of the distance from middle grey."""

    saturation: Share | None = None
    """Largest relative change of the distance from the grey of the same luma."""

    hue: Annotated[float, Meta(ge=0, le=180)] | None = None
    """Largest turn of the hue to either side, in degrees."""

    channel_shift: Share | None = None
    """Largest value added to, or taken from, each channel on its own, of values 0 to 1."""

    pca_colour: Amount | None = None
    """Standard deviation of the steps along the principal components of colour; Krizhevsky's was 0.1."""

    pca_source: Literal["imagenet", "images"] = "imagenet"
    """Whose principal components, where they are not given."""

    pca_values: tuple[Amount, Amount, Amount] | None = None
    """Variance along each principal component of colour, of values 0 to 1."""

    pca_vectors: Annotated[PrincipalComponents | None, Parameter(consume_multiple=(0, 9))] = None
    """The three principal components, red, green and blue of the first, then of the next."""

    noise: Share | None = None
    """Standard deviation of the noise added to every value, of values 0 to 1."""

    erase: Share | None = None
    """Probability that a box of the image is erased."""

    erase_scale: tuple[ShareAboveZero, ShareAboveZero] | None = None
    """Least and largest share of the image's area that an erased box covers."""

    mixup: Amount | None = None
    """Alpha of the beta distribution of the share at which two images are blended; 0 for none."""

    cutmix: Amount | None = None
    """Alpha of the beta distribution of the share that a pasted box of another image leaves; 0 for none."""

    def __post_init__(self) -> None:
        require_ranges(self)
        for name in ("crop_scale", "erase_scale", "crop_ratio", "zoom"):
            pair: tuple[float, float] | None = getattr(self, name)
            require(pair is None or pair[0] <= pair[1], name, "least <= largest", pair)
        values, vectors = self.pca_values, self.pca_vectors
        alone = "`pca_vectors` alone" if values is None else "`pca_values` alone"
        require((values is None) == (vectors is None), "pca_values`, `pca_vectors", "both or neither", alone)
