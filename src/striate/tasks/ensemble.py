"""An ensemble: several networks that answer as one, with the mean of their probabilities.

Source: Dietterich 2000, "Ensemble methods in machine learning"; Krizhevsky, Sutskever and Hinton 2012, "ImageNet
classification with deep convolutional neural networks", sec. 6.1, for networks of one kind that differ in their seed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from striate.data import Preprocessing
from striate.errors import UsageError
from striate.tasks.task import Task


@dataclass(frozen=True)
class Member:
    """What an ensemble knows of one of its networks, besides the network."""

    task: Task
    """With its temperature."""

    preprocessing: Preprocessing


def common_preprocessing(members: Sequence[Preprocessing]) -> Preprocessing:
    """How images are shown to an ensemble: as much of them as any member sees, in as fine a resolution.

    Raises:
        UsageError: if members differ in what no resampling makes up for.
    """
    first = members[0]
    for each in members:
        if (each.channels, each.crop_mode) != (first.channels, first.crop_mode):
            raise UsageError(
                f"members: expected the same channels and crop mode in all; got {first.channels} and "
                f"{first.crop_mode}, and {each.channels} and {each.crop_mode}."
            )
        if each.size[0] * first.size[1] != each.size[1] * first.size[0]:
            raise UsageError(f"members: expected images of one shape in all; got {first.size} and {each.size}.")
    crop_pct = max(each.crop_pct for each in members)
    finest = max(members, key=lambda each: each.size[1] / each.crop_pct)
    height, width = (math.ceil(side * crop_pct / finest.crop_pct - 1e-6) for side in finest.input_size[1:])
    return replace(finest, input_size=(first.channels, height, width), crop_pct=crop_pct)


class Ensemble(nn.Module):
    """Networks whose probabilities are averaged; each sees the images in its own size, crop and normalisation.

    Args:
        nets: one a member, that answer the same task in the same classes.
        members: what else is known of each.
    """

    def __init__(self, nets: Sequence[nn.Module], members: Sequence[Member]) -> None:
        super().__init__()
        self.members = nn.ModuleList(nets)
        self.details = tuple(members)
        self.preprocessing = common_preprocessing([each.preprocessing for each in members])
        self.task = replace(members[0].task, temperature=1.0) if members[0].task.temperature != 1 else members[0].task  # type: ignore[type-var]
        layers = [getattr(net, "explained_layers", None) or (getattr(net, "explained_layer", None),) for net in nets]
        self.explained_layers = tuple(f"members.{i}.{name}" for i, names in enumerate(layers) for name in names)

    def forward(self, images: Tensor) -> Tensor:
        """Outputs (N, …), of which the probabilities are the means of the members'.

        Args:
            images: (N, C, H, W), by `preprocessing`.
        """
        return self.task.average(self.each(images))

    def each(self, images: Tensor) -> list[Tensor]:
        """The outputs (N, …) of each member, float32, divided by its temperature."""
        return [
            net(self.shown(images, each.preprocessing)).float() / each.task.temperature
            for net, each in zip(self.members, self.details, strict=True)
        ]

    def shown(self, images: Tensor, to: Preprocessing) -> Tensor:
        """Images (N, C, H, W) as one member sees them."""
        own = self.preprocessing
        if to == own:
            return images
        if (to.mean, to.std) != (own.mean, own.std):
            mean, std, to_mean, to_std = (
                torch.tensor(values, device=images.device)[:, None, None]
                for values in (own.mean, own.std, to.mean, to.std)
            )
            images = (images * std + (mean - to_mean)) / to_std
        height, width = (round(side * to.crop_pct / own.crop_pct) for side in own.input_size[1:])
        top, left = (own.input_size[1] - height) // 2, (own.input_size[2] - width) // 2
        images = images[:, :, top : top + height, left : left + width]
        size = to.input_size[1:]
        return images if (height, width) == size else interpolate(images, size, mode="bilinear", antialias=True)
