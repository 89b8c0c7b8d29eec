"""Batch norm in the convolution before it: the same numbers from fewer layers."""

from typing import Any

import pytest
import torch
from net_table import Net
from torch import Tensor, fx, nn

from striate.device import choose
from striate.graph import cut
from striate.graph.fold import folded
from striate.graph.runtime import extractor
from striate.nets import create


@torch.inference_mode()
def test_folding_changes_rounding_alone(row: Net, net: Any, images: Tensor) -> None:
    layers = cut(net, net.stages, row.input).prefix.layers
    folding = folded(layers)
    for actual, expected in zip(folding(images)[0], layers(images)[0], strict=True):
        if expected.is_floating_point():
            assert (actual - expected).norm() <= 2e-4 * expected.norm()
    called = {n: folding.get_submodule(str(n.target)) for n in folding.graph.nodes if n.op == "call_module"}
    norms = [node for node, module in called.items() if isinstance(module, nn.BatchNorm2d)]
    assert not any(isinstance(called.get(node.all_input_nodes[0]), nn.Conv2d) for node in norms)


class Shared(nn.Module):
    """A convolution whose output is seen twice, and one that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.Conv2d(3, 3, 1)
        self.called = nn.Conv2d(3, 3, 1)
        self.bn1, self.bn2 = (nn.BatchNorm2d(3) for _ in range(2))
        nn.init.uniform_(self.bn1.weight)
        nn.init.uniform_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.seen(x)
        y = y + self.bn1(y)
        out: Tensor = self.bn2(self.called(y)) + self.called(x)
        return out


@torch.inference_mode()
def test_what_others_see_too_is_left_alone() -> None:
    module, images = Shared().eval(), torch.randn(2, 3, 4, 4)
    folding = folded(fx.symbolic_trace(module))
    assert torch.equal(folding(images), module(images))
    assert {"bn1", "bn2"} <= {name for name, _ in folding.named_children()}


@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-5), ("bfloat16", 0.05)])
def test_the_extractor(precision: str, error: float) -> None:
    torch.manual_seed(0)
    net, images = create("resnet20_cifar").eval(), torch.randn(2, 3, 16, 16)
    parts = cut(net, ("conv1", "bn1", "layer1"), (3, 16, 16))
    before = {name: tensor.clone() for name, tensor in parts.prefix.state_dict().items()}
    [actual] = extractor(parts.prefix, choose("cpu", precision))(images)
    [expected] = parts.prefix(images)
    assert (actual.float() - expected).norm() <= error * expected.norm()
    assert all(torch.equal(tensor, before[name]) for name, tensor in parts.prefix.state_dict().items())
