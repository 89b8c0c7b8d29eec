"""An ensemble as one network: several that answer the same task, of whose probabilities the mean is taken.

Source: Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional neural networks",
sec. 6.1.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from striate.data import Preprocessing
from striate.errors import UsageError
from striate.nets import heads_of
from striate.tasks.task import Task

NAME = "ensemble"  # in the place of a net's in a model file


class Ensemble(nn.Module):
    """Networks whose probabilities are averaged; each sees the images in its own size, crop and normalisation.

    Args:
        nets: one a member.
        task: that all of them answer, by which their outputs are averaged.
        temperatures: what the outputs of each are divided by.
        shown: how images are shown to each.

    Raises:
        UsageError: if members are shown what no resampling makes of one image.
    """

    def __init__(
        self, nets: Sequence[nn.Module], task: Task, temperatures: Sequence[float], shown: Sequence[Preprocessing]
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(nets)
        plain = {key: value for key, value in task.to_dict().items() if key != "temperature"}
        self.task = type(task).from_dict(task.classes, plain)  # the temperature is of what the ensemble gives
        self.temperatures = tuple(temperatures)
        self.shown = tuple(shown)
        self.preprocessing = common_preprocessing(shown)
        layers = [getattr(net, "explained_layers", None) or (getattr(net, "explained_layer", None),) for net in nets]
        named = [(i, name) for i, names in enumerate(layers) for name in names]
        self.explained_layers = tuple(
            f"members.{i}.{name}" for i, name in named if all(other is not None for _, other in named)
        )

        heads = [f"members.{i}.{name}" for i, net in enumerate(nets) for name in heads_of(net)]
        self.head, self.other_heads = (heads[0], tuple(heads[1:])) if heads else ("", ())

    def forward(self, images: Tensor) -> Tensor:
        """Outputs (N, …), of which the probabilities are the means of the members'.

        Args:
            images: (N, C, H, W), by `preprocessing`.
        """
        outputs = [
            net(self._seen(images, shown)).float() / temperature
            for net, shown, temperature in zip(self.members, self.shown, self.temperatures, strict=True)
        ]
        return self.task.average(outputs)

    def _seen(self, images: Tensor, shown: Preprocessing) -> Tensor:
        """Images (N, C, H, W) as one member sees them."""
        own = self.preprocessing
        if (shown.mean, shown.std) != (own.mean, own.std):
            mean, std, to_mean, to_std = (
                torch.tensor(values, device=images.device)[:, None, None]
                for values in (own.mean, own.std, shown.mean, shown.std)
            )
            images = (images * std + (mean - to_mean)) / to_std
        height, width = (round(side * shown.crop_pct / own.crop_pct) for side in own.input_size[1:])
        top, left = (own.input_size[1] - height) // 2, (own.input_size[2] - width) // 2
        images = images[:, :, top : top + height, left : left + width]
        size = shown.input_size[1:]
        return images if (height, width) == size else interpolate(images, size, mode="bilinear", antialias=True)


def common_preprocessing(members: Sequence[Preprocessing]) -> Preprocessing:
    """How images are shown to an ensemble: as much of each as any member sees, as finely as any does.

    Raises:
        UsageError: if members differ in channels, crop mode or shape.
    """
    first = members[0]
    for each in members[1:]:
        for what, one, other in (
            ("channels", first.channels, each.channels),
            ("crop mode", first.crop_mode, each.crop_mode),
            ("shape of images", first.size[0] / first.size[1], each.size[0] / each.size[1]),
        ):
            if one != other:
                raise UsageError(f"ensemble: expected members with the same {what}; got {one} and {other}.")
    finest = max(members, key=lambda each: each.size[1] / each.crop_pct)
    crop_pct = max(each.crop_pct for each in members)
    height, width = (math.ceil(side * crop_pct / finest.crop_pct - 1e-6) for side in finest.input_size[1:])
    return replace(finest, input_size=(first.channels, height, width), crop_pct=crop_pct)
