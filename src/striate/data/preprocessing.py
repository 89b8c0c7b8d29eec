"""How an image becomes the network's input: one frozen record, used by training, evaluation, prediction and export."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from striate.augment import Map, Size, shown_crop
from striate.data.raw_pixels import Levels
from striate.recipe.ranges import Channels, Mean, PixelRange, ShareAboveZero, Std
from striate.recipe.require import require, require_in_order
from striate.recipe.size import LARGEST, MOST_PIXELS
from striate.records import convert, require_ranges

if TYPE_CHECKING:
    from torch import Tensor

MEAN_STD = {  # of ImageNet for RGB (torchvision's, timm's); for grey, what maps 0 and 1 to -1 and 1
    1: ((0.5,), (0.5,)),
    3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}

BANDS = 0.5  # mean and deviation of each band that is no colour: what maps 0 and 1 to -1 and 1

CROP_PCT = 0.875  # of torchvision's evaluation: the middle 224 of 256 pixels
Side = Annotated[int, Meta(ge=1, le=LARGEST)]


def mean_and_std(channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What normalises images of so many channels unless something else is known."""
    return MEAN_STD.get(channels, ((BANDS,) * channels, (BANDS,) * channels))


class Readable(Protocol):
    """An image, or what is kept of one."""

    @property
    def size(self) -> Size:
        """Width and height of the upright image, which maps lead to."""
        ...

    @property
    def own_levels(self) -> Levels | None:
        """What is black and what white in it by itself, where it has more than 8 bits."""
        ...

    def read(self, map_: Map, size: Size, channels: int, levels: Levels | None = None) -> NDArray[np.uint8]:
        """What `map_` shows, (H, W, channels).

        Raises:
            UnreadableError: if the pixels cannot be decoded.
        """
        ...


@dataclass(frozen=True)
class Preprocessing:
    """Size, crop and normalisation; the fields are the keys of timm's `pretrained_cfg`."""

    input_size: tuple[Channels, Side, Side]
    """Channels, height and width."""

    mean: Mean
    std: Std
    crop_pct: ShareAboveZero = CROP_PCT
    crop_mode: Literal["center", "squash", "border"] = "center"
    """What is shown of an image of another shape; see `shown_crop`."""

    interpolation: Annotated[str, Meta(max_length=100)] = "bilinear"
    pixel_range: PixelRange | None = None
    """The values of images of more than 8 bits that become 0 and 255; those of 16 bits unless given."""

    def __post_init__(self) -> None:
        require_ranges(self)
        channels, height, width = self.input_size
        require(height * width <= MOST_PIXELS, "input_size", f"at most {MOST_PIXELS:,} pixels", f"{height}x{width}")
        most, got = 3 * MOST_PIXELS, f"{channels}x{height}x{width}"
        require(channels * height * width <= most, "input_size", f"at most {most:,} values", got)
        for name, values in (("mean", self.mean), ("std", self.std)):
            require(len(values) == channels, name, f"{channels} values, one a channel", values)
        require_in_order(self.pixel_range, "pixel_range")

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB, else the bands of images that have so many."""
        return self.input_size[0]

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.input_size[2], self.input_size[1]

    def map(self, source: Size) -> Map:
        """What evaluation and prediction see of an upright image of size `source`; see `shown_crop`."""
        return Map(shown_crop(source, self.size, self.crop_pct, self.crop_mode))

    def read(self, image: Readable, map_: Map | None = None, size: Size | None = None) -> NDArray[np.uint8]:
        """What `map_` shows of an image at a size, (H, W, C); what evaluation sees of it, at its size, unless given.

        Raises:
            UnreadableError: if its pixels cannot be decoded.
        """
        return image.read(map_ or self.map(image.size), size or self.size, self.channels, self.pixel_range)

    def normalise(self, images: "Tensor", colour: "Tensor | None" = None) -> "Tensor":
        """Float images (N, C, H, W), stored channels-last, of uint8 pixels on any device.

        With `colour`, its matrices and the normalisation are one affine map an image, applied in one pass. Its results
        are not cut to the range that pixels have: that would be a second pass, and would throw away what a bright
        image shows where it is bright.

        Args:
            images: (N, H, W, C) uint8.
            colour: (N, C, C + 1), of `striate.augment.draw_colour`: takes values 0 to 1 and a last 1 to values. An
                identity agrees with None but for the last digit.
        """
        import torch

        n, height, width, channels = images.shape
        mean, std = torch.tensor(self.mean, device=images.device), torch.tensor(self.std, device=images.device)
        scale, shift = std.mul(255).reciprocal(), mean.div(std)
        if colour is None:  # on rows of all their channels, twice as fast as on pixels of three
            rows = torch.addcmul(-shift.repeat(width), images.float().flatten(2), scale.repeat(width))
        else:
            colour = colour.to(images.device, non_blocking=True)
            weight = colour[:, :, :channels] / (255 * std[:, None])  # (N, C, C), of channel (row) by channel
            bias = (colour[:, :, channels] - mean) / std  # (N, C)
            pixels = images.float().flatten(1, 2) @ weight.mT  # (N, H * W, C)
            rows = pixels.view(n, height, width * channels).add_(bias.repeat(1, width)[:, None])
        return rows.view(n, height, width, channels).permute(0, 3, 1, 2)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Preprocessing":
        """The record that `dataclasses.asdict` and JSON made of one.

        Raises:
            ValueError: a value is missing, or of another type or range.
        """
        return convert(values, Preprocessing)
