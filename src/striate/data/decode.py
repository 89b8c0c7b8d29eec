"""Decoding: from the bytes of an image to the pixels that a map shows, at the smallest scale that suffices."""

import io
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from striate.augment import Map, Size, crop, resample
from striate.data.image_formats import formats_of, why_slow, why_unknown
from striate.data.pixel_limit import JPEG_MODES, pillow_allows, why_too_large
from striate.data.raw_pixels import (
    EIGHT_BITS,
    NPY_START,
    TIFF_STARTS,
    Levels,
    RawError,
    RawPixels,
    levels_of,
    raw_array,
    raw_image,
    raw_npy,
    raw_tiff,
)
from striate.files import read_bytes
from striate.recipe.ranges import MAX_PIXELS, MOST_FILE_PIXELS

Source = Path | bytes | NDArray[Any] | Image.Image

EXIF_ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
QUARTER_TURNS = (5, 6, 7, 8)  # the orientations that swap width and height
RIGHT_TO_LEFT = (2, 3, 6, 7)  # those whose stored left or top is the upright right
BOTTOM_TO_TOP = (3, 4, 7, 8)  # those whose stored left or top is the upright bottom
PNG_EXIF = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")  # a PNG without any of these has no EXIF data
JPEG_START = b"\xff\xd8\xff"
ICO_START = b"\0\0\1\0"  # which Pillow decodes when it opens it, whatever size is inside
JPEG_SCAN = b"\xff\xda"  # what each scan begins with; in what it holds, the two bytes never follow one another
MOST_SCANS = 100  # of a JPEG: encoders make 10, and each takes as long as a whole image
JPEG_MARKS = (b"Exif", b"http://ns.adobe.com/xap/", b"MPF\0")  # a JPEG without any is upright, and one image
PILLOWS_MODES = {"Gray": "L", "YCbCr": "RGB", "RGB": "RGB"}  # Pillow's, of what libjpeg-turbo decodes itself
JPEG_SCALES = (8, 4, 2)
FAILURES = (  # what Pillow raises for a bad file; the last five, for a field of its metadata that is not as declared
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    struct.error,
)


class UnreadableError(Exception):
    """Why an image cannot be read, in a few words."""


