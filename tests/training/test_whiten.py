from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from striate.errors import UsageError
from striate.nets import create
from striate.training.whiten import LEAST, whiten


def patchy_images(number: int = 64, channels: int = 3) -> Tensor:
    """Smooth noise, as images are: neighbours and channels go together."""
    noise = torch.randn(number, channels, 20, 20, generator=torch.Generator().manual_seed(1))
    return nn.functional.avg_pool2d(noise, 5, 1) * 5 + 0.5 * noise.mean(1, keepdim=True)[..., 2:-2, 2:-2]


def test_answers_of_a_whole_layer_are_uncorrelated_and_alike_strong() -> None:
    net = nn.Sequential(nn.Conv2d(3, 24, 2))
    images = patchy_images()
    whiten(net, images.split(10))
    answers = net(images)[:, :12].detach().transpose(0, 1).flatten(1).double()
    products = answers @ answers.T / answers.shape[1]
    patches = unfold(images, 2).transpose(0, 1).flatten(1).double()
    variances = torch.linalg.eigvalsh(patches @ patches.T / patches.shape[1]).flip(0)
    assert torch.allclose(products, torch.diag(variances / (variances + LEAST)), atol=1e-3)


def test_filters_come_in_pairs_that_are_kept_from_training() -> None:
    net: Any = create("airbench94")
    whiten(net, [patchy_images()])
    weight = net.whiten.weight
    assert torch.equal(weight[:12], -weight[12:])
    assert not weight.requires_grad
    assert net.whiten.bias.requires_grad
    assert not net.whiten.bias.any()


def test_fewer_filters_have_the_directions_of_most_variance() -> None:
    whole, part = nn.Conv2d(3, 24, 2), nn.Conv2d(3, 6, 2, bias=False)
    for layer in (whole, part):
        whiten(nn.Sequential(layer), [patchy_images()])
    assert torch.equal(part.weight[:3], whole.weight[:3])


def test_stride_and_size_of_the_filters_count() -> None:
    net: Any = create("resnet18", num_classes=2)
    whiten(net, [torch.randn(2, 3, 64, 64)])
    assert net.conv1.weight[:32].flatten(1).norm(dim=1).isfinite().all()


def test_how_the_images_are_parted_does_not_matter() -> None:
    layers = [nn.Conv2d(1, 8, 2) for _ in range(2)]
    for layer, size in zip(layers, (5, 64), strict=True):
        whiten(nn.Sequential(layer), patchy_images(channels=1).split(size))
    assert torch.allclose(layers[0].weight.abs(), layers[1].weight.abs(), atol=1e-4)


@pytest.mark.parametrize(
    ("net", "sentence"),
    [
        (nn.Linear(3, 3), "^`whiten`: expected a network that begins with a convolution; got one that does not.$"),
        (nn.Conv2d(4, 4, 3, groups=2), "begins with a convolution"),
        (nn.Conv2d(1, 20, 3), "at most 18, twice the values of a patch; got 20"),
        (nn.Conv2d(1, 5, 3), "expected an even number of first filters, at most 18, .*; got 5"),
    ],
)
def test_a_net_that_cannot_whiten_is_refused(net: nn.Module, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        whiten(net, [])
