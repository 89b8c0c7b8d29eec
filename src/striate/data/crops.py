"""Several views of each image, whose answers are averaged: crops, in one or several sizes, and mirror images.

Sources: Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional neural networks",
sec. 4.1: four corners, the centre, and their mirror images. Szegedy et al. 2014, "Going deeper with convolutions",
arXiv:1409.4842, sec. 7: 144 views of three squares in four sizes.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from striate.augment import Map, Size, crop
from striate.data.decode import OpenedImage
from striate.data.images import GivenImages, IndexedImages
from striate.data.loader import Batch, Batches, Loader
from striate.data.preprocessing import CROP_PCT, Preprocessing
from striate.data.raw_pixels import Levels
from striate.errors import UsageError

GOOGLENET = 144
GOOGLENET_SCALES = (1.0, 288 / 256, 320 / 256, 352 / 256)  # of the shorter side, beside 256
CORNERS_AND_CENTRE = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
KEPT = 4  # images that are kept open while their views are made


@dataclass(frozen=True)
class Crop:
    """One view of an image: a window on it."""

    x: float = 0.5
    """Where the window lies: 0 at the left of what it moves in, 1 at the right."""

    y: float = 0.5
    share: float = CROP_PCT
    """Side of the window, as a share of the largest of its shape."""

    square: float | None = None
    """Where the largest window of that shape lies, in which this one moves: from 0 to 1 along the image's longer side;
    None to move over all of the image."""

    def map(self, source: Size, size: Size) -> Map:
        """From an output of `size` to an upright image of size `source`."""
        scale = min(source[0] / size[0], source[1] / size[1])
        corner = []
        for place, whole, side in zip((self.x, self.y), source, (size[0] * scale, size[1] * scale), strict=True):
            first, room = (0.0, float(whole)) if self.square is None else ((whole - side) * self.square, side)
            corner.append(first + (room - side * self.share) * place)
        x0, y0 = corner
        width, height = (side * scale * self.share for side in size)
        return Map(crop((x0, y0, x0 + width, y0 + height), size))


@dataclass(frozen=True)
class Viewing:
    """How often, and how, each image is looked at."""

    crops: int = 1
    """1 for the centre; 5 for the corners and the centre of the middle square; 10 for those and their mirror images;
    144 as GoogLeNet; the square of another number for a grid over the whole image."""

    mirror: bool = False
    """Whether each view's mirror image is a view too."""

    scales: tuple[float, ...] = (1.0,)
    """How much larger than else the image is seen, each of which is a set of views."""

    window: int | None = None
    """Where a model names pixels: how many pixels of the image, along the shorter side of what it is shown, it sees at
    a time. Such windows cover the image and overlap, and answers are put together."""

    def __post_init__(self) -> None:
        if self.window is not None and (self.window < 1 or self.crops != 1 or self.scales != (1.0,)):
            raise UsageError(
                f"`window`: expected 1 pixel or more, and neither crops nor scales beside it; got {self.window}, "
                f"{self.crops} crops and scales {', '.join(map(str, self.scales))}."
            )
        if self.crops not in (5, 10, GOOGLENET) and (self.crops < 1 or math.isqrt(self.crops) ** 2 != self.crops):
            raise UsageError(f"`crops`: expected 1, 5, 10, 144 or the square of another number; got {self.crops}.")
        if not self.scales or not all(0.5 <= scale <= 4 for scale in self.scales):
            raise UsageError(f"`scales`: expected numbers from 0.5 to 4; got {', '.join(map(str, self.scales))}.")
        if self.crops == GOOGLENET and (self.mirror or self.scales != (1.0,)):
            raise UsageError("`crops`: expected 144 without --mirror and --scales, which it has; got them too.")

    @property
    def mirrored(self) -> bool:
        """Whether each crop's mirror image is looked at too."""
        return self.mirror or self.crops in (10, GOOGLENET)

    def count(self, preprocessing: Preprocessing) -> int:
        """How many views an image has."""
        return max(len(self.windows(preprocessing)), 1) * (1 + self.mirrored)

    def whole(self, preprocessing: Preprocessing) -> Preprocessing:
        """The preprocessing that leads from answers to the original: windows answer all of an image."""
        return preprocessing if self.window is None else replace(preprocessing, crop_mode="squash", crop_pct=1.0)

    def windows(self, preprocessing: Preprocessing) -> tuple[Crop, ...]:
        """The crops; none where what `preprocessing` shows is the only one.

        Raises:
            UsageError: if crops or scales are asked for of a model that looks at whole images.
        """
        if self.crops == 1 and self.scales == (1.0,):
            return ()
        if preprocessing.crop_mode != "center":
            raise UsageError(
                f"`crops`: expected 1, and no --scales, of a model that looks at the whole image (its crop mode is "
                f"{preprocessing.crop_mode}); got {self.crops} and scales {', '.join(map(str, self.scales))}."
            )
        share = preprocessing.crop_pct if self.crops == 1 else min(preprocessing.crop_pct, CROP_PCT)
        if self.crops == GOOGLENET:
            return _of_googlenet(share)
        places = CORNERS_AND_CENTRE if self.crops in (5, 10) else _grid(math.isqrt(self.crops))
        square = 0.5 if self.crops in (1, 5, 10) else None
        return tuple(Crop(x, y, min(share / scale, 1.0), square) for scale in self.scales for x, y in places)


