"""Pixels as a file has them, of any number of bands and any kind of number, and how they become 0 to 255.

Pillow keeps 8 bits of a colour, and opens no image of five bands. So others read these: NumPy its arrays (.npy),
tifffile a TIFF of many bands or deep colours, and OpenCV a PNG of 16 bits a colour.
"""

import io
import logging
import math
import struct
import tokenize
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from striate.augment import Size
from striate.data.pixel_limit import pillow_allows
from striate.recipe.ranges import MOST_CHANNELS

NPY_START = b"\x93NUMPY"
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
DEEP_PNG = (2, 6)  # colour types of PNG with red, green and blue
BITS_A_SAMPLE, PHOTOMETRIC, ORIENTATION, SAMPLES, EXTRA_SAMPLES = 258, 262, 274, 277, 338  # tags of TIFF
GREY = (0, 1)  # photometric interpretations: 0 is white, 0 is black
ALPHA = (1, 2)  # extra samples that say how opaque a pixel is
WHITE_OF_16_BITS = 65535.0
BITS = (8, 10, 12, 14)  # that cameras and scanners keep in 16
EIGHT_BITS = ("u1", "b1")  # kinds of number whose white is known
DEEP_MODES = ("I", "F")  # how Pillow's modes of one deep band begin
FAILURES = (  # what readers raise for a bad file
    ValueError,
    OSError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    ArithmeticError,
    struct.error,
    zlib.error,
)
for _name in ("PIL", "tifffile"):  # which tell of bad files on standard error too, unless somebody listens
    logging.getLogger(_name).addHandler(logging.NullHandler())

Values = NDArray[Any]  # (H, W, C), of any kind of number
Levels = tuple[float, float]  # the values that become 0 and 255


class RawError(ValueError):
    """Why pixels cannot be read, in a few words."""


@dataclass(frozen=True)
class RawPixels:
    """The pixels of a file whose header is read."""

    size: Size
    """Width and height, as stored."""

    bands: int
    kind: str
    """Of number, as NumPy writes it: u1, u2, i4, f4, …"""

    load: Callable[[], Values]
    """Reads the pixels (H, W, bands); raises a `RawError`, or what decoders raise."""

    orientation: int = 1
    """By EXIF."""

    has_alpha: bool = False
    """Whether the last band says how opaque a pixel is."""

    @cached_property
    def values(self) -> Values:
        """The pixels (H, W, bands).

        Raises:
            RawError: if they cannot be decoded.
        """
        try:
            with pillow_allows(math.prod(self.size)):
                values = self.load()
        except FAILURES as error:
            raise RawError(str(error) or type(error).__name__) from error
        if values.shape != (self.size[1], self.size[0], self.bands):
            raise RawError(f"its pixels are {values.shape}, and its header says {self.size} and {self.bands} bands")
        return values

    @cached_property
    def extent(self) -> Levels:
        """The least and the largest value that is a number.

        Raises:
            RawError: if there is none.
        """
        values = self.values
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if not values.size:
            raise RawError("it holds no number that is finite")
        return float(values.min()), float(values.max())

    def own_levels(self) -> Levels | None:
        """The levels of this image by itself."""
        return levels_of({self.kind}, *self.extent)

    def pixels(self, channels: int, levels: Levels | None) -> NDArray[np.uint8]:
        """(H, W, channels) of 0 to 255.

        Args:
            channels: 1 for grey and 3 for RGB, of the first three bands where there are more; else as many as bands.
            levels: as the data set has them; those of 16 bits unless given.

        Raises:
            RawError: if there are others than `channels` bands, or nothing says what is white.
        """
        values = self.values
        if channels in (1, 3):
            values = first_bands(over_white(values, levels_or(levels, self.kind)) if self.has_alpha else values)
        elif channels != self.bands:
            raise RawError(f"it has {self.bands} band{'s' if self.bands > 1 else ''}, not {channels}")
        pixels = to_bytes(values, levels_or(levels, self.kind))
        if channels in (1, 3) and pixels.shape[2] != channels:
            mode = "L" if channels == 1 else "RGB"
            pixels = np.asarray(Image.fromarray(pixels.squeeze(2) if channels == 3 else pixels).convert(mode))
        return pixels.reshape(*pixels.shape[:2], channels)


