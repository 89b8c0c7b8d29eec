"""The contact sheet of images whose labels may be wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from striate.data import Index, IndexedImages, Preprocessing, UnreadableError
from striate.data.raw_pixels import first_bands
from striate.files import write_whole

TILE = 160  # pixels of an image's longer side
CAPTION = 32  # pixels below it, of two lines
GAP = 8  # pixels between tiles
COLUMNS = 6
TEXT = 12  # pixels high


@dataclass(frozen=True)
class Captioned:
    """An image and what to say of it."""

    row: int
    """Of the index."""

    lines: tuple[str, str]


def draw_labels(
    index: Index,
    shown: Sequence[Captioned],
    preprocessing: Preprocessing,
    path: Path,
    max_pixels: int,
) -> None:
    """Draws images as the network sees them, with two lines below each, as one PNG.

    Args:
        index: of the images.
        shown: at least one; an image that can no longer be read leaves its place grey.
        preprocessing: size and crop of what the network sees.
        path: of the PNG.
        max_pixels: an image of more is not read.
    """
    images = IndexedImages(index, max_pixels)
    columns = min(COLUMNS, len(shown))
    across, down = TILE + GAP, TILE + CAPTION + GAP
    sheet = Image.new("RGB", (columns * across + GAP, math.ceil(len(shown) / columns) * down + GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    for number, captioned in enumerate(shown):
        x, y = GAP + number % columns * across, GAP + number // columns * down
        sheet.paste(_tile(images, captioned.row, preprocessing), (x, y))
        for line, text in enumerate(captioned.lines):
            pen.text((x, y + TILE + line * CAPTION // 2), _fitting(text, font), fill="black", font=font)
    write_whole(path, lambda aside: sheet.save(aside, format="PNG"))


def _tile(images: IndexedImages, row: int, preprocessing: Preprocessing) -> Image.Image:
    tile = Image.new("RGB", (TILE, TILE), "lightgrey")
    try:
        opened = images.open(row)
        pixels = first_bands(preprocessing.read(opened))
    except UnreadableError:
        return tile
    image = Image.fromarray(pixels.squeeze()).convert("RGB")
    scale = TILE / max(image.size)
    image = image.resize((max(round(image.width * scale), 1), max(round(image.height * scale), 1)))
    tile.paste(image, ((TILE - image.width) // 2, (TILE - image.height) // 2))
    return tile


def _fitting(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """A text no wider than a tile: of a long one, the start and the end."""
    fitting, half = text, len(text) // 2
    while font.getlength(fitting) > TILE:
        half -= 1
        fitting = f"{text[:half]}…{text[len(text) - half :]}"
    return fitting