@dataclass(frozen=True)
class OpenedImage:
    """An image whose header is read and whose pixels are not yet."""

    stored: Size
    """Width and height of the pixels as they are stored."""

    orientation: int = 1
    """By EXIF: how the stored pixels must be turned to stand upright, 1 for not at all."""

    jpeg: bytes | None = None
    """The file, where it is a JPEG of grey or colour that libjpeg-turbo can decode itself."""

    opened: Image.Image | None = None
    """By Pillow, where its header had to be read that way; a JPEG's may be left for later."""

    jpeg_mode: str = ""
    """Pillow's name of a JPEG's mode, where its header was read without Pillow."""

    raw: RawPixels | None = None
    """Where it has more than 8 bits, or bands that are no colours."""

    @property
    def size(self) -> Size:
        """Width and height of the upright image, by its EXIF orientation."""
        width, height = self.stored
        return (height, width) if self.orientation in QUARTER_TURNS else (width, height)

    @cached_property
    def pillow(self) -> Image.Image:
        """As Pillow opens it, or as 8 bits of grey or colour where it does not.

        Raises:
            UnreadableError: if it cannot.
        """
        if self.opened is not None:
            return self.opened
        if self.raw is not None:
            return Image.fromarray(self.decode(1, 1 if self.raw.bands < 3 else 3, self.own_levels).squeeze())
        return _opened(self.jpeg or b"")

    @property
    def format_and_mode(self) -> tuple[str, str]:
        """By Pillow's names; the format is empty of bare pixels.

        Raises:
            UnreadableError: if Pillow cannot tell.
        """
        return ("JPEG", self.jpeg_mode) if self.jpeg_mode else (self.pillow.format or "", self.pillow.mode)

    @property
    def bands(self) -> int | None:
        """How many bands it has; None where they are grey or colours, with or without transparency."""
        if self.raw is None or self.raw.has_alpha or (self.opened is not None and self.raw.bands in (3, 4)):
            return None
        return self.raw.bands

    @property
    def own_levels(self) -> Levels | None:
        """What is black and what white in this image by itself; None where its 8 or 16 bits say it.

        Raises:
            UnreadableError: if its pixels cannot be decoded.
        """
        try:
            return None if self.raw is None else self.raw.own_levels()
        except RawError as error:
            raise UnreadableError(str(error)) from error

    def read(self, map_: Map, size: Size, channels: int, levels: Levels | None = None) -> NDArray[np.uint8]:
        """Decodes no more than needed and resamples once.

        Args:
            map_: from output to the upright image.
            size: width and height of the output.
            channels: 1 for grey, 3 for RGB, of the first three bands where there are more; else the number of bands.
            levels: the values of more than 8 bits that become 0 and 255; those of 16 bits unless given.

        Returns:
            (H, W, channels) values 0 to 255.

        Raises:
            UnreadableError: if the pixels cannot be decoded.
        """
        return self.resampled(self.decode(min(map_.reduction(size)), channels, levels), map_, size)

    def resampled(self, pixels: NDArray[np.uint8], map_: Map, size: Size) -> NDArray[np.uint8]:
        """What `map_` shows of pixels that `decode` gave; arguments as in `read`."""
        shown = self._shown((pixels.shape[1], pixels.shape[0]))
        return resample(pixels, map_.then(crop(shown, self.size)), size)

    def verify(self) -> None:
        """Decodes the whole file, at the smallest scale.

        Raises:
            UnreadableError: if the pixels cannot be decoded.
        """
        self.decode(JPEG_SCALES[0], 3, self.own_levels)

    def decode(self, reduction: float, channels: int, levels: Levels | None = None) -> NDArray[np.uint8]:
        """The upright image (H, W, channels) or (H, W), without what a `reduction` by so much would throw away."""
        if self.raw is not None:
            try:
                return turned(self.raw.pixels(channels, levels), self.orientation)
            except RawError as error:
                raise UnreadableError(str(error)) from error
        scale = next((scale for scale in JPEG_SCALES if scale <= reduction), 1)
        if self.jpeg is not None:
            width, height = self.stored
            try:
                stored: NDArray[np.uint8] = simplejpeg.decode_jpeg(
                    self.jpeg,
                    "GRAY" if channels == 1 else "RGB",
                    min_height=-(-height // scale),
                    min_width=-(-width // scale),
                )
            except ValueError:  # broken, or odd: Pillow knows which, and says it in words
                pass
            else:
                return turned(stored, self.orientation)
        try:
            with pillow_allows(math.prod(self.stored)):
                self._shrink(scale, channels)
                pillow = upright(self.pillow)
                return np.asarray(to_channels(pillow, channels)) if channels in (1, 3) else _bands(pillow, channels)
        except FAILURES as error:
            raise UnreadableError(_reason(error)) from error

    def _shown(self, decoded: Size) -> tuple[float, float, float, float]:
        """The box of the upright decoded pixels that the image covers: W / 8 of the ceil(W / 8) columns at 1/8."""
        scales = (1, *reversed(JPEG_SCALES))
        scale = next((s for s in scales if decoded == (-(-self.size[0] // s), -(-self.size[1] // s))), 1)
        width, height = self.size[0] / scale, self.size[1] / scale
        x0 = decoded[0] - width if self.orientation in RIGHT_TO_LEFT else 0.0
        y0 = decoded[1] - height if self.orientation in BOTTOM_TO_TOP else 0.0
        return x0, y0, x0 + width, y0 + height

    def _shrink(self, scale: int, channels: int) -> None:
        """Lets Pillow's JPEG decoder work at 1 / `scale`."""
        if self.pillow.format == "JPEG" and scale > 1:
            width, height = self.stored
            mode = "L" if channels == 1 else None
            self.pillow.draft(mode, (max(width // scale, 1), max(height // scale, 1)))


def open_image(source: Source, max_pixels: int = MAX_PIXELS) -> OpenedImage:
    """Reads an image's header.

    Args:
        source: a file's path or its bytes; or pixels (H, W) or (H, W, C) of any numbers; or a Pillow image, which is
            left unchanged.
        max_pixels: an image of more is refused here, before its pixels take memory; see `why_too_large`.

    Raises:
        UnreadableError: if it is empty, no image, or too large.
    """
    try:
        if isinstance(source, np.ndarray):
            return _open_array(source, max_pixels)
        if isinstance(source, Image.Image):
            return _open_pillow(source.copy(), None, max_pixels)
        suffix = source.suffix.lower() if isinstance(source, Path) else ""
        return _open_file(source if isinstance(source, bytes) else _bytes(source), suffix, max_pixels)
    except RawError as error:
        raise UnreadableError(str(error)) from error


def common_levels(images: Iterable[OpenedImage]) -> Levels | None:
    """What is black and what white in images together; None where 8 or 16 bits say it.

    Raises:
        UnreadableError: if the pixels of one cannot be decoded.
    """
    deep = [image.raw for image in images if image.raw is not None and image.raw.kind not in EIGHT_BITS]
    if not deep:
        return None
    try:
        least, largest = zip(*(raw.extent for raw in deep), strict=True)
    except RawError as error:
        raise UnreadableError(str(error)) from error
    return levels_of({raw.kind for raw in deep}, min(least), max(largest))


def _open_array(pixels: NDArray[Any], max_pixels: int) -> OpenedImage:
    if pixels.dtype != np.uint8 or (pixels.ndim == 3 and pixels.shape[-1] not in (1, 3, 4)):
        return _open_raw(raw_array(pixels), max_pixels)
    image = Image.fromarray(pixels.squeeze(-1) if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels)
    return OpenedImage(image.size, opened=image)


def _open_file(data: bytes, suffix: str, max_pixels: int) -> OpenedImage:
    if not data:
        raise UnreadableError("the file is empty")
    if data.startswith(JPEG_START) and (scans := data.count(JPEG_SCAN)) > MOST_SCANS:
        raise UnreadableError(f"a JPEG of {scans:,} scans, which are more than the limit of {MOST_SCANS}")
    plain = _plain_jpeg(data)
    if plain is not None:
        size, mode = plain
        _require_few_pixels(size, max_pixels, jpeg=True)
        return OpenedImage(size, jpeg=data, jpeg_mode=mode)
    if data.startswith(NPY_START):
        return _open_raw(raw_npy(data), max_pixels)
    try:
        image = _opened(data, suffix)
    except UnreadableError as error:
        if not (data.startswith(TIFF_STARTS) and isinstance(error.__cause__, UnidentifiedImageError)):
            raise
        return _open_raw(raw_tiff(data), max_pixels)  # of bands that Pillow does not know
    return _open_pillow(image, data, max_pixels)


def _open_pillow(image: Image.Image, data: bytes | None, max_pixels: int) -> OpenedImage:
    is_jpeg = data is not None and image.format in ("JPEG", "MPO") and image.mode in JPEG_MODES
    _require_few_pixels(image.size, max_pixels, jpeg=is_jpeg)
    if (slow := why_slow(image)) is not None:
        raise UnreadableError(slow)
    orientation = _orientation(image, data)
    raw = raw_image(image, data)
    if raw is not None:
        return OpenedImage(raw.size, raw.orientation if raw.orientation in TURNS else orientation, None, image, raw=raw)
    return OpenedImage(image.size, orientation, data if is_jpeg else None, image)


def _open_raw(raw: RawPixels, max_pixels: int) -> OpenedImage:
    _require_few_pixels(raw.size, max_pixels)
    return OpenedImage(raw.size, raw.orientation if raw.orientation in TURNS else 1, raw=raw)


def _plain_jpeg(data: bytes) -> tuple[Size, str] | None:
    """Size and mode of a JPEG of grey or colour that nothing in it can turn, and that is one image; of others, None.

    Pillow's reading of a header takes twenty times as long.
    """
    if not data.startswith(JPEG_START) or any(mark in data for mark in JPEG_MARKS):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:  # broken, or odd: Pillow knows which
        return None
    return ((width, height), PILLOWS_MODES[colours]) if colours in PILLOWS_MODES else None


def _require_few_pixels(stored: Size, max_pixels: int, *, jpeg: bool = False) -> None:
    if (reason := why_too_large(stored, max_pixels, jpeg=jpeg)) is not None:
        raise UnreadableError(reason)


def _opened(data: bytes, suffix: str = "") -> Image.Image:
    try:
        with pillow_allows(0 if data.startswith(ICO_START) else MOST_FILE_PIXELS):  # the caller's limit comes next
            return Image.open(io.BytesIO(data), formats=formats_of(suffix))
    except UnidentifiedImageError as error:
        raise UnreadableError(why_unknown(data)) from error
    except Image.DecompressionBombError as error:
        raise UnreadableError("more pixels than --max-pixels can allow: save it in parts") from error
    except FAILURES as error:
        raise UnreadableError(_reason(error)) from error


def _orientation(image: Image.Image, data: bytes | None) -> int:
    """By EXIF, where it says one that there is; a TIFF has none left, because Pillow turns its pixels itself."""
    if image.format == "TIFF":
        return 1
    if image.format == "PNG" and data is not None and not any(chunk in data for chunk in PNG_EXIF):
        return 1
    try:
        with pillow_allows(math.prod(image.size)):
            orientation = image.getexif().get(EXIF_ORIENTATION)  # of a PNG, this decodes its pixels
    except FAILURES as error:
        raise UnreadableError(_reason(error)) from error
    return orientation if orientation in TURNS else 1


def turned(stored: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Stored pixels (H, W, C), upright, as a view."""
    pixels = stored.swapaxes(0, 1) if orientation in QUARTER_TURNS else stored
    return pixels[:: -1 if orientation in BOTTOM_TO_TOP else 1, :: -1 if orientation in RIGHT_TO_LEFT else 1]


def upright(image: Image.Image) -> Image.Image:
    """Turns and mirrors an image as its EXIF orientation says, whatever else its EXIF data holds."""
    image.load()  # of a TIFF, Pillow turns the pixels here, and takes the orientation away
    turn = TURNS.get(image.getexif().get(EXIF_ORIENTATION, 1))
    return image if turn is None else image.transpose(turn)


def to_channels(image: Image.Image, channels: int) -> Image.Image:
    """An image of 8 bits as grey or RGB; transparency is laid over white."""
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert("RGB") if image.mode in ("P", "CMYK") and mode == "L" else image
        image = image.convert(mode)
    image.load()
    return image


def _bands(image: Image.Image, count: int) -> NDArray[np.uint8]:
    """An image of 8 bits (H, W, count), its bands as they are.

    Raises:
        ValueError: if it has others.
    """
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    bands = len(image.getbands())
    if bands != count:
        raise ValueError(f"it has {bands} band{'s' if bands > 1 else ''}, not {count}")
    return np.asarray(image, np.uint8).reshape(image.height, image.width, count)


def _bytes(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except OSError as error:
        raise UnreadableError(error.strerror or "it cannot be read") from error


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__  # libheif ends its sentences with empty lines
