"""Augmentation: draw once, compose into one map and one matrix of colour, apply once."""

from striate.augment.draw import Stream, generator
from striate.augment.geometry import Map, Matrix, Size, central_crop, compose, crop, mirror, shown_crop
from striate.augment.policy import draw_map
from striate.augment.presets import Augmentation, resolve
from striate.augment.resample import map_boxes, resample, resample_mask

__all__ = [
    "Augmentation",
    "Map",
    "Matrix",
    "Size",
    "Stream",
    "central_crop",
    "compose",
    "crop",
    "draw_map",
    "generator",
    "map_boxes",
    "mirror",
    "resample",
    "resample_mask",
    "resolve",
    "shown_crop",
]
