"""One look at each image: everything that the checks need of its pixels, from a single decode at a small scale."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from striate.augment.colour import LUMA, ColourSums
from striate.augment.geometry import Map, crop
from striate.data.decode import FAILURES, OpenedImage, UnreadableError
from striate.data.image_formats import ANIMATED
from striate.data.preprocessing import Readable

VIEW = 64  # pixels: width and height of what is looked at, the whole image squeezed into a square
TOGETHER = 16  # images whose views are worked on together: what they take stays in a processor's cache
MOST_PAGES = 1000  # of a TIFF or GIF
SIDE = VIEW // 2  # of the thumbnail that is compared
FREQUENCIES = 8  # of the hash, along either axis
RECORD = np.dtype(
    [
        ("width", np.int32),  # of the upright image
        ("height", np.int32),
        ("format", "S8"),  # by Pillow's name; empty for bare pixels
        ("mode", "S8"),
        ("orientation", np.uint8),  # of EXIF: 1 is upright
        ("frames", np.int32),
        ("bands", np.int16),  # where they are no colours and not grey; else 0
        ("kind", "S2"),  # of number, where it has more than 8 bits or such bands: u2, f4, …
        ("extent", np.float64, 2),  # the least and the largest value, likewise
        ("pixels", np.uint64),  # a digest of what it shows
        ("hash", np.uint64),  # a perceptual hash: near for what looks alike
        ("mirrored", np.uint64),  # the hash of its mirror image
        ("count", np.int64),  # ColourSums of the view
        ("total", np.int64, 3),
        ("products", np.int64, 9),
    ]
)
Records = NDArray[np.void]  # of dtype RECORD
WITH_ALPHA = {"P": "PA", "L": "LA", "RGB": "RGBA"}  # Pillow's modes

WAVES = np.cos(np.pi / SIDE * np.outer(np.arange(FREQUENCIES), np.arange(SIDE) + 0.5))  # of the DCT-II
ODD = np.where(np.arange(FREQUENCIES) % 2, -1.0, 1.0)  # what a mirror does to each wave


def scan_images(open_row: Callable[[int], OpenedImage], rows: Sequence[int]) -> tuple[Records, dict[int, str]]:
    """Decodes each image once, and works out what was seen for some of them together.

    Args:
        open_row: opens the image of a row.
        rows: (N,) row numbers.

    Returns:
        (N,) records, zeros for an image that cannot be read; and by its place, why it cannot.
    """
    records, reasons = np.zeros(len(rows), RECORD), {}
    for start in range(0, len(rows), TOGETHER):
        places, views = [], []
        for place in range(start, min(start + TOGETHER, len(rows))):
            try:
                image = open_row(rows[place])
                pixels = view(image)
                records[place] = _described(image, pixels)
            except UnreadableError as error:
                reasons[place] = str(error)
            else:
                places.append(place)
                views.append(pixels)
        if views:
            _measure(records, places, np.stack(views))
    return records, reasons


def _described(image: OpenedImage, pixels: NDArray[np.uint8]) -> tuple[Any, ...]:
    """The fields of a record that are told of each image by itself; zeros for the others."""
    kind, mode = image.format_and_mode
    if not image.jpeg_mode and "transparency" in image.pillow.info:  # of a colour, or of a palette's
        mode = WITH_ALPHA.get(mode, mode)
    width, height = image.size
    digest = hashlib.blake2b(pixels.tobytes(), digest_size=8, salt=f"{width}x{height}".encode()[:16])
    return (
        width,
        height,
        kind.encode(),
        mode.encode(),
        image.orientation,
        _frames(image),
        image.bands or 0,
        image.raw.kind.encode() if image.raw is not None else b"",
        image.raw.extent if image.raw is not None else (0.0, 0.0),
        int.from_bytes(digest.digest()),
        *[0] * 5,
    )


def _measure(records: Records, places: list[int], views: NDArray[np.uint8]) -> None:
    """Fills in the hashes and colours of the records at these places, from their views (N, VIEW, VIEW, 3)."""
    waves = frequencies(views)
    records["hash"][places] = perceptual_hash(waves)
    records["mirrored"][places] = perceptual_hash(waves * ODD)
    values = views.reshape(len(views), VIEW * VIEW, 3).swapaxes(1, 2).astype(np.int32, order="C")
    records["count"][places] = VIEW * VIEW
    records["total"][places] = values.sum(axis=2)
    products = np.einsum("nip,njp->nij", values, values)  # whole numbers below 2^28
    records["products"][places] = products.reshape(len(views), 9)


def view(image: Readable) -> NDArray[np.uint8]:
    """The whole image on a square (VIEW, VIEW, 3), from its own darkest to its own lightest where it is deep."""
    width, height = image.size
    return image.read(Map(crop((0, 0, width, height), (VIEW, VIEW))), (VIEW, VIEW), 3, image.own_levels)


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Views (..., VIEW, VIEW, 3) at half their size, (..., SIDE, SIDE, 3), values 0 to 255."""
    rows = pixels[..., 0::2, :, :].astype(np.uint16) + pixels[..., 1::2, :, :]  # a mean over two axes takes longer
    return np.asarray((rows[..., 0::2, :] + rows[..., 1::2, :]) / np.float32(4), np.float32)


def frequencies(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The lowest frequencies of the grey values of views: the corners (..., FREQUENCIES, FREQUENCIES) of their DCT."""
    grey = thumbnail(pixels) @ LUMA
    return np.asarray(WAVES @ grey @ WAVES.T)


def perceptual_hash(waves: NDArray[np.float64]) -> NDArray[np.uint64]:
    """(...,) 64 bits: which of the frequencies lie above their median, the mean brightness left out of it.

    Source: the "pHash" of Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", sec. 3.2.
    """
    flat = waves.reshape(*waves.shape[:-2], -1)
    middle = flat.shape[-1] // 2 - 1
    median = np.partition(flat[..., 1:], middle)[..., middle]  # without the mean they are odd in number
    bits = np.packbits(flat > median[..., None], axis=-1)
    return np.asarray(bits.view(">u8")[..., 0], np.uint64)


def contrast(records: Records) -> NDArray[np.float64]:
    """(N,) how far the values of each image lie from their channel's mean: root mean square, of 255."""
    count = records["count"][:, None]
    squares = records["products"][:, ::4] / count  # the diagonal
    variance = squares - (records["total"] / count) ** 2
    return np.asarray(np.sqrt(np.maximum(variance.mean(axis=1), 0)))


def colour_sums(records: Records) -> ColourSums:
    """The colours of all the images: what PCA colour, mean and standard deviation are computed from."""
    total, products = (tuple(map(int, records[name].sum(axis=0).tolist())) for name in ("total", "products"))
    return ColourSums(int(records["count"].sum()), total, products)


def _pages(image: Image.Image) -> int:
    """The images of a TIFF or GIF, of which no more than `MOST_PAGES` are looked for: Pillow's own count has no end."""
    try:
        for page in range(1, MOST_PAGES):
            image.tile = []  # type: ignore[attr-defined]  # or that of a GIF would be decoded first
            image.seek(page)
    except EOFError:
        return page
    finally:
        image.seek(0)
    return MOST_PAGES


def _frames(image: OpenedImage) -> int:
    """How many images the file holds; 1 where that cannot be told, since the first was read."""
    if image.format_and_mode[0] not in ANIMATED:
        return 1
    try:
        return (
            _pages(image.pillow)
            if image.pillow.format in ("TIFF", "GIF")
            else int(getattr(image.pillow, "n_frames", 1))
        )
    except FAILURES:
        return 1
