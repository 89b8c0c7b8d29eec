import pytest
import torch

from striate.errors import SizeError
from striate.nets.convnet39 import ConvNet39


def test_the_example_of_the_notes() -> None:
    net = ConvNet39()
    maps = net.features(torch.zeros(1, 3, 39, 39))
    assert [tuple(x.shape[1:]) for x in maps] == [(10, 37, 37), (20, 17, 17), (40, 7, 7)]
    assert net.fc.in_features == 1_960
    assert sum(parameter.numel() for parameter in net.conv1.parameters()) == 280


def test_relu_follows_every_convolution() -> None:
    for x in ConvNet39().features(torch.randn(2, 3, 39, 39)):
        assert x.min() == 0
        assert x.max() > 0


def test_another_image_size_is_refused() -> None:
    with pytest.raises(SizeError) as caught:
        ConvNet39()(torch.zeros(2, 3, 40, 39))
    assert str(caught.value) == (
        "`images`: expected H and W of 39; got the shape [2, 3, 40, 39]. "
        "Try resizing or padding them to 39 x 39, or a net that takes any size, such as `resnet18`."
    )


def test_exports_with_any_batch_size() -> None:
    net = ConvNet39().eval()
    batch = torch.export.Dim("batch")
    program = torch.export.export(net, (torch.zeros(2, 3, 39, 39),), dynamic_shapes=({0: batch},))
    images = torch.randn(5, 3, 39, 39)
    torch.testing.assert_close(program.module()(images), net(images))
