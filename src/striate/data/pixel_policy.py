"""What the pixel cache keeps of an image, and how that is read: raw pixels at halving sizes, or a JPEG."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from striate.augment import Map, Size, crop, resample
from striate.data.decode import OpenedImage, UnreadableError, open_image
from striate.data.images import IndexedImages
from striate.data.index import Rows
from striate.data.raw_pixels import Levels
from striate.files import GB, format_bytes
from striate.recipe import DataRecipe

QUALITY = 95  # of JPEG, with its colours at full resolution
SAMPLE = 200  # images, spread evenly, that tell the size of all
JPEG_SAMPLE = 20  # images, spread evenly, that tell the length of a JPEG
WORTH = 4  # how many times the pixels that would be kept an image has, on average, where `auto` keeps them

Encoding = Literal["raw", "jpeg"]


@dataclass(frozen=True)
class Policy:
    """What decides the pixels that are kept of an image."""

    side: int
    """Pixels of the shorter side; a smaller image is kept as it is."""

    channels: int
    encoding: Encoding
    levels: Levels | None = None
    """What of more than 8 bits becomes 0 and 255; see `Preprocessing.pixel_range`."""

    def kept(self, size: Size) -> Size:
        """The size at which an image of `size` is kept."""
        scale = min(1.0, self.side / min(size))
        return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)

    def pyramid(self, size: Size) -> list[Size]:
        """The sizes at which an image of `size` is kept raw, each half of the one before."""
        sizes = [self.kept(size)]
        while min(sizes[-1]) >= max(self.side // 2, 2):
            sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
        return sizes

    def raw_length(self, size: Size) -> int:
        """Bytes of the pyramid of an image of `size`."""
        return self.channels * sum(width * height for width, height in self.pyramid(size))

    def encode(self, image: OpenedImage) -> bytes:
        """What is kept of an image: the pixels of its pyramid one after the other, or a JPEG.

        Raises:
            UnreadableError: if the image cannot be decoded.
        """
        kept = self.kept(image.size)
        pixels = image.read(Map(crop((0, 0, *image.size), kept)), kept, self.channels, self.levels)
        if self.encoding == "jpeg":
            colours = ("GRAY", "Gray") if self.channels == 1 else ("RGB", "444")
            encoded: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), QUALITY, *colours)
            return encoded
        levels = [pixels]
        for smaller in self.pyramid(image.size)[1:]:
            level = cv2.resize(levels[-1], smaller, interpolation=cv2.INTER_AREA)
            levels.append(np.asarray(level, np.uint8).reshape(smaller[1], smaller[0], self.channels))
        return b"".join(level.tobytes() for level in levels)


@dataclass(frozen=True)
class CachedImage:
    """What is kept of an image, to be asked as a `OpenedImage` is."""

    policy: Policy
    size: Size
    """Width and height of the upright image in its file, which maps lead to."""

    data: bytes | memoryview
    own_levels: None = None
    """It has 8 bits."""

    def read(self, map_: Map, size: Size, channels: int, levels: Levels | None = None) -> NDArray[np.uint8]:
        """What `map_` shows, resampled once from the smallest level that has all of its detail.

        Args:
            map_: from output to the upright image.
            size: width and height of the output.
            channels: as many as are kept.
            levels: those that the policy kept it by.

        Returns:
            (H, W, channels) values 0 to 255.
        """
        if self.policy.encoding == "jpeg":
            kept = self.policy.kept(self.size)
            return open_image(bytes(self.data)).read(map_.then(crop((0, 0, *kept), self.size)), size, channels)
        across, down = map_.reduction(size)
        start, (level, *smaller) = 0, self.policy.pyramid(self.size)
        while smaller and across * smaller[0][0] >= self.size[0] and down * smaller[0][1] >= self.size[1]:
            start += level[0] * level[1] * channels
            level, *smaller = smaller
        pixels = np.frombuffer(self.data, np.uint8, level[0] * level[1] * channels, start)
        into_level = map_.then(crop((0, 0, *level), self.size))
        return resample(pixels.reshape(level[1], level[0], channels), into_level, size)


def choose(
    images: IndexedImages,
    rows: Rows,
    recipe: DataRecipe,
    side: int,
    channels: int,
    epochs: int,
    levels: Levels | None = None,
) -> tuple[Policy | None, str]:
    """Whether and how to keep pixels, and the reason: decided by the data and the recipe alone.

    Args:
        images: of the data set.
        rows: (N,) of the images that will be read.
        recipe: says whether to keep pixels, and how many bytes at most.
        side: pixels of the shorter side at which an image is kept.
        channels: 1 for grey, 3 for RGB.
        epochs: times that each image will be read.
        levels: what of more than 8 bits becomes 0 and 255.
    """
    if recipe.pixel_cache == "off" or not len(rows):
        return None, "off, as asked"
    if recipe.pixel_cache == "auto" and epochs < 2:
        return None, "off, because each image is read once"
    sizes = [image.size for image in _readable(images, _spread(rows, SAMPLE))]
    if not sizes:
        return None, "off, because no image can be read"
    raw = Policy(side, channels, "raw", levels)
    ratio = _mean_pixels(sizes) / _mean_pixels([raw.kept(size) for size in sizes])
    if recipe.pixel_cache == "auto" and ratio < WORTH:
        return (
            None,
            f"off, because images have {ratio:.1f} times the pixels that would be kept: it pays from {WORTH} on",
        )
    policy, total = _fitting(images, rows, sizes, raw, recipe.cache_budget * GB)
    if policy is None:
        how = "even JPEG" if channels in (1, 3) else "it"
        return None, f"off, because {how} would take about {format_bytes(round(total))}. Try a larger --cache-budget."
    shown = f"images have {ratio:.1f} times the pixels that are kept, {side} on the shorter side"
    return policy, f"{policy.encoding}, about {format_bytes(round(total))}: {shown}"


def _fitting(
    images: IndexedImages, rows: Rows, sizes: Sequence[Size], raw: Policy, budget: float
) -> tuple[Policy | None, float]:
    """Raw pixels where those of all rows are within the budget, else JPEG where that is; and about how many bytes."""
    total = len(rows) * float(np.mean([raw.raw_length(size) for size in sizes]))
    if total <= budget:
        return raw, total
    if raw.channels not in (1, 3):  # which a JPEG does not hold
        return None, total
    jpeg = replace(raw, encoding="jpeg")
    total = len(rows) * _mean_jpeg_length(jpeg, _readable(images, _spread(rows, JPEG_SAMPLE)))
    return (jpeg if total <= budget else None), total


def _spread(rows: Rows, count: int) -> Rows:
    """At most `count` of the rows, spread evenly."""
    return rows[:: -(-len(rows) // count)]


def _readable(images: IndexedImages, rows: Rows) -> Iterator[OpenedImage]:
    """One after the other: an image holds its whole file."""
    for row in rows.tolist():
        with suppress(UnreadableError):
            yield images.open(row)


def _mean_pixels(sizes: Sequence[Size]) -> float:
    return float(np.mean([width * height for width, height in sizes]))


def _mean_jpeg_length(policy: Policy, sample: Iterator[OpenedImage]) -> float:
    lengths = []
    for image in sample:
        with suppress(UnreadableError):
            lengths.append(len(policy.encode(image)))
    return float(np.mean(lengths or [0]))
