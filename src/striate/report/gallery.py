"""The images of a report: small, each beside what the network looked at, or the truth beside the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from striate.augment.geometry import Map, crop
from striate.data import IndexedImages, Loader, UnreadableError, batches
from striate.data.loader import Batch
from striate.data.raw_pixels import first_bands
from striate.errors import UsageError
from striate.evaluation.scores import Scored
from striate.explain import activation_maps
from striate.explain.figures import overlay
from striate.processors import cores
from striate.report.html import address
from striate.tasks.files import drawn

SIDE = 160  # pixels: the longer side of a small image
BATCH = 8  # images at a time


@dataclass(frozen=True)
class Small:
    """A small image."""

    address: str
    """For an `img`."""

    shows: str
    """What it is, for a caption."""


@dataclass(frozen=True)
class Gallery:
    """Small images by row of the index."""

    images: dict[int, tuple[Small, ...]]
    """None for a row that can no longer be read."""

    method: str = ""
    """What the maps of places are, such as CAM; "" where there are none."""

    no_maps: str = ""
    """Why there are none, where there might be."""


def gallery(scored: Scored, rows: Sequence[int], workers: int | None = None) -> Gallery:
    """Small images of rows that were scored.

    Where the answer is a place or a mask, truth and answer stand side by side; else the image as the network sees it
    stands beside its class activation map.

    Args:
        scored: of which the model and the index are used.
        rows: of the index.
        workers: threads that decode; one a core unless given.
    """
    model, images = scored.model, IndexedImages(scored.index, scored.model.max_pixels)
    unreadable: dict[int, str] = {}
    loader = Loader(
        images,
        batches(np.asarray(rows, np.int64), BATCH),
        model.preprocessing,
        workers=workers or cores(),
        unreadable=unreadable,
    )
    found: dict[int, tuple[Small, ...]] = {}
    method = no_maps = ""
    for batch in loader:
        readable = [place for place, row in enumerate(batch.rows.tolist()) if row not in unreadable]
        if not readable:
            continue
        if model.task.annotations(scored.index):  # answers have a place
            found |= _places(scored, images, batch, readable)
            continue
        method, no_maps, shown = _looked_at(scored, batch, readable)
        found |= shown
    return Gallery(found, method, no_maps)


def _looked_at(scored: Scored, batch: Batch, readable: list[int]) -> tuple[str, str, dict[int, tuple[Small, ...]]]:
    """The method of the maps, why there are none, and by row each image and its map."""
    pixels = batch.images[torch.tensor(readable)]
    rows = batch.rows[readable].tolist()
    plain = [Small(address(small(each)), "image") for each in pixels.numpy()]
    try:
        maps = activation_maps(scored.model, pixels)
    except UsageError:
        reason = f"{scored.model.name} has no last map of which it could be drawn"
        return "", reason, {row: (each,) for row, each in zip(rows, plain, strict=True)}
    overlaid = [
        Small(address(small(overlay(image, values))), "speaks for its answer")
        for image, values in zip(pixels.numpy(), maps.maps, strict=True)
    ]
    return maps.method, "", dict(zip(rows, zip(plain, overlaid, strict=True), strict=True))


def _places(scored: Scored, images: IndexedImages, batch: Batch, readable: list[int]) -> dict[int, tuple[Small, ...]]:
    """By row, the truth and the answer drawn on the whole image."""
    model = scored.model
    rows = batch.rows[readable].tolist()
    outputs = model.predict_batch(batch.images[torch.tensor(readable)])
    sizes = [(int(width), int(height)) for width, height in batch.sizes[readable]]
    answers = model.task.decode(outputs, [images.path(row) for row in rows], sizes, model.preprocessing)
    found: dict[int, tuple[Small, ...]] = {}
    for row, size, answer in zip(rows, sizes, answers, strict=True):
        try:
            image, truth = whole(images, row), model.task.truth(scored.index, row, size)
        except UnreadableError:
            continue
        shown = [drawn(each, image, model.classes, written=False) for each in (truth, answer)]
        found[row] = Small(address(shown[0]), "truth"), Small(address(shown[1]), "answer")
    return found


def small(pixels: NDArray[np.uint8]) -> Image.Image:
    """Pixels (H, W, 1 or 3) as an RGB image of which the longer side is at most `SIDE`."""
    image = Image.fromarray(np.ascontiguousarray(np.broadcast_to(first_bands(pixels), (*pixels.shape[:2], 3))))
    image.thumbnail((SIDE, SIDE))
    return image


def whole(images: IndexedImages, row: int) -> Image.Image:
    """All of an image, small.

    Raises:
        UnreadableError: if it cannot be read.
    """
    opened = images.open(row)
    width, height = opened.size
    scale = SIDE / max(width, height)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return Image.fromarray(opened.read(Map(crop((0, 0, width, height), size)), size, 3))