def levels_or(levels: Levels | None, kind: str) -> Levels:
    """The levels of an image whose numbers are of this kind.

    Raises:
        RawError: if nothing says what is white.
    """
    if kind == "u1":
        return 0.0, 255.0
    if kind == "b1":
        return 0.0, 1.0
    if levels is None and kind != "u2":
        raise RawError(
            f"its numbers are of the kind {kind}, of which none is known to be white. Train with --pixel-range"
        )
    return levels or (0.0, WHITE_OF_16_BITS)


def levels_of(kinds: set[str], least: float, largest: float) -> Levels | None:
    """What is black and what white of images whose numbers are of these kinds, and of this extent.

    Integers of 10, 12 or 14 bits in 16 are those of so many bits; None stands for 8 and for 16 bits, as they are.
    Floats are 0 to 1, -1 to 1 or 0 to 255 where they stay in it; all others are as they lie.

    >>> levels_of({"u2"}, 0, 4003), levels_of({"f4"}, 0, 0.98)
    ((0.0, 4095.0), (0.0, 1.0))
    """
    deep = kinds.difference(EIGHT_BITS)
    if not deep:
        return None
    if deep == {"u2"}:
        bits = next((bits for bits in BITS if largest < 1 << bits), None)
        return None if bits is None else (0.0, float((1 << bits) - 1))
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        if low <= least and largest <= high:
            return low, high
    return least, max(largest, math.nextafter(least, math.inf))


def to_bytes(values: Values, levels: Levels) -> NDArray[np.uint8]:
    """Values as 0 to 255, of which `levels` become the ends; what is no number becomes the least."""
    if values.dtype == np.uint8 and levels == (0.0, 255.0):
        return np.ascontiguousarray(values)
    low, high = levels
    scaled = (values.astype(np.float64) - low) * (255 / (high - low))
    return np.nan_to_num(np.rint(scaled), nan=0.0).clip(0, 255).astype(np.uint8)


def first_bands(values: Values) -> Values:
    """The bands that are drawn: the first three, or the first of fewer."""
    return values[..., : 3 if values.shape[-1] >= 3 else 1]


def over_white(values: Values, levels: Levels) -> NDArray[np.float64]:
    """Colours laid over white by how opaque the last band says that they are."""
    low, high = levels
    opaque = (values[..., -1:].astype(np.float64) - low) / (high - low)
    return values[..., :-1] * opaque + high * (1 - opaque)


def raw_array(values: NDArray[Any]) -> RawPixels:
    """Pixels in memory (H, W) or (H, W, C).

    Raises:
        RawError: if they are of another shape, or no numbers.
    """
    if values.ndim == 2:
        values = values[..., None]
    _require_bands(values.shape, values.dtype)
    height, width, bands = values.shape
    return RawPixels((width, height), bands, kind_of(values.dtype), lambda: values)


def kind_of(dtype: np.dtype[Any]) -> str:
    """A kind of number without its order of bytes: u1, u2, f4, …"""
    return f"{dtype.kind}{dtype.itemsize}"


