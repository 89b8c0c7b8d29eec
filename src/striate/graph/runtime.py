"""Runs a net, or the frozen part of one, in the fastest way: folded, in the machine's precision, by its runtime.

Features, scores on val and the answers of a model file all come from here, so that they are the same numbers.
"""

from collections.abc import Callable, Collection

import torch
from torch import Tensor, fx, nn

from striate.device import Machine
from striate.errors import UsageError
from striate.graph.fold import folded
from striate.graph.openvino import ByOpenVino
from striate.graph.parts import Cut, Maps, Prefix, Vectors, cut, pooled

Extractor = Callable[[Tensor], tuple[Tensor, ...]]


def extractor(prefix: Prefix, machine: Machine) -> Extractor:
    """A function that runs a frozen part of a net on normalised images (N, C, H, W), and gives its values.

    It runs folded, in the machine's precision, by its runtime; by PyTorch also in its memory format.

    Args:
        prefix: the part, which stays as it is.
        machine: where and how it runs.
    """
    runnable = type(prefix)(folded(prefix.layers))
    if machine.runtime == "openvino":
        if isinstance(runnable, Vectors) and runnable.depths == 1:  # as maps, as the net is run: compiled once
            maps = ByOpenVino(Maps(runnable.layers), machine)
            return lambda images: (pooled(maps(images)),)
        return ByOpenVino(runnable, machine)
    _lay_out(runnable, machine, ())

    @torch.inference_mode()
    def run(images: Tensor) -> tuple[Tensor, ...]:
        with machine.autocast():
            values: tuple[Tensor, ...] = runnable(machine.images(images))
        return values

    return run


def rest_runner(rest: fx.GraphModule, machine: Machine, heads: Collection[str]) -> Callable[..., Tensor]:
    """A function from the values that cross to the rest of a net, each (N, …), to outputs.

    It runs by PyTorch, folded, in the machine's precision; the heads in float32, for they take little time, and what
    they are fitted to is float32.

    Args:
        rest: as `cut` gives it, with its present values; it stays as it is.
        machine: where and how it runs.
        heads: the names of the net's heads.
    """
    runnable = folded(rest)
    _lay_out(runnable, machine, heads)

    @torch.inference_mode()
    def run(*values: Tensor) -> Tensor:
        placed = (machine.images(v) if v.ndim == 4 else v.to(machine.device) for v in values)
        with machine.autocast():
            outputs: Tensor = runnable(*placed)
        return outputs

    return run


def net_runner(
    net: nn.Module, input_size: tuple[int, int, int], machine: Machine, heads: Collection[str]
) -> Callable[[Tensor], Tensor]:
    """A function that runs a net on normalised images (N, C, H, W), and gives its outputs.

    The stages run as `extractor` runs them, what follows as `rest_runner` does. A net that cannot be followed runs as
    it is, in the machine's precision.

    Args:
        net: in evaluation mode, with its present values; it stays as it is.
        input_size: channels, height and width of the images.
        machine: where and how it runs.
        heads: the names of the net's heads.
    """
    stages: tuple[str, ...] = getattr(net, "stages", ())
    try:
        parts: Cut = cut(net, stages, input_size)
    except UsageError:

        @torch.inference_mode()
        def run(images: Tensor) -> Tensor:
            with machine.autocast():
                outputs: Tensor = net(machine.images(images))
            return outputs

        return run
    first, then = extractor(parts.prefix, machine), rest_runner(parts.rest, machine, heads)
    return lambda images: then(*first(images))


def _lay_out(module: nn.Module, machine: Machine, heads: Collection[str]) -> None:
    """Places a part of a net, in the precision that each of its layers runs in; changes it in place."""
    machine.place(module)
    if machine.precision != "bfloat16":
        return
    for name, layer in list(module.named_modules()):
        if any(name == head or name.startswith(f"{head}.") for head in heads):
            if next(layer.children(), None) is None:
                module.set_submodule(name, _InFloat32(layer))
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.to(torch.bfloat16)  # what autocast would do anew for each batch


class _InFloat32(nn.Module):
    """A layer that runs in float32 wherever it stands."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            outputs: Tensor = self.layer(x.float())
        return outputs
