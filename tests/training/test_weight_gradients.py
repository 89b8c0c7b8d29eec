import contextlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from striate.device import choose
from striate.nets import create
from striate.training import weight_gradients
from striate.training.weight_gradients import Backward, ByProducts, faster_backward

BFLOAT16 = choose("cpu", "bfloat16")


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of the weights whose gradients were products."""
    shapes: list[tuple[int, ...]] = []
    real = weight_gradients.gradients

    def noted(of: Backward) -> Any:
        shapes.append(tuple(of.weight.shape))
        return real(of)

    monkeypatch.setattr(weight_gradients, "gradients", noted)
    return shapes


def computed(layer: nn.Module, images: Tensor, context: contextlib.AbstractContextManager[object]) -> list[Tensor]:
    """Of the images and the parameters of a layer."""
    images = BFLOAT16.images(images).requires_grad_()
    with BFLOAT16.autocast():
        loss = layer(images).square().sum()
    with context:
        loss.backward()
    found = [images, *layer.parameters()]
    each = [tensor.grad for tensor in found if tensor.grad is not None]
    layer.zero_grad()
    return each


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (nn.Conv2d(128, 64, 1), (9, 5)),
        (nn.Conv2d(128, 96, 1, stride=2, bias=False), (8, 11)),
        (nn.Conv2d(256, 64, 3, padding=1), (7, 7)),
        (nn.Conv2d(256, 64, 3, padding=1, stride=2, bias=False), (14, 13)),
        (nn.Conv2d(256, 64, (1, 3), padding=(0, 1)), (4, 6)),
        (nn.Conv2d(256, 64, (5, 3), padding=(1, 2), stride=(2, 1)), (9, 6)),
    ],
    ids=str,
)
def test_products_are_the_gradients(layer: nn.Conv2d, size: tuple[int, int], products: list[Any]) -> None:
    torch.manual_seed(0)
    BFLOAT16.place(layer)
    images = torch.randn(3, layer.in_channels, *size)
    expected = computed(layer, images, contextlib.nullcontext())
    assert not products
    found = computed(layer, images, ByProducts())
    assert products == [tuple(layer.weight.shape)]
    assert len(found) == len(expected) == 2 + (layer.bias is not None)
    assert torch.equal(found[0], expected[0])  # of the images, which are left to oneDNN
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        assert ours.shape == theirs.shape
        assert float((ours - theirs).abs().max() / theirs.abs().max()) < 2**-6


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (nn.Conv2d(64, 128, 1), 7),  # few channels
        (nn.Conv2d(128, 32, 1), 7),
        (nn.Conv2d(128, 128, 3, padding=1), 7),
        (nn.Conv2d(256, 64, 3, padding=1), 9),  # a large map
        (nn.Conv2d(256, 64, 3, padding=2, dilation=2), 7),
        (nn.Conv2d(256, 256, 3, padding=1, groups=2), 7),
        (nn.ConvTranspose2d(256, 256, 3, padding=1), 7),
        (nn.Conv1d(256, 256, 1), 0),
    ],
    ids=str,
)
def test_others_are_left_alone(layer: nn.Module, size: int, products: list[Any]) -> None:
    channels = int(layer.in_channels)  # type: ignore[arg-type]
    images = torch.randn(2, channels, size, size) if size else torch.randn(2, channels, 5)
    with BFLOAT16.autocast():
        loss = layer(images).sum()
    with ByProducts():
        loss.backward()
    assert not products


def test_float32_weights_and_frozen_ones_are_left_alone(products: list[Any]) -> None:
    layer = nn.Conv2d(256, 64, 3, padding=1)
    with ByProducts():
        layer(torch.randn(2, 256, 4, 4)).sum().backward()
        layer.requires_grad_(False)
        with BFLOAT16.autocast():
            loss = layer(torch.randn(2, 256, 4, 4, requires_grad=True)).sum()
        loss.backward()
    assert not products


def test_patches_beyond_memory_are_not_copied(products: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    layer, images = BFLOAT16.place(nn.Conv2d(256, 64, 3, padding=1)), torch.randn(2, 256, 4, 4)
    monkeypatch.setattr(weight_gradients, "MOST_VALUES", 2 * 16 * 9 * 256 - 1)
    computed(layer, images, ByProducts())
    assert not products
    monkeypatch.setattr(weight_gradients, "MOST_VALUES", 2 * 16 * 9 * 256)
    computed(layer, images, ByProducts())
    assert products


@pytest.mark.parametrize(
    ("net", "precision", "amx", "faster"),
    [
        ("resnet18", "bfloat16", True, True),
        ("resnet18", "bfloat16", False, False),
        ("resnet18", "float32", True, False),
        ("lenet5", "bfloat16", True, False),
    ],
)
def test_only_where_it_gains(
    net: str, precision: str, amx: bool, faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"amx_bf16": amx})
    context = faster_backward(create(net), choose("cpu", precision))
    assert isinstance(context, ByProducts) == faster


def test_a_network_learns_alike(products: list[Any]) -> None:
    """One step after the other in the same context, as training does."""
    images, context = torch.randn(4, 3, 64, 64), ByProducts()
    torch.manual_seed(0)
    net = BFLOAT16.place(create("resnet18", num_classes=3)).eval()
    expected = computed(net, images, contextlib.nullcontext())
    for _ in range(2):
        found = computed(net, images, context)
        for ours, theirs in zip(found, expected, strict=True):
            assert float((ours - theirs).norm()) <= 0.02 * float(theirs.norm())
    assert len(products) == 2 * 9  # of 20 convolutions
