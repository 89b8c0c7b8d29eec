"""What one more image costs in training, against PyTorch's own counters."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from striate.graph import META, build, skeleton
from striate.graph.memory import Memory, training_cost
from striate.nets import create


def images(count: int) -> list[Tensor]:
    return [torch.empty(count, 3, 64, 64, device=META)]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "segnet", "inception_v3"])
def test_multiplications_are_those_that_pytorch_counts(name: str) -> None:
    size = 107 if name == "inception_v3" else 64
    net = build(lambda: create(name)).train()
    found = training_cost(net, net, lambda count: [torch.empty(count, 3, size, size, device=META)])
    with FlopCounterMode(display=False) as counter:
        net(torch.empty(2, 3, size, size, device=META))
    assert 4 * found.macs == counter.get_total_flops()  # two images, and an addition with each multiplication


def test_a_part_of_a_net_is_counted_from_its_own_inputs() -> None:
    net = build(lambda: nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 4, 1)))
    whole = training_cost(net, net, images)
    rest = training_cost(net, net.get_submodule("2"), lambda count: [torch.empty(count, 8, 64, 64, device=META)])
    assert whole.macs - rest.macs == 3 * 8 * 64 * 64
    assert rest.kept_bytes == 4 * (8 + 4) * 64 * 64  # what it reads, and what it gives


def test_statistics_that_do_not_grow_with_the_images_are_not_counted() -> None:
    plain = build(lambda: nn.Sequential(nn.Conv2d(3, 8, 1)))
    normed = build(lambda: nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8)))
    bytes_of = [training_cost(net, net, images).kept_bytes for net in (plain, normed)]
    assert bytes_of[1] - bytes_of[0] == 4 * 8 * 64 * 64  # the convolution's output, which the norm reads


def test_the_peak_is_taken_where_nothing_is_kept() -> None:
    net = build(lambda: nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)))
    given = images(1)
    with torch.no_grad(), Memory(net, given) as memory:
        out = net(*given)
    assert memory.peak == 3 * given[0].nbytes  # the image, which the caller holds, a layer's input and its output
    assert memory.living() == given[0].nbytes + out.nbytes


def test_a_skeleton_takes_no_memory_and_shares_nothing() -> None:
    net = create("lenet5")
    net.get_parameter("conv1.weight").requires_grad_(False)
    bare = skeleton(net)
    assert {tensor.device.type for tensor in bare.state_dict().values()} == {"meta"}
    assert not bare.get_parameter("conv1.weight").requires_grad
    assert bare.get_parameter("conv2.weight").requires_grad
    assert {tensor.device.type for tensor in net.state_dict().values()} == {"cpu"}
