import pytest
import torch
from torch.nn.functional import linear, max_pool2d

from striate.errors import SizeError
from striate.nets.lenet_caffe import CaffeLeNet


def test_layers_as_caffe_has_them() -> None:
    net = CaffeLeNet()
    counts = [sum(parameter.numel() for parameter in layer.parameters()) for layer in net.children()]
    assert counts == [520, 25_050, 400_500, 5_010]


def test_relu_follows_the_first_linear_layer_alone() -> None:
    net = CaffeLeNet()
    images = torch.randn(2, 1, 28, 28)
    c1, s2, c3, s4 = net.features(images)
    torch.testing.assert_close(c1, net.conv1(images))
    assert c1.min() < 0
    torch.testing.assert_close(s2, max_pool2d(c1, 2))
    torch.testing.assert_close(c3, net.conv2(s2))
    torch.testing.assert_close(s4, max_pool2d(c3, 2))
    hidden = net.fc1(s4.flatten(1)).clamp(min=0)
    torch.testing.assert_close(net(images), linear(hidden, net.fc2.weight, net.fc2.bias))


def test_initial_values_have_a_variance_of_one_over_the_fan_in() -> None:
    net = CaffeLeNet()
    for layer in (net.conv1, net.conv2, net.fc1, net.fc2):
        bound = (3 / layer.weight[0].numel()) ** 0.5
        assert 0.9 * bound < layer.weight.abs().max() <= bound
    assert all(not parameter.any() for name, parameter in net.named_parameters() if name.endswith("bias"))


def test_another_image_size_is_refused() -> None:
    with pytest.raises(SizeError) as caught:
        CaffeLeNet()(torch.zeros(2, 1, 32, 32))
    assert str(caught.value) == (
        "`images`: expected H and W of 28; got the shape [2, 1, 32, 32]. "
        "Try resizing them to 28 x 28, or a net that takes any size, such as `resnet18`."
    )
