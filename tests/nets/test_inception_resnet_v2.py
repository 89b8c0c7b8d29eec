from typing import Any

import pytest
import torch
from torch import Tensor, nn

from striate.errors import SizeError
from striate.nets import create
from striate.nets.inception_resnet_v2 import Block8, Block17, Block35


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def meta(**arguments: object) -> Any:
    with torch.device("meta"):
        return create("inception_resnet_v2", **arguments)


def test_a_picture_under_75_pixels_is_refused() -> None:
    net = meta()
    assert net(torch.empty(2, 3, 75, 75, device="meta")).shape == (2, 1000)
    with pytest.raises(SizeError) as caught:
        net(torch.empty(2, 3, 75, 74, device="meta"))
    assert str(caught.value) == (
        "`images`: expected H and W of at least 75; got the shape [2, 3, 75, 74]. "
        "Try resizing them to 299 x 299, or a net that takes smaller ones, such as `resnet18`."
    )


def test_maps_of_the_published_size() -> None:
    maps = meta().features(torch.empty(1, 3, 299, 299, device="meta"))
    assert [x.shape[2] for x in maps] == [147, 71, 35, 17, 8]


@pytest.mark.parametrize(
    ("block", "scale", "channels", "last"),
    [
        (Block35(), 0.17, 320, False),
        (Block17(), 0.1, 1088, False),
        (Block8(0.2), 0.2, 2080, False),
        (Block8(1.0, last=True), 1.0, 2080, True),
    ],
    ids=["Block35", "Block17", "Block8", "the last Block8"],
)
def test_a_residual_is_scaled(block: nn.Module, scale: float, channels: int, last: bool) -> None:
    joined: list[Tensor] = []
    block.get_submodule("conv2d").register_forward_hook(lambda _module, _inputs, output: joined.append(output))
    x = numbers(1, channels, 3, 3)
    with torch.inference_mode():
        y = block.eval()(x)
    expected = x + scale * joined[0]
    assert (expected < 0).any()
    assert torch.allclose(y, expected if last else expected.clamp(min=0))


def test_forty_residual_blocks() -> None:
    net = meta()
    assert [len(net.get_submodule(name)) for name in ("repeat", "repeat_1", "repeat_2")] == [10, 20, 9]
    assert [block.scale for block in net.repeat_2] == [0.2] * 9
    assert (net.block8.scale, net.block8.last) == (1.0, True)
    assert net.dropout.p == 0.2
