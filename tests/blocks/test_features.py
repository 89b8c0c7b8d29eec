import torch
from torch import nn
from torch.func import functional_call

from striate.blocks import Features


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = Features([nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2)], returned=(1, 2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps: list[torch.Tensor] = self.features(images)
        return maps[-1]


def test_gives_the_maps_that_are_kept_in_order() -> None:
    net, images = Net(), torch.randn(2, 1, 6, 6)
    first, last = net.features(images)
    torch.testing.assert_close(first, torch.relu(net.features[0](images)))
    torch.testing.assert_close(last, torch.max_pool2d(first, 2))


def test_the_last_alone_is_the_default_so_that_a_slice_is_a_chain_too() -> None:
    net, images = Net(), torch.randn(2, 1, 6, 6)
    (last,) = net.features[:2](images)
    torch.testing.assert_close(last, net.features(images)[0])
    assert last.shape == (2, 2, 4, 4)


def test_a_repeated_layer_counts_once() -> None:
    assert len(Features([nn.ReLU(), nn.ReLU()], returned=(1, -1))(torch.zeros(1))) == 1


def test_tensors_are_named_as_in_a_sequence() -> None:
    net = Net()
    assert list(net.state_dict()) == ["features.0.weight", "features.0.bias"]
    assert net.get_submodule("features.0") is net.features[0]


def test_the_child_can_be_reached_by_functional_calls_and_exported() -> None:
    net, images = Net().eval(), torch.randn(2, 1, 6, 6)
    zeros = {name: torch.zeros_like(parameter) for name, parameter in net.named_parameters()}
    assert functional_call(net, zeros, (images,)).count_nonzero() == 0
    program = torch.export.export(net, (images,))
    torch.testing.assert_close(program.module()(images), net(images))
