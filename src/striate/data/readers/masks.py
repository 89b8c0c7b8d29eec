"""Pictures beside masks: a folder of each, in which files of one name belong together."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from striate.augment.resample import IGNORED
from striate.data.decode import UnreadableError
from striate.data.index import Index, build
from striate.data.masks import stored_values
from striate.data.readers.annotations import IMAGE_FOLDERS, folder_named, images_by_stem
from striate.data.readers.folders import SPLIT_FOLDERS
from striate.errors import DataError, UsageError

IMAGES = (*IMAGE_FOLDERS, "training_images", "train_images")
MASKS = (
    "masks",
    "mask",
    "ground_truth",
    "groundtruth",
    "gt",
    "labels",
    "segmentation",
    "segmentationclass",
    "annotations",
)
ENDINGS = ("_mask", "-mask", "_gt", "_label", "_segmentation")  # that a mask's name may have beyond its picture's
SAMPLE = 64  # masks, spread evenly, that tell how all are to be read


def recognises(path: Path) -> bool:
    """Whether `path`, or a split's folder in it, has a folder of pictures and one of PNG masks with the same names."""
    return path.is_dir() and any(_pairs(folder, path) for folder, _ in _parts(path))


def read(root: Path, mask_classes: Mapping[str, str] | None = None) -> Index:
    """Reads pictures and their masks; a picture without a mask is a row without one.

    What a mask's values mean is decided once for all: by `mask_classes` where they are given; else, where the masks
    hold nothing but 0 and 255, background and foreground; else each value is the number of its class, and 255 is
    ignored.

    Args:
        root: folder of both folders, or of split folders that hold both.
        mask_classes: the class of each value of a mask, a number, or #rrggbb of a mask in colours.

    Raises:
        DataError: if no picture has a mask.
        UsageError: if a value is no such number or colour, or there are too many classes.
    """
    paths: list[str] = []
    masks: list[str | None] = []
    splits: list[str | None] = []
    for folder, split in _parts(root):
        pictures, by_stem = _pairs(folder, root) or ({}, {})
        for stem, path in sorted(pictures.items()):
            paths.append(path)
            masks.append(next((by_stem[stem + end] for end in ("", *ENDINGS) if stem + end in by_stem), None))
            splits.append(split)
    values, classes = _given(mask_classes) if mask_classes else _found(root, [mask for mask in masks if mask])
    lone = sum(mask is None for mask in masks)
    notes = [f"pictures without a mask: {lone}."] if lone else []
    return build(root, (), paths, mask=masks, split=splits, mask_classes=classes, mask_values=values, notes=notes)


def _parts(root: Path) -> list[tuple[Path, str | None]]:
    """The folders that may hold pictures and masks, and their split."""
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and path.name.lower() in SPLIT_FOLDERS]
    return [(path, SPLIT_FOLDERS[path.name.lower()]) for path in folders] or [(root, None)]


def _pairs(folder: Path, root: Path) -> tuple[dict[str, str], dict[str, str]] | None:
    """Pictures and masks by stem, where at least one belongs to another."""
    images, masks = folder_named(folder, IMAGES), folder_named(folder, MASKS)
    if images is None or masks is None:
        return None
    pictures = images_by_stem(images, root)
    by_stem = {stem: path for stem, path in images_by_stem(masks, root).items() if path.lower().endswith(".png")}
    together = any(stem + end in by_stem for stem in pictures for end in ("", *ENDINGS))
    return (pictures, by_stem) if together else None


def _given(mask_classes: Mapping[str, str]) -> tuple[dict[int, int], list[str]]:
    classes = list(dict.fromkeys(mask_classes.values()))
    if len(classes) > IGNORED:
        raise UsageError(f"`mask_classes`: expected {IGNORED} classes or fewer; got {len(classes)}.")
    return {_value(text): classes.index(name) for text, name in mask_classes.items()}, classes


def _value(text: str) -> int:
    try:
        value = int(text[1:], 16) if text.startswith("#") and len(text) == 7 else int(text)
    except ValueError as error:
        raise UsageError(f"`mask_classes`: expected a number or #rrggbb; got {text}.") from error
    if value < 0:
        raise UsageError(f"`mask_classes`: expected a number from 0; got {text}.")
    return value


def _found(root: Path, masks: list[str]) -> tuple[dict[int, int], list[str]]:
    """What the values mean, by what a sample of the masks holds."""
    values: set[int] = set()
    for mask in masks[:: max(len(masks) // SAMPLE, 1)]:
        try:
            values |= set(np.unique(stored_values(root / mask)).tolist())
        except UnreadableError:  # which the check names
            continue
    if values <= {0, IGNORED}:
        return {0: 0, IGNORED: 1}, ["background", "foreground"]
    largest = max(values - {IGNORED})
    if largest > IGNORED:
        raise DataError(
            f"{root / masks[0]}: expected a mask of class numbers; got one of colours, such as #{largest:06x}. "
            "Try --mask-classes."
        )
    return {value: value for value in range(largest + 1)}, [str(value) for value in range(largest + 1)]
