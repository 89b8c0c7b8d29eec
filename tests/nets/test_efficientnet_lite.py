from typing import Any

import numpy as np
import pytest
import torch
from golden_tensors import tensor_named
from torch import Tensor, nn

from striate.nets import create
from striate.nets.efficientnet_lite import DepthwiseSeparable, InvertedResidual

TIMM = (0.1622471958, 1.592069149, 2.602958441, 3.110486533, -1.188635111)  # first logits of `images(1, 65, 98)`
TIMM_NORM = 81.5210  # of all logits


def images(number: int, height: int, width: int) -> Tensor:
    values = np.random.default_rng(0).standard_normal((number, 3, height, width))
    return torch.from_numpy(values.astype(np.float32))


@pytest.fixture(scope="module")
def net() -> Any:
    with torch.device("meta"):
        net = create("efficientnet_lite0").eval()
    tensors = {name: tensor_named(name, tensor.shape) for name, tensor in net.state_dict().items()}
    net.load_state_dict(tensors, assign=True)
    return net


def test_its_logits_are_those_that_timm_gave(net: Any) -> None:
    with torch.inference_mode():
        logits = net(images(1, 65, 98))
    torch.testing.assert_close(logits[0, :5], torch.tensor(TIMM))
    assert float(logits.norm()) == pytest.approx(TIMM_NORM, rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 224, 224), (2, 97, 129)])
def test_names_shapes_and_logits_are_timms(net: Any, shape: tuple[int, int, int]) -> None:
    timm: Any = pytest.importorskip("timm", reason="the extra striate[hub] is not installed")
    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    tensors = net.state_dict()
    assert [(name, t.shape) for name, t in theirs.state_dict().items()] == [(n, t.shape) for n, t in tensors.items()]
    theirs.load_state_dict(tensors)
    with torch.inference_mode():
        expected, actual = theirs(images(*shape)), net(images(*shape))
    assert float((actual - expected).norm() / expected.norm()) < 1e-5


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "stride", "residual"), [(8, 8, 1, True), (8, 8, 2, False), (8, 12, 1, False)]
)
def test_the_identity_stands_beside_where_shapes_agree(
    in_channels: int, out_channels: int, stride: int, residual: bool
) -> None:
    block = InvertedResidual(in_channels, out_channels, 5, stride).eval()
    nn.init.zeros_(block.bn3.weight)
    x = torch.randn(2, in_channels, 6, 6)
    expected = x if residual else torch.zeros(2, out_channels, 6 // stride, 6 // stride)
    torch.testing.assert_close(block(x), expected)


def test_blocks_end_linearly() -> None:
    torch.manual_seed(0)
    x = 20 * torch.randn(2, 8, 6, 6)
    assert DepthwiseSeparable(8, 12)(x).min() < 0
    assert InvertedResidual(8, 12, 3, 1)(x).min() < 0


def test_initial_values() -> None:
    torch.manual_seed(0)
    net: Any = create("efficientnet_lite0", num_classes=100)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2 // module.groups
            assert module.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.15)
        if isinstance(module, nn.BatchNorm2d):
            assert module.eps == 1e-3
    assert 0.099 < net.classifier.weight.abs().max() <= 0.1
    assert net.classifier.bias.count_nonzero() == 0
