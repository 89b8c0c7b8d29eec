"""timm's models as nets of ours: with timm where it is, by a stand-in where it is not."""

import sys
from collections import OrderedDict
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from striate.errors import UsageError
from striate.nets import create, default_of


def test_one_sentence_where_timm_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r"timm/resnet18: expected timm to be installed; .* Try `pip install"):
        create("timm/resnet18")


class FakeModel(nn.Module):
    """Has of a timm model what is used of it."""

    def __init__(self, in_chans: int, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_chans, 4, 3, stride=2)
        self.act = nn.ReLU()
        self.head = nn.Sequential(OrderedDict(fc=nn.Linear(4, num_classes)))
        self.pretrained_cfg = {"input_size": (3, 48, 48), "classifier": "head.fc"}
        self.feature_info = [{"module": "stem"}]

    def forward_intermediates(self, images: Tensor, intermediates_only: bool) -> list[Tensor]:
        assert intermediates_only
        return [self.act(self.stem(images))]

    def forward(self, images: Tensor) -> Any:
        return self.head(self.forward_intermediates(images, intermediates_only=True)[-1].mean(dim=(2, 3)))


class FakeTimm(ModuleType):
    """Has of timm what is used of it."""

    def list_models(self) -> list[str]:
        return ["small"]

    def is_model(self, name: str) -> bool:
        return name in self.list_models()

    def create_model(self, _name: str, *, pretrained: bool, num_classes: int, in_chans: int) -> nn.Module:
        assert not pretrained
        return FakeModel(in_chans, num_classes)


def test_the_surface_of_a_net(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", FakeTimm("timm"))
    net: Any = create("timm/small", num_classes=5, in_channels=1)
    images = torch.zeros(2, 1, 48, 48)
    assert net(images).shape == (2, 5)
    assert [tuple(map_.shape) for map_ in net.features(images)] == [(2, 4, 23, 23)]
    assert (net.stages, net.explained_layer, net.image_size) == (("model.stem",), "model.stem", 48)
    assert (default_of("timm/small", "in_channels"), default_of("timm/small", "num_classes")) == (3, 1000)


def test_an_unknown_model_or_argument_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", FakeTimm("timm"))
    with pytest.raises(UsageError, match=r"timm/smal: expected the name of a timm model\. Did you mean `small`\?"):
        create("timm/smal")
    with pytest.raises(UsageError, match="expected an argument that it takes; got `width`"):
        create("timm/small", width=2)


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "convnext_atto", "vit_tiny_patch16_224"])
def test_real_models(name: str) -> None:
    pytest.importorskip("timm", reason="the extra striate[hub] is not installed")
    net: Any = create(f"timm/{name}", num_classes=5).eval()
    images = torch.randn(2, 3, net.image_size, net.image_size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert net(images).shape == (2, 5)
        assert all(map_.shape[0] == 2 and map_.ndim == 4 for map_ in net.features(images))
    modules = dict(net.named_modules())
    assert net.explained_layer in modules
    frozen = {id(parameter) for stage in net.stages for parameter in modules[stage].parameters()}
    heads = [parameter.shape[0] for parameter in net.parameters() if id(parameter) not in frozen]
    assert heads
    assert 5 in heads
