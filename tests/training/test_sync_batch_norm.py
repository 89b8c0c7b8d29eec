import copy
import re

import pytest
import torch
from torch import Tensor, nn

from striate.errors import UsageError
from striate.nets import create
from striate.training.process_group import ALONE
from striate.training.sync_batch_norm import SyncedBatchNorm2d, synchronise


def gradients(net: nn.Module, x: Tensor) -> list[Tensor]:
    """Of the input and every parameter."""
    x = x.clone().requires_grad_()
    y = net(x)
    wanted = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
    (y * wanted).sum().backward()
    every = [x.grad, *(parameter.grad for parameter in net.parameters())]
    return [gradient for gradient in every if gradient is not None]


@pytest.mark.parametrize("shape", [(4, 3, 5, 6), (8, 3, 1, 1), (2, 3, 100, 100)])
def test_of_one_process_it_is_batch_norm(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    plain = nn.BatchNorm2d(3, momentum=0.3)
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    synced = copy.deepcopy(plain)
    synchronise(synced, ALONE)
    for mean in (0.0, 100.0):
        x = torch.randn(shape) * 2 + mean
        assert torch.allclose(synced(x), plain(x), rtol=1e-4, atol=1e-4)
        for a, b in zip(gradients(synced, x), gradients(plain, x), strict=True):
            assert torch.allclose(a, b, rtol=1e-4, atol=1e-4)
    for name, value in plain.state_dict().items():
        assert torch.allclose(synced.state_dict()[name].double(), value.double(), rtol=1e-5), name
    assert torch.allclose(synced.eval()(x), plain.eval()(x), rtol=1e-4)


def test_gradients_of_a_deep_net_have_as_many_right_digits() -> None:
    torch.manual_seed(0)
    plain = create("resnet18", num_classes=2)
    exact, synced = copy.deepcopy(plain).double(), copy.deepcopy(plain)
    synchronise(synced, ALONE)
    x = torch.randn(8, 3, 64, 64)
    every = zip(gradients(synced, x), gradients(plain, x), gradients(exact, x.double()), strict=True)
    for ours, pytorchs, true in every:
        assert (ours - true).norm() < 3 * (pytorchs - true).norm() + 1e-6 * true.norm()


def test_the_dtype_and_the_layout_of_maps_stay() -> None:
    norm = nn.BatchNorm2d(4)
    synchronise(norm, ALONE)
    maps = norm(torch.randn(2, 4, 3, 3).bfloat16().to(memory_format=torch.channels_last))
    assert maps.dtype == torch.bfloat16
    assert maps.is_contiguous(memory_format=torch.channels_last)


def test_a_net_keeps_its_parameters_and_names() -> None:
    net = create("resnet18", num_classes=2)
    names, parameters = list(net.state_dict()), list(net.parameters())
    synchronise(net, ALONE)
    assert sum(isinstance(module, SyncedBatchNorm2d) for module in net.modules()) == 20
    assert list(net.state_dict()) == names
    assert all(a is b for a, b in zip(net.parameters(), parameters, strict=True))
    copy.deepcopy(net)


@pytest.mark.parametrize(
    ("norm", "name"),
    [
        (nn.BatchNorm1d(3), "BatchNorm1d"),
        (nn.BatchNorm2d(3, track_running_stats=False), "BatchNorm2d"),
        (nn.BatchNorm2d(3, momentum=None), "BatchNorm2d"),
        (nn.BatchNorm2d(3, affine=False), "BatchNorm2d"),
    ],
)
def test_another_kind_of_batch_norm_is_refused(norm: nn.Module, name: str) -> None:
    message = (
        "`sync_batch_norm`: expected nn.BatchNorm2d, with weights and with running averages of a fixed momentum; "
        f"got {name} at `1`. Try it without, or another network."
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        synchronise(nn.Sequential(nn.ReLU(), norm), ALONE)
