import pytest
import torch
from torch.nn.functional import linear, max_pool2d

from striate.errors import SizeError, UsageError
from striate.layers.activation import ACTIVATIONS
from striate.nets import create
from striate.nets.lenet import lenet5, lenet5_notes


@pytest.fixture(scope="module", autouse=True)
def _tanh_is_dispatched() -> None:
    """MKL may answer a process's first call of tanh with 4 digits where two threads make it (pytorch issue 188792)."""
    torch.tanh(torch.zeros(1))


def test_the_table_of_the_notes() -> None:
    net = lenet5_notes()
    counts = [
        sum(parameter.numel() for parameter in layer.parameters())
        for layer in (net.conv1, net.conv2, net.fc1, net.fc2, net.fc3)
    ]
    assert counts == [608, 3_216, 48_120, 10_164, 850]
    assert sum(counts) == 62_958
    sizes = [x[0].numel() for x in net.features(torch.zeros(1, 3, 32, 32))]
    assert sizes == [6_272, 1_568, 1_600, 400]


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_the_activation_follows_every_layer_but_the_last(name: str) -> None:
    net, g = lenet5(activation=name), ACTIVATIONS[name]
    images = torch.randn(2, 1, 32, 32)
    c1, s2, c3, s4 = net.features(images)
    torch.testing.assert_close(c1, g(net.conv1(images)))
    torch.testing.assert_close(s2, c1.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5)))
    torch.testing.assert_close(c3, g(net.conv2(s2)))
    hidden = g(net.fc2(g(net.fc1(s4.flatten(1)))))
    torch.testing.assert_close(net(images), linear(hidden, net.fc3.weight, net.fc3.bias))


def test_the_notes_pool_by_the_maximum_and_the_paper_by_the_mean() -> None:
    net = lenet5_notes()
    c1, s2, _, _ = net.features(torch.randn(2, 3, 32, 32))
    torch.testing.assert_close(s2, max_pool2d(c1, 2))
    assert c1.min() == 0


def test_tanh_is_the_default() -> None:
    c1 = lenet5().features(torch.randn(8, 1, 32, 32))[0]
    assert c1.min() < -0.5
    assert c1.min() > -1
    assert c1.max() < 1


def test_fc1_is_the_papers_convolution_c5() -> None:
    net = lenet5()
    s4 = net.features(torch.randn(2, 1, 32, 32))[-1]
    c5 = torch.conv2d(s4, net.fc1.weight.view(120, 16, 5, 5), net.fc1.bias)
    assert c5.shape == (2, 120, 1, 1)
    torch.testing.assert_close(net.fc1(s4.flatten(1)), c5.flatten(1))


def test_initial_values_are_within_one_over_the_root_of_the_fan_in() -> None:
    net = lenet5()
    for weight in (net.conv1.weight, net.conv2.weight, net.fc1.weight, net.fc2.weight, net.fc3.weight):
        bound = weight[0].numel() ** -0.5
        assert 0.9 * bound < weight.abs().max() <= bound


def test_an_unknown_activation_names_the_choices() -> None:
    with pytest.raises(UsageError) as caught:
        create("lenet5", activation="thanh")
    assert str(caught.value) == (
        "`activation`: expected one of elu, gelu, leaky_relu, relu, sigmoid, silu, tanh; got `thanh`. "
        "Did you mean `tanh`?"
    )
    assert isinstance(caught.value, ValueError)


def test_the_activation_of_the_notes_is_fixed() -> None:
    with pytest.raises(UsageError, match="got `activation`"):
        create("lenet5_notes", activation="tanh")


def test_another_image_size_is_refused() -> None:
    with pytest.raises(SizeError) as caught:
        lenet5()(torch.zeros(2, 1, 28, 28))
    assert str(caught.value) == (
        "`images`: expected H and W of 32; got the shape [2, 1, 28, 28]. "
        "Try resizing or padding them to 32 x 32, or a net that takes any size, such as `resnet18`."
    )


def test_exports_with_any_batch_size() -> None:
    net = lenet5().eval()
    batch = torch.export.Dim("batch")
    program = torch.export.export(net, (torch.zeros(2, 1, 32, 32),), dynamic_shapes=({0: batch},))
    images = torch.randn(5, 1, 32, 32)
    torch.testing.assert_close(program.module()(images), net(images))
