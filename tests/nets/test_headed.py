from typing import Any

import pytest
import torch
from torch import nn

from striate.errors import UsageError
from striate.layers.cosine import Cosine
from striate.nets import create


@pytest.mark.parametrize("encoder", ["lenet5_notes", "mobilenet_v1_025", "resnet20_cifar", "vgg11_bn", "inception_v3"])
@pytest.mark.parametrize("head", ["linear", "mlp", "cosine"])
def test_a_head_on_any_net_with_features(encoder: str, head: str) -> None:
    with torch.device("meta"):
        net = create("headed", encoder=encoder, depths=2, head=head, num_classes=5).eval()
        size: Any = net.image_size
        assert net(torch.empty(2, 3, size, size)).shape == (2, 5)
    named = dict(net.named_modules())
    within = {f"{stage}.{name}" for stage in net.stages for name, _ in named[stage].named_parameters()}  # type: ignore[union-attr]
    assert within | {name for name, _ in net.named_parameters() if name.startswith("classifier.")} == {
        name for name, _ in net.named_parameters()
    }
    assert net.explained_layer in named


@torch.inference_mode()
def test_the_vector_is_that_of_the_last_maps_side_by_side() -> None:
    net: Any = create("headed", encoder="resnet20_cifar", depths=2, num_classes=3).eval()
    images = torch.randn(2, 3, 16, 16)
    *_, before, last = net.encoder.features(images)
    vector = torch.cat([before.mean(dim=(2, 3)), last.mean(dim=(2, 3))], dim=1)
    assert vector.shape == (2, 96)
    torch.testing.assert_close(net(images), net.classifier(vector))


def test_with_one_depth_and_a_linear_head_it_is_the_net_itself() -> None:
    torch.manual_seed(0)
    plain: Any = create("resnet20_cifar", num_classes=3).eval()
    net: Any = create("headed", encoder="resnet20_cifar", num_classes=3).eval()
    net.encoder.load_state_dict(plain.state_dict(), strict=False)
    net.classifier.load_state_dict(plain.linear.state_dict())
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(net(images), plain(images))


def test_heads_and_what_the_encoder_takes() -> None:
    net: Any = create("headed", encoder="mobilenet_v1", width=0.25, head="mlp", hidden=7, num_classes=3)
    assert [type(layer) for layer in net.classifier] == [nn.Linear, nn.ReLU, nn.Linear]
    assert net.classifier[0].weight.shape == (7, 256)
    cosine: Any = create("headed", encoder="mobilenet_v1", width=0.25, head="cosine", num_classes=3)
    assert isinstance(cosine.classifier, Cosine)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"head": "liner"}, "`head`: expected linear, mlp or cosine; got 'liner'. Did you mean `linear`?"),
        ({"depths": 6}, "`depths`: expected 1 to 5, the maps of resnet18; got 6."),
        ({"encoder": "resnet81"}, "`resnet81`: expected the name of a net. Did you mean `resnet18`?"),
        ({"width": 2}, "`resnet18`: expected an argument that it takes; got `width`."),
    ],
)
def test_what_cannot_be_meant(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        create("headed", **arguments)
    assert str(caught.value).startswith(sentence)
