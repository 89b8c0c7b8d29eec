"""How a picture becomes the network's input: one frozen record, used by training, evaluation, prediction and export."""

from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from torch import Tensor

from striate.augment import Map, Size, central_crop

MEAN_STD = {  # of ImageNet for RGB (torchvision's, timm's); for grey, what maps 0 and 1 to -1 and 1
    1: ((0.5,), (0.5,)),
    3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


@dataclass(frozen=True)
class Preprocessing:
    """Size, crop and normalisation; the fields are the keys of timm's `pretrained_cfg`."""

    input_size: tuple[int, int, int]
    """Channels, height and width."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_pct: float = 0.875
    crop_mode: str = "center"
    interpolation: str = "bilinear"

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return self.input_size[0]

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.input_size[2], self.input_size[1]

    def map(self, source: Size) -> Map:
        """What evaluation and prediction see of an upright picture of size `source`: its middle."""
        return central_crop(source, self.size, self.crop_pct)

    def normalise(self, images: Tensor) -> Tensor:
        """Float images (N, C, H, W), stored channels-last, of uint8 pixels (N, H, W, C) on any device."""
        scale = torch.tensor(self.std, device=images.device).mul(255).reciprocal()
        shift = torch.tensor(self.mean, device=images.device).div(torch.tensor(self.std, device=images.device))
        return torch.addcmul(-shift, images.float(), scale).permute(0, 3, 1, 2)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Preprocessing":
        """The record that `dataclasses.asdict` and JSON made of one."""
        return msgspec.convert(values, Preprocessing)
