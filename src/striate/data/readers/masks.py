"""Images beside masks: a folder of each, or both in one, in which files of one name belong together."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from striate.augment.resample import IGNORED
from striate.data.decode import UnreadableError
from striate.data.index import Index, build
from striate.data.layouts.finder import ImageFinder
from striate.data.layouts.layout import Layout
from striate.data.layouts.list_splits import split_lists
from striate.data.layouts.masks import Pair, pairs_of, several_masks
from striate.data.layouts.names import split_of_path, telling_splits
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.tree import Tree, suffix_of
from striate.data.masks import ColouredJpegError, is_deep, stored_values
from striate.data.paths import SafePaths, file_of
from striate.data.readers.mask_names import MaskNames, mask_names
from striate.errors import DataError, UsageError
from striate.files import list_names

SAMPLE = 64  # masks, spread evenly, that tell how all are to be read
BLURRED = 64  # values from black, or from white, to which JPEG blurs what was either
FLAT = 16  # values that JPEG may add or take within an area of one class
MOST_GREY = 0.1  # share of flat grey areas that low quality explains
LEVEL, MOST_LEVELS = 16, 16  # steps between grey levels that are drawn by hand, and how many there may be
VARIED = 3  # different numbers of objects in images, which classes hardly have when the last comes only with all others
JPEG = frozenset({".jpg", ".jpeg"})


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads images and their masks; an image without a mask is a row without one.

    What a mask's values mean is decided once for all: by `mask_classes` where they are given; else by a file of names
    or colours beside the masks; else, where the masks hold nothing but two values of which one is 0, background and
    foreground; else each value is the number of its class, and 255 is ignored.

    Raises:
        DataError: if no image has a mask, or masks of colours have no names.
        UsageError: if a value is no such number or colour, or there are too many classes.
    """
    tree = layout.tree
    rows = [(path, mask, split) for path, (mask, split) in _rows(tree).items()]
    paths = [path for path, _, _ in rows]
    masks = [mask for _, mask, _ in rows]
    listed, notes = split_lists(tree, ImageFinder(tree))
    values, classes = values_of(tree, [mask for mask in masks if mask], options.mask_classes)
    lone = sum(mask is None for mask in masks)
    notes += [f"images without a mask: {lone:,}."] if lone else []
    splits = [listed.get(path) or split for path, _, split in rows]
    safe = SafePaths(tree.root)
    return build(
        tree.root,
        (),
        paths,
        mask=masks,
        split=splits if telling_splits(splits) else None,
        reason=[safe(path) or (mask and safe(mask)) for path, mask, _ in rows],
        mask_classes=classes,
        mask_values=values,
        notes=notes,
    )


def _rows(tree: Tree) -> dict[str, tuple[str | None, str | None]]:
    """The mask and the split of each image, None where it has none.

    Raises:
        DataError: if an image has a mask in each of two folders.
    """
    pairs = pairs_of(tree)
    if said := several_masks(pairs):
        raise DataError(f"data: expected one mask of each image in {tree.root}; but {said}.")
    rows: dict[str, tuple[str | None, str | None]] = {}
    for pair in pairs:
        for name in _images(pair):
            path, mask = pair.images.path_of(name), pair.masks.get(name)
            if mask is not None:
                rows[path] = mask, pair.split
            else:
                rows.setdefault(path, (None, split_of_path(pair.images.path)))
    return rows


def _images(pair: Pair) -> list[str]:
    """The names of the images, without those that are masks of others in the same folder."""
    masks = {path.rpartition("/")[2] for path in pair.masks.values()} if pair.is_side_by_side else set()
    return [name for name in pair.images.images if name not in masks]


def values_of(tree: Tree, masks: Sequence[str], mask_classes: Mapping[str, str]) -> tuple[dict[int, int], list[str]]:
    """The class number of each value of the masks, and the names of the classes."""
    blurred = bool(masks) and all(suffix_of(mask) in JPEG for mask in masks)
    if mask_classes:
        values, classes = _given(mask_classes)
        return (_of_black_and_white(values) if blurred and values.keys() == {0, 255} else values), classes
    names = mask_names(tree)
    if names is not None and names.colours and not (names.numbers and _are_numbers(tree.root, masks, names)):
        return _of_colours(names)
    if blurred:
        _require_black_and_white(tree.root, masks)
        return _of_black_and_white({0: 0, 255: 1}), ["background", "foreground"]
    return _found(tree.root, masks, names)


def _of_black_and_white(classes: Mapping[int, int]) -> dict[int, int]:
    """The class number of each value that JPEG may have made of black, 0, and of white, 255."""
    return {value: classes[0 if value < 128 else 255] for value in range(256)}


def _require_black_and_white(root: Path, masks: Sequence[str]) -> None:
    """Refuses masks in JPEG that have areas of grey or of colour, which would be read as black or white."""
    counts = np.zeros(256, np.int64)  # of pixels within flat areas, away from edges
    coloured: list[str] = []
    for values in _sampled(root, masks, coloured):
        grey, square = values.astype(np.uint8), np.ones((3, 3), np.uint8)
        flat = cv2.dilate(grey, square) - cv2.erode(grey, square) <= FLAT
        counts += np.bincount(grey[flat], minlength=256)
    between, white = counts[BLURRED:-BLURRED].sum(), counts[-BLURRED:].sum()
    if coloured or between > MOST_GREY * (between + white):
        raise DataError(
            f"{file_of(root, masks[0])}: expected masks in JPEG of black and white alone, for two classes; got areas "
            f"of grey or colour. JPEG blurs what tells classes apart: save such masks as PNG."
        )