ONCE = Viewing()
"""Each image is looked at once, as training looked at it for its scores."""


def _grid(side: int) -> tuple[tuple[float, float], ...]:
    places = np.linspace(0, 1, side).tolist() if side > 1 else [0.5]
    return tuple((x, y) for y in places for x in places)


def _of_googlenet(share: float) -> tuple[Crop, ...]:
    """Of three squares in four sizes each: the corners, the centre, and the whole square."""
    found = []
    for scale in GOOGLENET_SCALES:
        for square in (0.0, 0.5, 1.0):
            found += [Crop(x, y, share / scale, square) for x, y in CORNERS_AND_CENTRE]
            found.append(Crop(share=1.0, square=square))
    return tuple(found)


def cropped(
    images: GivenImages | IndexedImages,
    order: Batches,
    windows: tuple[Crop, ...],
    preprocessing: Preprocessing,
    *,
    workers: int,
    unreadable: dict[int, str],
) -> Iterator[Batch]:
    """Batches of N images by all of their windows: `images` are (N * windows, H, W, C), all of an image in a row.

    Args:
        images: where the rows are decoded from, once for all windows.
        order: the rows of each batch.
        windows: at least one.
        preprocessing: size and channels of what a window shows.
        workers: threads that decode.
        unreadable: takes the reason of each row that cannot be read.
    """
    times, bad = len(windows), dict[int, str]()
    parts = [(order[step][:, None] * times + np.arange(times)).ravel() for step in range(len(order))]
    view, repeated = CropView(windows, preprocessing.size), RepeatedImages(images, times)
    for batch in Loader(repeated, parts, preprocessing, view, workers=workers, unreadable=bad):
        unreadable |= {row // times: reason for row, reason in bad.items()}
        yield Batch(batch.images, batch.rows[::times] // times, sizes=batch.sizes[::times])


@dataclass(frozen=True)
class CropView:
    """Shows, of the image of row r, window k for the row r * windows + k."""

    windows: tuple[Crop, ...]
    size: Size
    draws_colour: bool = False

    def __call__(self, row: int, source: Size) -> tuple[Map, None]:
        """The window's map, in plain colours."""
        return self.windows[row % len(self.windows)].map(source, self.size), None


class RepeatedImages:
    """Images under several rows each: row r * times + k is image r, which is decoded once for several of its rows."""

    def __init__(self, images: GivenImages | IndexedImages, times: int) -> None:
        self._images = images
        self._times = times
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def path(self, row: int) -> str:
        """That of the image."""
        return self._images.path(row // self._times)

    def open(self, row: int) -> "_Kept":
        """The image, its header read."""
        number = row // self._times
        with self._lock:
            found = self._kept.get(number)
        if found is None:
            found = _Kept(self._images.open(number))
            with self._lock:
                self._kept[number] = found
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return found


class _Kept:
    """An image whose pixels are kept once they are decoded."""

    def __init__(self, image: OpenedImage) -> None:
        self._image = image
        self._lock = threading.Lock()
        self._decoded: tuple[float, object, NDArray[np.uint8]] | None = None  # at which reduction, and in what

    @property
    def size(self) -> Size:
        """Width and height of the upright image."""
        return self._image.size

    @property
    def own_levels(self) -> Levels | None:
        """What is black and what white in it by itself, where it has more than 8 bits."""
        return self._image.own_levels

    def read(self, map_: Map, size: Size, channels: int, levels: Levels | None = None) -> NDArray[np.uint8]:
        """What `map_` shows, (H, W, channels)."""
        needed, wanted = min(map_.reduction(size)), (channels, levels)
        with self._lock:
            if self._decoded is None or self._decoded[0] > needed or self._decoded[1] != wanted:
                self._decoded = needed, wanted, self._image.decode(needed, channels, levels)
            pixels = self._decoded[2]
        return self._image.resampled(pixels, map_, size)