def is_image_header(file: IO[bytes]) -> bool:
    """Whether a file begins as an array of NumPy that is one image (H, W) or (H, W, C)."""
    try:
        shape, _, dtype = _npy_header(file)
        _require_bands((*shape, 1) if len(shape) == 2 else shape, dtype)
    except RawError:
        return False
    return True


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and kind of number of an array; the file then stands at its values."""
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, is_fortran, dtype = read(file)
    except (*FAILURES, SyntaxError, MemoryError, RecursionError, tokenize.TokenError) as error:
        raise RawError("its header is not that of an array of NumPy") from error
    return tuple(shape), is_fortran, dtype


def raw_npy(data: bytes) -> RawPixels:
    """An array of NumPy in a file.

    Raises:
        RawError: if it is no array (H, W) or (H, W, C) of numbers, or is cut off.
    """
    file = io.BytesIO(data)
    shape, is_fortran, dtype = _npy_header(file)
    start = file.tell()
    shape = (*shape, 1) if len(shape) == 2 else shape
    _require_bands(shape, dtype)
    if start + math.prod(shape) * dtype.itemsize != len(data):
        raise RawError(f"it is cut off: its header says {shape} values, and {len(data) - start:,} bytes follow")

    def load() -> Values:
        values = np.frombuffer(data, dtype, offset=start)
        return values.reshape(shape, order="F" if is_fortran else "C")

    return RawPixels((shape[1], shape[0]), shape[2], kind_of(dtype), load)


def raw_tiff(data: bytes) -> RawPixels:
    """The first image of a TIFF, by tifffile.

    Raises:
        RawError: if it cannot be read so.
    """
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = cast("tifffile.TiffPage", file.pages[0])
            shape, axes, dtype = page.shape, page.axes, page.dtype
            extra = page.extrasamples
            orientation = page.tags.valueof(ORIENTATION, 1)
    except (*FAILURES, MemoryError, RecursionError) as error:
        raise RawError(f"a TIFF that is damaged: {error}") from error
    if dtype is None or axes not in ("YX", "YXS", "SYX"):
        raise RawError(f"a TIFF with the axes {axes}; expected height, width and bands")
    height, width, bands = {"YX": (*shape, 1), "YXS": shape, "SYX": (*shape[1:], shape[0])}[axes]
    _require_bands((height, width, bands), dtype)

    def load() -> Values:
        try:
            with tifffile.TiffFile(io.BytesIO(data)) as file:
                values = file.pages[0].asarray()
        except (ImportError, ValueError) as error:
            if "imagecodecs" not in str(error):
                raise
            raise RawError("its compression is read where imagecodecs is: pip install 'striate[codecs]'") from error
        return np.moveaxis(values, 0, 2) if axes == "SYX" else values.reshape(height, width, bands)

    has_alpha = bool(extra) and int(extra[0]) in ALPHA and bands in (2, 4)
    return RawPixels((width, height), bands, kind_of(dtype), load, int(orientation), has_alpha)


def raw_png(data: bytes, image: Image.Image) -> RawPixels | None:
    """A PNG of 16 bits a colour; None where it is another."""
    if len(data) < 26 or data[24] != 16 or data[25] not in DEEP_PNG:
        return None
    bands = 3 if data[25] == 2 else 4

    def load() -> Values:
        image.load()  # raises where the file is cut off, which OpenCV does not
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        if values is None or values.dtype != np.uint16:
            raise RawError("its 16 bits cannot be read")
        return values[..., [2, 1, 0, 3][:bands]]

    return RawPixels(image.size, bands, "u2", load, has_alpha=bands == 4)


def raw_image(image: Image.Image, data: bytes | None) -> RawPixels | None:
    """The pixels of what Pillow opened where they are deeper than it keeps, or of one deep band; None else.

    Raises:
        RawError: if they cannot be read.
    """
    if image.format == "TIFF" and data is not None and _is_raw_tiff(image):
        return raw_tiff(data)
    if image.format == "PNG" and data is not None and (deep := raw_png(data, image)) is not None:
        return deep
    if image.mode.startswith(DEEP_MODES):
        kind = "f4" if image.mode == "F" else "i4" if image.mode == "I" and image.format != "PPM" else "u2"
        return RawPixels(image.size, 1, kind, lambda: np.asarray(image)[..., None])
    return None


def _is_raw_tiff(image: Image.Image) -> bool:
    """Whether a TIFF has several bands of more than 8 bits, or some that are no colours and no alpha."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    samples = int(tags.get(SAMPLES, 1))
    extra = (*tags.get(EXTRA_SAMPLES, ()), 0)[0]
    is_grey = tags.get(PHOTOMETRIC) in GREY
    return samples > 1 and (samples > 4 or max(tags.get(BITS_A_SAMPLE, (1,))) > 8 or (is_grey and extra not in ALPHA))


def _require_bands(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "buif":
        raise RawError(f"expected numbers; got {dtype}")
    if len(shape) != 3 or not all(isinstance(side, int) and side > 0 for side in shape) or shape[2] > MOST_CHANNELS:
        got = " x ".join(map(str, shape))
        raise RawError(f"expected height, width and at most {MOST_CHANNELS} bands, in this order; got {got}")
