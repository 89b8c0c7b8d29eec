"""Masks: the class number of each pixel of an image, from the file that holds them."""

import io
import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from striate.augment.resample import IGNORED
from striate.data import coco, outlines
from striate.data.decode import FAILURES, UnreadableError
from striate.data.index import Index
from striate.data.paths import file_of
from striate.data.pixel_limit import pillow_allows, why_too_large
from striate.files import read_bytes
from striate.recipe.ranges import MAX_PIXELS, MOST_FILE_PIXELS

Mask = NDArray[np.uint8]  # (H, W)
FORMATS = ("PNG", "BMP", "TIFF", "GIF", "JPEG")  # Pillow's
SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff", ".gif", ".jpg", ".jpeg"})
DIGITS = 19  # of the number of an image of COCO, which has 64 bits
COLOURED = 64  # difference of two channels that JPEG makes of no grey
FEW = 0.001  # share of a mask's pixels that may have a colour without a meaning
DRAWN = re.compile(r"[0-9]{1,9}:[0-9]{1,9}x[0-9]{1,9}")  # what `outlines.mask_path` puts behind a file's name


class ColouredJpegError(UnreadableError):
    """A mask in JPEG whose colours tell classes apart; one of its colours may be as dark as black."""


def stored_values(path: Path, max_pixels: int = MAX_PIXELS) -> NDArray[np.int32]:
    """The values of a mask's file (H, W): grey levels, indices of its palette, 0xRRGGBB, or those of a COCO file.

    Raises:
        ColouredJpegError: if it is a JPEG of colours.
        UnreadableError: if it cannot be decoded, or is too large.
    """
    file, _, key = path.name.rpartition("#")
    if file.endswith(".json") and key.isdecimal() and len(key) <= DIGITS:
        return coco.stored_values(path.with_name(file), int(key), max_pixels)
    if DRAWN.fullmatch(key):
        return outlines.stored_values(path.with_name(file), key, max_pixels)
    if "*" in path.name and not path.exists():
        return _of_objects(path, max_pixels)
    try:
        with _opened(path) as image:
            if (reason := why_too_large(image.size, max_pixels)) is not None:
                raise UnreadableError(f"its mask: {reason}")
            with pillow_allows(math.prod(image.size)):
                return _values(image)
    except UnidentifiedImageError as error:  # whose text names an address in memory
        raise UnreadableError(f"its mask {path.name} cannot be read: it is no image") from error
    except FAILURES as error:
        raise UnreadableError(f"its mask {path.name} cannot be read: {error}") from error


def _opened(path: Path) -> Image.Image:
    with pillow_allows(MOST_FILE_PIXELS):  # the caller's limit comes next, and names the size
        return Image.open(io.BytesIO(read_bytes(path)), formats=FORMATS)


def _of_objects(path: Path, max_pixels: int) -> NDArray[np.int32]:
    """0 and 255 (H, W) of several masks, one an object, where `*` in a name stands for what tells theirs apart.

    Raises:
        UnreadableError: if there is none, one is a link, one has two classes, or they differ in size.
    """
    before, _, after = path.name.partition("*")
    try:
        files = sorted(file for file in path.parent.iterdir() if file.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise UnreadableError(f"its masks {path.name} cannot be listed: {error.strerror}") from error
    files = [file for file in files if file.name.startswith(before) and file.name.endswith(after)]
    if not files or any(file.is_symlink() for file in files):
        raise UnreadableError(f"expected masks {path.name}, none of which is a link; got {len(files)} files")
    whole = stored_values(files[0], max_pixels) > 0
    for file in files:
        values = stored_values(file, max_pixels)
        if len(set(np.unique(values).tolist()) - {0}) > 1:
            raise UnreadableError(f"expected a mask of one object in {file.name}; got several values")
        if whole.shape != values.shape:
            raise UnreadableError(f"expected masks {path.name} of one size; {file.name} has another")
        whole |= values > 0
    return np.where(whole, np.int32(255), np.int32(0))


def _values(image: Image.Image) -> NDArray[np.int32]:
    if image.format == "JPEG":  # which blurs: only light and dark are told apart
        rgb = np.asarray(image.convert("RGB"))
        if (np.ptp(rgb, axis=-1) > COLOURED).mean() > FEW:
            raise ColouredJpegError("its mask in JPEG has areas of colour, which JPEG blurs: save such masks as PNG")
        return np.asarray(image.convert("L"), np.int32)
    if image.format == "GIF":  # whose palettes are in any order
        image = image.convert("RGB")
    if image.mode in ("RGBA", "LA") and _is_drawn_by_alpha(image):
        return np.asarray(image.getchannel("A"), np.int32)
    if image.mode in ("RGB", "RGBA"):
        red, green, blue = np.moveaxis(np.asarray(image.convert("RGB"), np.int32), -1, 0)
        if (red == green).all() and (green == blue).all():
            return np.asarray(red, np.int32)
        return np.asarray(red << 16 | green << 8 | blue, np.int32)
    if image.mode == "1":
        return np.asarray(image.convert("L"), np.int32)
    return np.asarray(image.getchannel(0) if image.mode == "LA" else image, np.int32)


def _is_drawn_by_alpha(image: Image.Image) -> bool:
    """Whether an image has one colour everywhere, and shows what it shows by its transparency."""
    *colours, alpha = (band.getextrema() for band in image.split())
    return all(low == high for low, high in colours) and alpha[0] != alpha[1]


def is_deep(path: Path) -> bool:
    """Whether a mask's file holds grey levels of more than 8 bits; False where it cannot be read."""
    try:
        with _opened(path) as image:
            return image.mode.startswith("I")
    except FAILURES:
        return False


def load_mask(index: Index, row: int, max_pixels: int = MAX_PIXELS) -> Mask:
    """The class numbers (H, W) of a row's mask, 255 where a pixel counts for nothing or its value is unknown.

    Raises:
        UnreadableError: if it cannot be read, or the row has none.
    """
    path = index.table["mask"][row].as_py()
    if path is None:
        raise UnreadableError("it has no mask")
    return classes_of(stored_values(file_of(index.root, path), max_pixels), index)


def classes_of(values: NDArray[np.int32], index: Index) -> Mask:
    """The class number of each value (H, W) that a mask's file holds."""
    known = np.array(sorted(index.mask_values), np.int32)
    numbers = np.array([index.mask_values[value] for value in known.tolist()], np.uint8)
    if not len(known):
        return np.full(values.shape, IGNORED, np.uint8)
    place = np.searchsorted(known, values).clip(max=len(known) - 1)
    return np.where(known[place] == values, numbers[place], np.uint8(IGNORED))


def unknown_values(values: NDArray[np.int32], index: Index) -> list[int]:
    """The values (H, W) of a mask's file that stand for no class, and are not 255."""
    return sorted(set(np.unique(values).tolist()) - set(index.mask_values) - {IGNORED})
