"""Receptive fields against where the gradient of the output in the centre reaches, with nothing that cancels."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from net_table import EACH, Net
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate
from torch.overrides import TorchFunctionMode

from striate.graph.meta import build
from striate.inspect import Layer, inspect
from striate.nets import create

ROWS, COLUMNS = 208, 80  # at least; a long image shows long fields at little cost


class MeansForMaxima(TorchFunctionMode):
    """A maximum passes its gradient to one pixel, a mean to all that it reads."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if not function.__name__.startswith("max_pool2d"):
            return function(*args, **(kwargs or {}))
        named = dict(zip(("x", "kernel_size", "stride", "padding", "dilation", "ceil_mode"), args, strict=False))
        a = named | {"x" if key == "input" else key: value for key, value in (kwargs or {}).items()}
        means = avg_pool2d(a["x"], a["kernel_size"], a.get("stride"), a.get("padding", 0), a.get("ceil_mode", False))
        indices = function.__name__.endswith("indices") or a.get("return_indices", False)
        return (means, torch.zeros_like(means, dtype=torch.int64)) if indices else means


def averaging(net: nn.Module) -> nn.Module:
    """The net with every weight positive, so that no two ways to a pixel cancel."""
    for name, parameter in net.named_parameters():
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
        bias = name.endswith("bias")
        nn.init.constant_(parameter, 0.0 if bias else 1 / fan_in)
    return net.eval().requires_grad_(False)


def binary(gradient: Tensor) -> Tensor:
    return (gradient != 0).to(gradient)


def reached(net: nn.Module, images: Tensor, module: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row and column to which the gradient of the output in the centre comes."""
    outputs: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        outputs.append(output)

    def stay_finite(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(binary)

    handles = [child.register_forward_hook(stay_finite) for child in net.modules()]
    handles.append(net.get_submodule(module).register_forward_hook(keep))
    images = images.requires_grad_()
    with MeansForMaxima():
        net(images)
    for handle in handles:
        handle.remove()
    h, w = outputs[-1].shape[2:]
    (gradient,) = torch.autograd.grad(outputs[-1][0, :, h // 2, w // 2].sum(), images)
    rows, columns = gradient[0].abs().sum(0).nonzero().unbind(1)
    return (int(rows.min()), int(rows.max())), (int(columns.min()), int(columns.max()))


def agrees(got: tuple[int, int], layer: Layer, side: int, n: int) -> bool:
    """Exactly where the field lies in the image; at a border, up to the remainder that no stride reaches."""
    assert layer.spans is not None
    assert layer.jump is not None
    (first, last), remainder = layer.spans[side], int(layer.jump[side]) - 1
    begins = got[0] == first if first >= 0 else 0 <= got[0] <= max(remainder, 0)
    ends = got[1] == last if last < n else n - 1 - max(remainder, 0) <= got[1] <= n - 1
    return begins and ends


def last_of(layers: list[Layer], module: str) -> Layer:
    return [layer for layer in layers if layer.name == module or layer.name.startswith((f"{module}.", f"{module} "))][
        -1
    ]


def nearest_unpool(x: Tensor, _positions: Tensor, size: tuple[int, int]) -> Tensor:
    return interpolate(x, size=size)


@pytest.mark.parametrize("row", EACH)
def test_the_gradient_reaches_what_the_inspector_says(row: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.nets.segnet.max_unpool", nearest_unpool)
    channels, height, width = row.input
    size = (height, width) if row.fixed_size else (max(height, ROWS), max(width, COLUMNS))
    net = create(row.name)
    layers = inspect(build(lambda: create(row.name)), (channels, *size)).layers
    averaging(net)
    modules = {name for name, module in net.named_modules() if not any(module.children())}
    maps = [layer for layer in layers if layer.name in modules and layer.jump and layer.receptive_field]
    inside = [layer for layer in maps if layer.spans and layer.spans[0][0] >= 0 and layer.spans[0][1] < size[0]]
    explained = str(net.explained_layer)
    for module in dict.fromkeys((maps[0].name, inside[len(inside) // 2].name, inside[-1].name, explained)):
        images = torch.full((1, channels, *size), 0.01)
        layer = last_of(layers, module)
        for side, got in enumerate(reached(net, images, module)):
            assert agrees(got, layer, side, size[side]), f"{module}: {got}, not {layer.spans}"
