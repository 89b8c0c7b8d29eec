"""Presets: a recipe's strengths with nothing left open, and what of them one image gets.

A preset is an `Augmentation`. A recipe names one and may overrule each of its values; `resolve` gives the outcome,
which every function that draws takes.
"""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal

from striate.augment.draw import Stream, generator
from striate.errors import UsageError
from striate.recipe import AugmentRecipe

# Of ImageNet's RGB values 0 to 1: variances along the principal components, and the components one after the other.
# Source: fb.resnet.torch, datasets/imagenet.lua; Krizhevsky et al. 2012 print no numbers.
IMAGENET_VALUES = (0.2175, 0.0188, 0.0045)
IMAGENET_VECTORS = (-0.5675, -0.5808, -0.5836, 0.7192, -0.0045, -0.6948, 0.4009, -0.8140, 0.4203)


@dataclass(frozen=True)
class Augmentation:
    """The values of `AugmentRecipe`, none of them open; its defaults change nothing."""

    crop_scale: tuple[float, float] = (1.0, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    mirror: float = 0.0
    mirror_alternating: bool = False
    mirror_top_bottom: float = 0.0
    rotation: float = 0.0
    shear: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    translation: float = 0.0
    perspective: float = 0.0
    warp: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    channel_shift: float = 0.0
    pca_colour: float = 0.0
    pca_values: tuple[float, float, float] = IMAGENET_VALUES
    pca_vectors: tuple[float, ...] = IMAGENET_VECTORS
    noise: float = 0.0
    erase: float = 0.0
    erase_scale: tuple[float, float] = (0.02, 1 / 3)
    mixup: float = 0.0
    cutmix: float = 0.0
    trivial: bool = False


LIGHT = Augmentation(crop_scale=(0.35, 1.0), mirror=0.5)
MEDIUM = replace(
    LIGHT,
    rotation=10.0,
    shear=5.0,
    brightness=0.2,
    contrast=0.2,
    saturation=0.2,
    hue=10.0,
    pca_colour=0.1,
    erase=0.1,
)
HEAVY = replace(
    MEDIUM,
    crop_scale=(0.2, 1.0),
    rotation=20.0,
    shear=10.0,
    perspective=0.1,
    warp=0.02,
    brightness=0.4,
    contrast=0.4,
    saturation=0.4,
    hue=20.0,
    channel_shift=0.05,
    noise=0.02,
    erase=0.25,
    mixup=0.2,
    cutmix=1.0,
)
DEFAULT_PRESET: Literal["light"] = "light"
PRESETS = {"none": Augmentation(), "light": LIGHT, "medium": MEDIUM, "heavy": HEAVY}

# What `trivial` chooses among, each at a strength between nothing and this. Those of the paper are as in its wide
# space, but for shear, which ours does along both axes at once; in place of its operations that no map of geometry or
# matrix of colour can do (posterise, solarise, equalise, autocontrast, sharpness) stand ours.
# Source: Mueller and Hutter 2021, "TrivialAugment", arXiv:2103.10158.
TRIVIAL: dict[str, Any] = {
    "rotation": 135.0,
    "shear": 30.0,
    "translation": 0.15,
    "brightness": 0.99,
    "contrast": 0.99,
    "saturation": 0.99,
    "zoom": (2 / 3, 3 / 2),
    "perspective": 0.2,
    "warp": 0.04,
    "hue": 60.0,
    "channel_shift": 0.2,
    "pca_colour": 0.5,
}


def resolve(augment: AugmentRecipe) -> Augmentation:
    """The recipe's own values, and where it has none, those of its preset; with `trivial`, of `TRIVIAL` before that.

    Raises:
        UsageError: if the principal components of the user's own images are wanted and not yet measured.
    """
    if wants_components(augment):
        raise UsageError(
            "`pca_source`: expected `pca_values` and `pca_vectors` of the images beside it; got none. Try imagenet."
        )
    return _fill(augment)


def written_out(augment: AugmentRecipe) -> AugmentRecipe:
    """The recipe with every open value as its preset says, so that it means the same whatever becomes of presets.

    Principal components stay open where none are used, and where those of the images have still to be measured.
    """
    values = {field.name: getattr(_fill(augment), field.name) for field in fields(Augmentation)}
    if not values["pca_colour"] or wants_components(augment):
        del values["pca_values"], values["pca_vectors"]
    return replace(augment, augment=augment.augment or DEFAULT_PRESET, **values)


def wants_components(augment: AugmentRecipe) -> bool:
    """Whether the principal components of the user's own images have still to be measured."""
    return augment.pca_source == "images" and augment.pca_values is None and _fill(augment).pca_colour > 0


def _fill(augment: AugmentRecipe) -> Augmentation:
    preset = PRESETS[augment.augment or DEFAULT_PRESET]
    if augment.trivial:
        preset = replace(preset, **TRIVIAL)
    own = {field.name: getattr(augment, field.name) for field in fields(Augmentation)}
    return replace(preset, **{name: value for name, value in own.items() if value is not None})


def for_image(augment: Augmentation, seed: int, epoch: int, row: int) -> Augmentation:
    """What one image gets in one epoch: all of `augment`, or with `trivial`, one of its operations or none.

    Crop, mirrors, and what is done to whole batches (noise, erasing, mixing) stay. How strong the one operation is, is
    drawn where it is drawn: as in TrivialAugment, anything from nothing to the largest.
    """
    if not augment.trivial:
        return augment
    choices = _choices(augment)
    return choices[generator(seed, Stream.TRIVIAL, epoch, row).integers(len(choices))]


@lru_cache
def _choices(augment: Augmentation) -> tuple[Augmentation, ...]:
    """`augment` with none of the operations of `TRIVIAL`, then with each alone that it has."""
    nothing = Augmentation()
    plain = replace(augment, trivial=False, **{name: getattr(nothing, name) for name in TRIVIAL})
    strengths = {name: getattr(augment, name) for name in TRIVIAL}
    alone = [replace(plain, **{name: value}) for name, value in strengths.items() if value != getattr(nothing, name)]
    return (plain, *alone)
