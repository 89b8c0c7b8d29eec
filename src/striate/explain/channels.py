"""Channels of a layer: their maps of an image, the images that excite each most, and those that never answer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.data import Batch
from striate.errors import UsageError
from striate.explain.capture import captured, evaluating, pixels
from striate.model import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_EXCITING = 9  # images a channel


@dataclass(frozen=True)
class FeatureMaps:
    """What a layer gives for N images."""

    layer: str
    maps: NDArray[np.float32] = field(repr=False)
    """(N, C, H, W)."""

    images: NDArray[np.uint8] = field(repr=False)
    """(N, H, W, C) as the network saw them."""

    def figure(self, row: int = 0) -> "Figure":
        """One image and the maps of the channels that answer most to it."""
        from striate.explain.figures import draw_feature_maps

        return draw_feature_maps(self.images[row], self.maps[row], self.layer)


@dataclass(frozen=True)
class Channels:
    """How the channels of a layer answer over many images; its memory does not grow with their number."""

    layer: str
    images: int
    """How many were seen."""

    largest: NDArray[np.float32]
    """(C, K) the largest answers, falling; -inf where there were fewer images."""

    rows: NDArray[np.int64]
    """(C, K) the rows of the images that gave them; -1 where there were fewer images."""

    places: NDArray[np.int64]
    """(C, K, 2) row and column of the answer in the layer's map."""

    size: tuple[int, int]
    """Height and width of the layer's map."""

    smallest: NDArray[np.float32]
    """(C,) the smallest answer."""

    mean: NDArray[np.float64]
    """(C,) over all images and places."""

    @property
    def dead(self) -> NDArray[np.bool_]:
        """(C,) whether a channel never answered with more than 0: after a ReLU nothing of it passes."""
        return self.largest[:, 0] <= 0


def feature_maps(model: Model, images: Tensor, layer: str, batch_size: int = 16) -> FeatureMaps:
    """The maps of a layer.

    Args:
        model: its weights and mode stay as they are.
        images: (N, H, W, C) uint8, as `predict_batch` takes them.
        layer: name of a module that gives maps.
        batch_size: images at a time.

    Raises:
        UsageError: if there is no such module, or it gives no maps.
    """
    parts = [_maps(model, part, layer).cpu() for part in images.split(batch_size)]
    return FeatureMaps(layer, torch.cat(parts).numpy(), images.numpy())


@torch.inference_mode()
def _maps(model: Model, images: Tensor, layer: str) -> Tensor:
    with evaluating(model.net), captured(model.net, [layer]) as found:
        model.net(pixels(images, model.preprocessing, model.machine))
    if layer not in found:
        raise UsageError(f"`layer`: expected a module that runs in a prediction; got {layer}, which does not.")
    maps = found[layer].float()
    if maps.ndim == 2:
        maps = maps[:, :, None, None]  # a unit of a linear layer is a channel of one place
    if maps.ndim != 4:
        raise UsageError(f"`layer`: expected a module that gives maps (N, C, H, W); got {layer}: {list(maps.shape)}.")
    return maps


def channels(model: Model, batches: Iterable[Batch], layer: str, most: int = MOST_EXCITING) -> Channels:
    """How the channels of a layer answer to the images of a loader, in one pass.

    Args:
        model: its weights and mode stay as they are.
        batches: at least one; rows that are negative are left out.
        layer: name of a module that gives maps.
        most: images to remember for each channel.

    Raises:
        UsageError: if there is no such module, it gives no maps, or there are no images.
    """
    seen, total = 0, None
    largest = smallest = rows = places = torch.empty(0)
    width, size = 1, (1, 1)
    for batch in batches:
        maps = _maps(model, batch.images, layer).cpu()
        count, number, height, width = maps.shape
        if total is None:
            size, total = (height, width), torch.zeros(number, dtype=torch.float64)
            largest = torch.full((number, most), -torch.inf)
            rows, places = torch.full((number, most), -1), torch.zeros((number, most), dtype=torch.int64)
            smallest = torch.full((number,), torch.inf)
        flat = maps.flatten(2)
        values, at = flat.max(dim=2)  # (N, C)
        new_rows = torch.from_numpy(batch.rows)[:, None].expand(count, number)
        values, at, new_rows = (
            torch.cat([old.T, new]) for old, new in ((largest, values), (places, at), (rows, new_rows))
        )
        largest, order = values.T.sort(dim=1, descending=True, stable=True)
        largest, order = largest[:, :most], order[:, :most]
        places, rows = at.T.gather(1, order), new_rows.T.gather(1, order)
        smallest = torch.minimum(smallest, flat.amin(dim=(0, 2)))
        total += flat.double().mean(dim=2).sum(dim=0)
        seen += count
    if total is None:
        raise UsageError("`images`: expected at least one; got none.")
    return Channels(
        layer,
        seen,
        largest.numpy(),
        rows.numpy(),
        np.stack([places.numpy() // width, places.numpy() % width], axis=2),
        size,
        smallest.numpy(),
        (total / seen).numpy(),
    )


def layers_with_maps(model: Model) -> list[str]:
    """The names of the modules that give maps (N, C, H, W) with more than one place."""
    names = [name for name, module in model.net.named_modules() if name]
    width, height = model.preprocessing.size
    blank = torch.zeros(1, height, width, model.preprocessing.channels, dtype=torch.uint8)
    found: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: found.__setitem__(name, output))
        for name, module in model.net.named_modules()
        if name
    ]
    try:
        with torch.inference_mode(), evaluating(model.net):
            model.net(pixels(blank, model.preprocessing, model.machine))
    finally:
        for hook in hooks:
            hook.remove()
    return [
        name
        for name in names
        if isinstance(output := found.get(name), Tensor) and output.ndim == 4 and output.shape[-1] > 1
    ]


def first_filters(net: nn.Module) -> NDArray[np.float32]:
    """The weights (out_channels, H, W, in_channels) of a net's first convolution.

    Raises:
        ValueError: if it has none.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            return np.asarray(module.weight.detach().float().cpu().permute(0, 2, 3, 1).numpy(), np.float32)
    raise ValueError(f"`net`: expected a convolution in it; got none in {type(net).__name__}.")
