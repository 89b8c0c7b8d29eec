"""Class activation maps: which places of an image speak for a class.

The maps are those of the layer that the network names as explained. Where the head is linear on the mean of those maps,
this is CAM (Zhou et al. 2016, arXiv:1512.04150) and exact: the mean of the map, and the bias, are the logit. Elsewhere
it is Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391), which weighs each map by its mean gradient. Maps keep their
sign: negative places speak against the class.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from striate.explain.capture import (
    captured,
    class_numbers,
    evaluating,
    explained_layers,
    gradients,
    module_named,
    pixels,
    require_classes,
    scores_of,
)
from striate.model import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAME = 1e-4  # relative difference of two gradients that are the same but for rounding


@dataclass(frozen=True)
class Explanation:
    """For N images, how much each place speaks for a class."""

    method: str
    """CAM, Grad-CAM or occlusion."""

    maps: NDArray[np.float32]
    """(N, H, W), of the images' size; positive places speak for the class, negative ones against it."""

    classes: NDArray[np.int64]
    """(N,) the class that is explained."""

    probabilities: NDArray[np.float32]
    """(N, classes) of each image."""

    names: tuple[str, ...]
    """Of the classes."""

    images: NDArray[np.uint8] = field(repr=False)
    """(N, H, W, C) as the network saw them."""

    coarse: NDArray[np.float32] | None = field(default=None, repr=False)
    """(N, h, w) the maps in the resolution in which they were computed, where that is one."""

    def figure(self) -> "Figure":
        """Each image beside its map, with the answer and, where there are several classes, its probability."""
        from striate.explain.figures import draw_maps

        return draw_maps(self.images, self.maps, [self._titles(row) for row in range(len(self.images))])

    def _titles(self, row: int) -> tuple[str, str]:
        """The answer with its probability, and the class that is explained, with its own where that is another."""
        from striate.explain.figures import short_name

        shares, number = self.probabilities[row], int(self.classes[row])
        answer = int(shares.argmax())
        if len(self.names) == 1:
            return short_name(self.names[0]), f"{self.method}: its box"
        explained = f"{self.method}: {short_name(self.names[number])}"
        other = f" {shares[number]:.2f}" if number != answer else ""
        return f"{short_name(self.names[answer])} {shares[answer]:.2f}", f"{explained}{other}"


def activation_maps(
    model: Model,
    images: Tensor,
    classes: str | int | Sequence[str | int] | None = None,
    *,
    layer: str | None = None,
    batch_size: int = 16,
) -> Explanation:
    """Class activation maps of a batch of images.

    Args:
        model: its weights and mode stay as they are.
        images: (N, H, W, C) uint8, as `predict_batch` takes them.
        classes: to explain, by name or number; the answer of each image unless given.
        layer: name of the module whose maps are weighed; the network's explained layer unless given.
        batch_size: images at a time.

    Raises:
        UsageError: if the network names no layer, has no such class, or has a single one.
    """
    require_classes(model)
    layers = (layer,) if layer else explained_layers(model.net)
    maps, numbers, probabilities = [], [], []
    with gradients(), evaluating(model.net):
        exact = len(layers) == 1 and is_linear_on_means(model, layers[0])
        for place in range(0, len(images), batch_size):
            part = images[place : place + batch_size]
            wanted = classes if classes is None or isinstance(classes, str | int) else classes[place:][: len(part)]
            found, chosen, shares = _weighed(model, pixels(part, model.preprocessing, model.machine), layers, wanted)
            maps.append(found)
            numbers.append(chosen)
            probabilities.append(shares)
    coarse = torch.cat(maps)
    return Explanation(
        "CAM" if exact else "Grad-CAM",
        resized(coarse, images.shape[1:3]).numpy(),
        torch.cat(numbers).numpy(),
        torch.cat(probabilities).numpy(),
        model.classes,
        images.numpy(),
        coarse.numpy(),
    )


def _weighed(
    model: Model, inputs: Tensor, layers: Sequence[str], classes: str | int | Sequence[str | int] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Maps (N, h, w), the class of each, and the probabilities (N, classes), all on the CPU."""
    with captured(model.net, layers, leaves=True) as found:
        scores, shares = scores_of(model, inputs)
        chosen = class_numbers(model, classes, scores.argmax(dim=1))
        total = scores.gather(1, chosen.to(scores.device)[:, None]).sum()  # no image's score depends on another image
        outputs = [found[name] for name in layers]
        slopes = torch.autograd.grad(total, outputs)
    maps = [
        (slope.sum(dim=(2, 3), keepdim=True) * output.detach()).sum(dim=1)
        for slope, output in zip(slopes, outputs, strict=True)
    ]
    largest = max((tuple(one.shape[1:]) for one in maps), key=lambda size: size[0] * size[1])
    summed = torch.stack([resized(one.float().cpu(), largest) for one in maps]).sum(dim=0)
    return summed, chosen, shares


def resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps (N, h, w) in another size (H, W), by bilinear interpolation."""
    if tuple(maps.shape[1:]) == tuple(size):
        return maps
    return interpolate(maps[:, None], tuple(size), mode="bilinear", align_corners=False)[:, 0]


def is_linear_on_means(model: Model, layer: str) -> bool:
    """Whether the logits are a linear function of the means over the places of a layer's maps.

    Two random maps are put in the layer's place: the gradients of a logit must then be the same everywhere.
    """
    draw = torch.Generator().manual_seed(0)
    height, width = model.preprocessing.size[::-1]
    found: dict[str, Tensor] = {}

    def replace(module: nn.Module, arguments: object, output: Tensor) -> Tensor:
        noise = torch.randn(output.shape, generator=draw).to(output)
        found["noise"] = noise.requires_grad_()
        return found["noise"].clone()

    hook = module_named(model.net, layer).register_forward_hook(replace)
    try:
        with gradients(), evaluating(model.net):
            blank = torch.zeros(2, model.preprocessing.channels, height, width, device=model.machine.device)
            scores, _ = scores_of(model, blank)
            return found["noise"].ndim == 4 and all(
                _is_the_same_everywhere(scores[:, number].sum(), found["noise"]) for number in {0, scores.shape[1] - 1}
            )
    finally:
        hook.remove()


def _is_the_same_everywhere(score: Tensor, maps: Tensor) -> bool:
    """Whether the gradient of a score with respect to maps (N, C, h, w) differs from channel to channel alone."""
    (gradient,) = torch.autograd.grad(score, maps, retain_graph=True)
    spread = gradient - gradient.mean(dim=(0, 2, 3), keepdim=True)
    return bool(spread.abs().max() <= SAME * gradient.abs().max())
