"""How many pixels an image may have: striate's own limit, in place of Pillow's."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from striate.augment import Size
from striate.recipe.ranges import MOST_FILE_PIXELS

JPEG_ALLOWANCE = 4  # times the pixels of another image: 3 bytes each, or fewer where it is shown small; others take 11
JPEG_MODES = ("L", "RGB")  # Pillow's, of JPEGs that libjpeg-turbo decodes itself, and no larger than needed


def why_too_large(stored: Size, max_pixels: int, *, jpeg: bool = False) -> str | None:
    """Why an image of this width and height is refused, and what to do about it; None where it is not.

    Args:
        stored: width and height.
        max_pixels: the most that an image may have.
        jpeg: whether it is a JPEG of `JPEG_MODES`, which may have `JPEG_ALLOWANCE` times as many.

    >>> why_too_large((5000, 4000), 1_000_000)
    '5000 x 4000 pixels are more than the limit of 1,000,000: check and train with --max-pixels 20000000'
    """
    width, height = stored
    allowance = JPEG_ALLOWANCE if jpeg else 1
    if width * height <= max_pixels * allowance:
        return None
    excess = f"{width} x {height} pixels are more than the limit of {max_pixels * allowance:,}"
    needed = -(-width * height // allowance)
    if needed > MOST_FILE_PIXELS:
        return f"{excess}, and than --max-pixels can allow: save it in parts"
    return f"{excess}: check and train with --max-pixels {needed}"


class _PillowsLimit:
    """Pillow's limit, a variable of the whole process, and who has raised it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before: int | None = None

    def raise_to(self, pixels: int) -> None:
        with self._lock:
            if self._users == 0:
                self._before = Image.MAX_IMAGE_PIXELS
            self._users += 1
            if Image.MAX_IMAGE_PIXELS is not None:
                Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, pixels)

    def restore(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                Image.MAX_IMAGE_PIXELS = self._before


_pillows_limit = _PillowsLimit()


@contextmanager
def pillow_allows(pixels: int) -> Iterator[None]:
    """Lets Pillow open or decode an image of so many pixels, of which it warns from 89,478,485 and refuses twice that.

    Its limit is not lifted altogether, because it also guards an image inside another, as in an ICO, whose size the
    header of the whole does not say. Afterwards the limit is again what the rest of the process has set; many threads
    may be inside at once.
    """
    _pillows_limit.raise_to(pixels)
    try:
        yield
    finally:
        _pillows_limit.restore()
