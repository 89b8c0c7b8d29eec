"""The contact sheet: what augmentation makes of a user's own images, with their boxes and masks."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from striate.augment.colour import ColourSums, measured
from striate.augment.erase import erase_
from striate.augment.geometry import Map, Size
from striate.augment.mix import draw_mix
from striate.augment.noise import add_noise_
from striate.augment.presets import resolve, wants_components
from striate.augment.resample import IGNORED, map_boxes, resample_mask
from striate.data import Images, Index, IndexedImages, Preprocessing, Rows, UnreadableError, training_view
from striate.data.decode import common_levels
from striate.data.masks import load_mask
from striate.data.raw_pixels import Levels, first_bands
from striate.errors import DataError
from striate.files import write_whole
from striate.recipe import AugmentRecipe
from striate.recipe.ranges import MAX_PIXELS

GAP = 4  # pixels between tiles
TITLE = 14  # pixels above them
BOX_COLOUR = (255, 220, 0)
MASK_COLOURS = np.array([(230, 25, 75), (0, 130, 200), (245, 130, 48), (145, 30, 180), (60, 180, 75)], np.float32)


@dataclass(frozen=True)
class View:
    """Images as a network sees them, and what of each they show."""

    title: str
    pixels: NDArray[np.uint8]
    """(N, H, W, C)."""

    maps: list[Map]
    """From the points of each view to those of its image."""


@dataclass(frozen=True)
class Marks:
    """What a data set marks in an image."""

    size: Size
    """Width and height of the upright image."""

    boxes: NDArray[np.float32]
    """(M, 4), xyxy in its pixels."""

    mask: NDArray[np.uint8] | None
    """(H, W) class numbers; it covers the image, in its size or another."""


@dataclass(frozen=True)
class _Row:
    """An image of the sheet, as it is evaluated."""

    number: int
    """Its row of the index."""

    pixels: NDArray[np.uint8]
    """(H, W, C)."""

    map: Map
    """From the points of `pixels` to those of the image."""

    marks: Marks


def draw_sheet(
    index: Index,
    augment: AugmentRecipe,
    preprocessing: Preprocessing,
    path: Path,
    *,
    count: int = 8,
    epochs: int = 7,
    seed: int = 0,
    max_pixels: int = MAX_PIXELS,
    boxes: NDArray[np.float32] | None = None,
) -> list[str]:
    """Draws images of an index, a row each: first as evaluated, then as the first epochs would train on them.

    Where images are mixed, partners are neighbours on the sheet. Principal components of the user's images that
    are not measured yet are those of what the sheet shows.

    Args:
        index: of the images; those on the sheet are spread evenly over its rows.
        augment: what training does to them.
        preprocessing: size and crop of what the network sees.
        path: of the PNG.
        count: images, at most.
        epochs: that are shown.
        seed: of the draws.
        max_pixels: an image of more is not read.
        boxes: (rows of the index, 4) the one box that training takes from each image, NaN for none; all boxes of an
            image are drawn unless given.

    Returns:
        A line for each image that could not be read, and is not on the sheet.

    Raises:
        DataError: if there is none that can be read.
    """
    images = IndexedImages(index, max_pixels)
    wanted = spread(np.flatnonzero(index.usable()), count).tolist()
    if preprocessing.pixel_range is None:
        preprocessing = replace(preprocessing, pixel_range=_levels(images, wanted))
    rows, skipped = [], []
    for number in wanted:
        try:
            shown, map_ = _evaluated(images, number, preprocessing)
            rows.append(_Row(number, shown, map_, _marks(index, images, number, max_pixels, boxes)))
        except UnreadableError as error:
            skipped.append(f"{images.path(number)}: {error}")
    if not rows:
        reason = f"; {skipped[0]}" if skipped else ""
        raise DataError(f"{index.root}: expected an image that can be read; got none{reason}.")
    if wants_components(augment):
        sums = ColourSums()
        for row in rows:
            sums = sums.add(row.pixels)
        augment = measured(augment, sums)
    numbers = [row.number for row in rows]
    evaluated = View("evaluation", np.stack([row.pixels for row in rows]), [row.map for row in rows])
    trained = [trained_on(images, numbers, augment, preprocessing, seed, epoch) for epoch in range(epochs)]
    sheet = _lay_out([evaluated, *trained], [row.marks for row in rows])
    write_whole(path, lambda aside: sheet.save(aside, format="PNG"))
    return skipped


def spread(rows: Rows, count: int) -> Rows:
    """At most `count` of the rows, evenly spread over them.

    >>> spread(np.arange(10), 4)
    array([0, 3, 6, 9])
    """
    places = np.linspace(0, len(rows) - 1, min(count, len(rows)))
    return rows[places.round().astype(np.int64)]


def _levels(images: IndexedImages, rows: list[int]) -> Levels | None:
    """What is black and what white in these images, of those that can be read."""
    opened = []
    for row in rows:
        with suppress(UnreadableError):
            image = images.open(row)
            image.verify()
            opened.append(image)
    return common_levels(opened)


def _evaluated(images: Images, row: int, preprocessing: Preprocessing) -> tuple[NDArray[np.uint8], Map]:
    """What evaluation sees of an image, (H, W, C), and the map that shows it."""
    image = images.open(row)
    map_ = preprocessing.map(image.size)
    return preprocessing.read(image, map_), map_


def _marks(index: Index, images: Images, row: int, max_pixels: int, used: NDArray[np.float32] | None) -> Marks:
    columns = {name: index.table[name][row].as_py() for name in ("boxes", "box", "mask")}
    boxes = np.array(columns["boxes"] or [columns["box"] or []], np.float32).reshape(-1, 4)
    if used is not None:
        boxes = used[row][None]
    mask = None if columns["mask"] is None else load_mask(index, row, max_pixels)
    return Marks(images.open(row).size, boxes, mask)


def trained_on(
    images: Images, rows: list[int], augment: AugmentRecipe, preprocessing: Preprocessing, seed: int, epoch: int
) -> View:
    """What one epoch of training sees of the batch `rows`, by the functions that training uses."""
    view, strengths = training_view(augment, preprocessing, seed, epoch), resolve(augment)
    pixels, maps, colours = [], [], []
    for row in rows:
        image = images.open(row)
        map_, colour = view(row, image.size)
        pixels.append(preprocessing.read(image, map_))
        maps.append(map_)
        colours.append(colour)
    drawn = [colour for colour in colours if colour is not None]  # all of them or none
    matrices = torch.from_numpy(np.stack(drawn)) if drawn else None
    batch = preprocessing.normalise(torch.from_numpy(np.stack(pixels)), matrices)
    add_noise_(batch, strengths, preprocessing.std, rows, seed, epoch)
    erase_(batch, strengths, rows, seed, epoch)
    mix = draw_mix(strengths, rows, preprocessing.size, seed, epoch)
    batch = batch if mix is None else mix.apply(batch)
    return View(f"epoch {epoch + 1}", to_pixels(batch, preprocessing), maps)


def to_pixels(images: torch.Tensor, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The pixels (N, H, W, C) that normalised images (N, C, H, W) show; what is too dark or too bright is cut."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    values = (images * std + mean).mul(255).round().clamp(0, 255).byte()
    return np.asarray(values.permute(0, 2, 3, 1).numpy())


def _lay_out(views: list[View], marks: list[Marks]) -> Image.Image:
    """A tile an image and view: a row an image, a column a view."""
    count, height, width, _ = views[0].pixels.shape
    across, down = width + GAP, height + GAP
    sheet = Image.new("RGB", (len(views) * across + GAP, TITLE + count * down + GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for column, view in enumerate(views):
        pen.text((GAP + column * across, 1), view.title, fill="black")
        for row, (pixels, map_) in enumerate(zip(view.pixels, view.maps, strict=True)):
            sheet.paste(marked(pixels, map_, marks[row]), (GAP + column * across, TITLE + GAP + row * down))
    return sheet


def marked(pixels: NDArray[np.uint8], map_: Map, marks: Marks) -> Image.Image:
    """A view with what is marked in its image: a frame about each box, a tint over each class of the mask but 0.

    Args:
        pixels: (H, W, C), of the view.
        map_: from its points to those of the image.
        marks: of the image.
    """
    size = pixels.shape[1], pixels.shape[0]
    rgb = np.broadcast_to(first_bands(pixels), (*pixels.shape[:2], 3))
    if marks.mask is not None:
        height, width = marks.mask.shape
        to_mask = np.diag([width / marks.size[0], height / marks.size[1], 1.0])
        classes = resample_mask(marks.mask, map_.then(to_mask), size)
        tint = MASK_COLOURS[(classes.astype(int) - 1) % len(MASK_COLOURS)]
        plain = (classes == 0) | (classes == IGNORED)
        rgb = np.where(plain[:, :, None], rgb, (rgb + tint) / 2).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(rgb))
    pen = ImageDraw.Draw(image)
    for x0, y0, x1, y1 in map_boxes(marks.boxes, map_, size).tolist():
        if x0 < x1 and y0 < y1:
            pen.rectangle((x0, y0, x1 - 1, y1 - 1), outline=BOX_COLOUR, width=2)
    return image
