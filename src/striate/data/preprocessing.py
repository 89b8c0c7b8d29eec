"""How an image becomes the network's input: one frozen record, used by training, evaluation, prediction and export."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from msgspec import Meta
from torch import Tensor

from striate.augment import Map, Size, shown_crop
from striate.recipe.ranges import MOST_CHANNELS, Mean, ShareAboveZero, Std
from striate.recipe.require import require
from striate.recipe.size import LARGEST, MOST_PIXELS
from striate.records import convert, require_ranges

MEAN_STD = {  # of ImageNet for RGB (torchvision's, timm's); for grey, what maps 0 and 1 to -1 and 1
    1: ((0.5,), (0.5,)),
    3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}

CROP_PCT = 0.875  # of torchvision's evaluation: the middle 224 of 256 pixels
Channels = Annotated[int, Meta(ge=1, le=MOST_CHANNELS)]
Side = Annotated[int, Meta(ge=1, le=LARGEST)]


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

    def __post_init__(self) -> None:
        require_ranges(self)
        channels, height, width = self.input_size
        require(channels in MEAN_STD, "input_size", "1 or 3 channels", channels)
        require(height * width <= MOST_PIXELS, "input_size", f"at most {MOST_PIXELS:,} pixels", f"{height}x{width}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            require(len(values) == channels, name, f"{channels} values, one a channel", values)

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return self.input_size[0]

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.input_size[2], self.input_size[1]

    def map(self, source: Size) -> Map:
        """What evaluation and prediction see of an upright image of size `source`; see `shown_crop`."""
        return Map(shown_crop(source, self.size, self.crop_pct, self.crop_mode))

    def normalise(self, images: Tensor, colour: Tensor | None = None) -> Tensor:
        """Float images (N, C, H, W), stored channels-last, of uint8 pixels on any device.

        With `colour`, its matrices and the normalisation are one affine map an image, applied in one pass. Its results
        are not cut to the range that pixels have: that would be a second pass, and would throw away what a bright
        image shows where it is bright.

        Args:
            images: (N, H, W, C) uint8.
            colour: (N, C, C + 1), of `striate.augment.draw_colour`: takes values 0 to 1 and a last 1 to values. An
                identity agrees with None but for the last digit.
        """
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
