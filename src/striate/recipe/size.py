"""The size of images as recipes and flags write it: 224, or 224x320, height first."""

import re

from striate.errors import UsageError

LARGEST = 16_384  # pixels of a side
MOST_PIXELS = 1 << 24  # of an image that a network sees: 4096 x 4096, of which one layer can take a gigabyte


def height_and_width(size: int | str, name: str = "img_size") -> tuple[int, int]:
    """Height and width of a size as it is written.

    Args:
        size: 224, "224" or "224x320".
        name: of the key, for the error.

    Raises:
        UsageError: if it is written in another way, a side is not from 1 to 16,384 pixels, or there are more than
            2^24 pixels.

    >>> height_and_width(224), height_and_width("224x320")
    ((224, 224), (224, 320))
    """
    found = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", str(size))
    height, width = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not (1 <= height <= LARGEST and 1 <= width <= LARGEST):
        raise UsageError(
            f"`{name}`: expected a number of pixels, or HEIGHTxWIDTH, from 1 to {LARGEST:,} each; "
            f"got {str(size)[:40]}. Try 224 or 224x320."
        )
    if height * width > MOST_PIXELS:
        raise UsageError(f"`{name}`: expected at most {MOST_PIXELS:,} pixels; got {height}x{width}. Try 224.")
    return height, width


def written(height: int, width: int) -> int | str:
    """The size as a recipe has it: one number for a square.

    >>> written(224, 224), written(224, 320)
    (224, '224x320')
    """
    return height if height == width else f"{height}x{width}"
