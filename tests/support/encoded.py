"""Images in the bytes of their formats, with pixels that show where each came from."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Turn = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
ORIENTATIONS: dict[int, Turn] = {  # how the stored image must be turned to stand upright (Exif 2.3, tag 0x0112)
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}


def encode(image: Image.Image | NDArray[Any], format_: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, format_, **options)
    return file.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def noise(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def ramps(width: int, height: int) -> NDArray[np.uint8]:
    """Red rises to the right and green to the bottom, so that a shift of either shows; blue is neither."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    values: NDArray[np.uint8] = np.rint(255 * np.stack([x, y, (x + y) / 2], axis=-1)).astype(np.uint8)
    return values