def _sampled(root: Path, masks: Sequence[str], coloured: list[str] | None = None) -> Iterator[NDArray[np.int32]]:
    """The values of some masks, spread evenly; those that cannot be read are left out, and the check names them.

    `coloured` takes those that are JPEG of colours.
    """
    for mask in masks[:: max(len(masks) // SAMPLE, 1)]:
        try:
            yield stored_values(file_of(root, mask))
        except ColouredJpegError:
            if coloured is not None:
                coloured.append(mask)
        except UnreadableError:
            continue


def _given(mask_classes: Mapping[str, str]) -> tuple[dict[int, int], list[str]]:
    classes = list(dict.fromkeys(mask_classes.values()))
    if len(classes) > IGNORED:
        raise UsageError(f"`mask_classes`: expected {IGNORED} classes or fewer; got {len(classes)}.")
    return {_value(text): classes.index(name) for text, name in mask_classes.items()}, classes


def _of_colours(names: MaskNames) -> tuple[dict[int, int], list[str]]:
    classes = sorted(dict.fromkeys(names.colours.values()), key=lambda name: name.strip("_").lower() != "background")
    if len(classes) > IGNORED:
        raise DataError(f"{names.file}: expected at most {IGNORED} classes of masks; got {len(classes)}.")
    values = {value: classes.index(name) for value, name in names.colours.items()}
    grey = {value & 0xFF: number for value, number in values.items() if value % 0x10101 == 0}  # as one channel has it
    return grey | values, classes


def _are_numbers(root: Path, masks: Sequence[str], names: MaskNames) -> bool:
    """Whether masks hold the numbers of classes that have colours too, as those of Mapillary do."""
    values = {value for stored in _sampled(root, masks) for value in np.unique(stored).tolist()}
    return values - {IGNORED} <= names.numbers.keys() and not values <= names.colours.keys()


def _of_numbers(names: MaskNames) -> tuple[dict[int, int], list[str]]:
    """The class number of each value that is the number of a class; 0 without a name is the background."""
    numbers = dict(names.numbers)
    if not names.ignores_zero:
        numbers.setdefault(0, "background")
    order = sorted(numbers)
    values = {number: place for place, number in enumerate(order)}
    return {0: IGNORED} | values, [numbers[number] for number in order]


def _value(text: str) -> int:
    try:
        value = int(text[1:], 16) if text.startswith("#") and len(text) == 7 else int(text)
    except ValueError as error:
        raise UsageError(f"`mask_classes`: expected a number or #rrggbb; got {text}.") from error
    if not 0 <= value < 2**31:
        raise UsageError(f"`mask_classes`: expected a number from 0; got {text}.")
    return value


def _found(root: Path, masks: Sequence[str], names: MaskNames | None) -> tuple[dict[int, int], list[str]]:
    """What the values mean, by what a sample of the masks holds."""
    values: set[int] = set()
    for stored in _sampled(root, masks):
        values |= set(np.unique(stored).tolist())
    if names is not None and values - {0, IGNORED} <= names.numbers.keys():
        return _of_numbers(names)
    if len(values - {0}) <= 1 and (not values or 0 in values) and values != {0, 1}:
        return {0: 0, **dict.fromkeys(values - {0} or {IGNORED}, 1)}, ["background", "foreground"]
    _require_classes(root, masks, values)
    largest = max(values - {IGNORED}, default=0)
    if largest > IGNORED and is_deep(file_of(root, masks[0])):
        numbers = list_names([str(value) for value in sorted(values)], 6)
        raise DataError(
            f"{file_of(root, masks[0])}: expected a mask of class numbers up to 254; got one of 16 bits or more with "
            f"larger numbers ({numbers}). Name each with --mask-classes, such as --mask-classes.{largest} NAME."
        )
    if largest > IGNORED:
        grey = all(value % 0x10101 == 0 for value in values)
        shown = list_names([f"#{value:06x}" for value in sorted(values)], 6)
        what = "grey levels in three channels" if grey else "colours"
        raise DataError(
            f"{file_of(root, masks[0])}: expected a mask of class numbers; got one of {what} ({shown}). Name each with "
            f"--mask-classes, such as --mask-classes.#{largest:06x} NAME, or add a labelmap.txt."
        )
    return {value: value for value in range(largest + 1)}, [str(value) for value in range(largest + 1)]


def _require_classes(root: Path, masks: Sequence[str], values: set[int]) -> None:
    """Refuses values that are hardly numbers of classes: grey levels far apart, and objects numbered in each image.

    Raises:
        DataError: if they are such.
    """
    order = sorted(values)
    place, shown = file_of(root, masks[0]), list_names(map(str, order), 6)
    if 2 < len(order) <= MOST_LEVELS and order[-1] <= IGNORED and min(np.diff(order)) >= LEVEL:
        raise DataError(
            f"{place}: expected a mask of class numbers; got grey levels ({shown}). Name each with --mask-classes, "
            f"such as --mask-classes.{order[-2]} NAME."
        )
    counts = []
    for stored in _sampled(root, masks):
        found = sorted(set(np.unique(stored).tolist()) - {0})
        if found != list(range(1, len(found) + 1)):
            return
        counts.append(len(found))
    if len(set(counts)) >= VARIED and max(counts) > VARIED:
        raise DataError(
            f"{place}: expected a mask of class numbers; got values from 1 on without a gap, {min(counts)} in one "
            f"image and {max(counts)} in another, which number objects. Name each with --mask-classes, such as "
            f"--mask-classes.1 NAME."
        )
