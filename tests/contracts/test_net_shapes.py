"""What a net promises about names and shapes, on the meta device: no memory, no arithmetic, the same shapes."""

import inspect
from functools import partial
from typing import Any

import pytest
import torch
from net_table import EACH, Net
from torch import Tensor, nn

from striate.errors import SizeError
from striate.nets import CATALOGUE, create

pytestmark = pytest.mark.parametrize("row", EACH)


def meta_net(row: Net, **arguments: int) -> Any:
    with torch.device("meta"):
        return create(row.name, **arguments).eval()


def meta_images(channels: int, height: int, width: int, number: int = 2) -> Tensor:
    return torch.empty(number, channels, height, width, device="meta")


def parameters_of(net: nn.Module, modules: tuple[str, ...]) -> list[str]:
    named = dict(net.named_modules())
    return [f"{module}.{name}" for module in modules for name, _ in named[module].named_parameters()]


def test_parameter_count(row: Net) -> None:
    assert sum(parameter.numel() for parameter in meta_net(row).parameters()) == row.parameters


def test_image_size(row: Net) -> None:
    assert meta_net(row).image_size == row.image_size
    assert not row.fixed_size or row.input[1:] == (row.image_size, row.image_size)


def test_logits(row: Net) -> None:
    assert meta_net(row)(meta_images(*row.input)).shape == row.logits_shape(2, row.classes, *row.input[1:])


def test_features(row: Net) -> None:
    maps = meta_net(row).features(meta_images(*row.input))
    assert [tuple(x.shape) for x in maps] == [(2, channels, size, size) for channels, size in row.features]
    sizes = [x.shape[2] for x in maps]
    assert sizes == sorted(set(sizes), reverse=True)


def test_other_image_sizes(row: Net) -> None:
    net, (channels, height, width) = meta_net(row), row.input
    if not row.fixed_size:
        for number, h, w in ((2, height + 1, width + 7), (1, height + 14, width + 3)):
            logits = net(meta_images(channels, h, w, number))
            assert logits.shape == row.logits_shape(number, row.classes, h, w)
        return
    for other in ((height + 1, width), (height, width + 1), (2 * height, 2 * width), (3, 3)):
        with pytest.raises(SizeError, match=rf"expected H and W of {height}; got the shape \[2, .*\]\. Try "):
            net(meta_images(channels, *other))


@pytest.mark.parametrize("in_channels", [1, 4])
def test_other_channels_and_classes(row: Net, in_channels: int) -> None:
    net = meta_net(row, num_classes=7, in_channels=in_channels)
    logits = net(meta_images(in_channels, *row.input[1:]))
    assert logits.shape == row.logits_shape(2, 7, *row.input[1:])


def test_stages_and_heads_hold_every_parameter_once(row: Net) -> None:
    net = meta_net(row)
    stages = parameters_of(net, net.stages)
    heads = parameters_of(net, row.heads)
    assert sorted(stages + heads) == sorted(name for name, _ in net.named_parameters())
    for stage in net.stages:
        assert parameters_of(net, (stage,)), f"{stage} has nothing to freeze"


def test_images_pass_the_stages_in_order_and_the_main_head_last(row: Net) -> None:
    net = meta_net(row)
    passed: list[str] = []
    for name, module in net.named_modules():
        if name in net.stages or name in row.heads:
            module.register_forward_hook(lambda *_, name=name: passed.append(name))
    net(meta_images(*row.input))
    assert tuple(name for name in passed if name in net.stages) == net.stages
    assert passed[-1] in row.heads


def test_explained_layer_gives_a_map(row: Net) -> None:
    net = meta_net(row)
    shapes: list[torch.Size] = []
    layer = dict(net.named_modules())[net.explained_layer]
    layer.register_forward_hook(lambda _module, _inputs, output: shapes.append(output.shape))
    net(meta_images(*row.input))
    assert len(shapes) == 1
    assert len(shapes[0]) == 4
    assert min(shapes[0][2:]) > 1


def test_arguments_are_named_and_have_defaults(row: Net) -> None:
    variant = CATALOGUE[row.name]
    bound = variant.keywords if isinstance(variant, partial) else {}
    parameters = {
        name: parameter for name, parameter in inspect.signature(variant).parameters.items() if name not in bound
    }
    assert {"num_classes", "in_channels"} <= parameters.keys()
    for parameter in parameters.values():
        if row.over_another and parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue  # what its encoder takes
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default is not inspect.Parameter.empty
