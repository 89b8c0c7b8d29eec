import pytest
import torch
from torch import Tensor, nn

from striate.nets import create
from striate.nets.plain import PlainBlock


@pytest.mark.parametrize(
    ("plain", "residual"),
    [
        ("plain18", "resnet18"),
        ("plain34", "resnet34"),
        ("plain20_cifar", "resnet20_cifar"),
        ("plain56_cifar", "resnet56_cifar"),
    ],
)
def test_tensors_are_those_of_the_residual_net_without_shortcut_parameters(plain: str, residual: str) -> None:
    with torch.device("meta"):
        nets = create(plain), create(residual, shortcut="A")
    tensors = [[(name, tensor.shape) for name, tensor in net.state_dict().items()] for net in nets]
    assert tensors[0] == tensors[1]


@pytest.mark.parametrize(
    ("name", "depth"), [("plain18", 18), ("plain34", 34), ("plain20_cifar", 20), ("plain56_cifar", 56)]
)
def test_layers_with_weights(name: str, depth: int) -> None:
    with torch.device("meta"):
        net = create(name)
    assert sum(isinstance(module, (nn.Conv2d, nn.Linear)) for module in net.modules()) == depth


def test_nothing_passes_a_block_whose_last_norm_is_zero() -> None:
    block = PlainBlock(8, 8, 1).eval()
    nn.init.zeros_(block.bn2.weight)
    assert not block(torch.randn(2, 8, 5, 5)).any()


def gradient_at_the_stem(net: nn.Module, images: Tensor) -> float:
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            with torch.no_grad():
                module.weight.mul_(0.1)  # weak layers: what passes them by is what arrives
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    torch.autograd.backward(net(images).square().mean())
    gradient = net.get_parameter("conv1.weight").grad
    assert gradient is not None
    return float(gradient.norm())


def test_the_gradient_vanishes_on_its_way_through_a_plain_net_and_not_through_a_residual_one() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 3, 8, 8)
    plain = gradient_at_the_stem(create("plain56_cifar"), images)
    residual = gradient_at_the_stem(create("resnet56_cifar"), images)
    assert residual > 1e-6
    assert plain < 1e-20
