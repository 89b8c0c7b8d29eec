"""Augmentation: draw once, compose into one map, resample once."""

from striate.augment.draw import Stream, generator
from striate.augment.geometry import Map, Size, central_crop, compose, crop, mirror, random_crop, resample

__all__ = [
    "Map",
    "Size",
    "Stream",
    "central_crop",
    "compose",
    "crop",
    "generator",
    "mirror",
    "random_crop",
    "resample",
]
