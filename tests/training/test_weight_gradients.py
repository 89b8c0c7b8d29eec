import contextlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from striate.device import choose
from striate.nets import create
from striate.training import weight_gradients
from striate.training.weight_gradients import Backward, WeightGradients, bfloat16_backward, clear_unseen

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
    found = computed(layer, images, WeightGradients(products=True))
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
    with WeightGradients(products=True):
        loss.backward()
    assert not products


def test_float32_weights_and_frozen_ones_are_left_alone(products: list[Any]) -> None:
    layer = nn.Conv2d(256, 64, 3, padding=1)
    with WeightGradients(products=True):
        layer(torch.randn(2, 256, 4, 4)).sum().backward()
        layer.requires_grad_(False)
        with BFLOAT16.autocast():
            loss = layer(torch.randn(2, 256, 4, 4, requires_grad=True)).sum()
        loss.backward()
    assert not products


def test_patches_beyond_memory_are_not_copied(products: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    layer, images = BFLOAT16.place(nn.Conv2d(256, 64, 3, padding=1)), torch.randn(2, 256, 4, 4)
    monkeypatch.setattr(weight_gradients, "MOST_VALUES", 2 * 16 * 9 * 256 - 1)
    computed(layer, images, WeightGradients(products=True))
    assert not products
    monkeypatch.setattr(weight_gradients, "MOST_VALUES", 2 * 16 * 9 * 256)
    computed(layer, images, WeightGradients(products=True))
    assert products


@pytest.mark.parametrize(
    ("net", "precision", "amx", "expected"),
    [
        ("resnet18", "bfloat16", True, "products"),
        ("resnet18", "bfloat16", False, "whole"),
        ("resnet18", "float32", True, "as they are"),
        ("lenet5", "bfloat16", True, "whole"),
        ("resnet20_cifar", "bfloat16", True, "as they are"),
    ],
)
def test_only_where_it_mends_or_gains(
    net: str, precision: str, amx: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"amx_bf16": amx})
    context = bfloat16_backward(create(net), choose("cpu", precision))
    assert isinstance(context, WeightGradients) == (expected != "as they are")
    assert getattr(context, "products", False) == (expected == "products")


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "size"),
    [
        (7, 1, 3, 1, 2),
        (5, 1, 2, 1, 1),
        (11, 4, 5, 1, 3),
        (3, 1, 4, 4, 2),
        (5, 2, 2, 1, 4),
        (3, 1, 1, 1, 9),
        (2, 3, 2, 1, 1),
    ],
)
def test_weights_that_see_padding_alone_have_no_gradient(
    kernel: int, stride: int, padding: int, dilation: int, size: int
) -> None:
    layer = nn.Conv2d(2, 3, (kernel, 1), (stride, 1), (padding, 0), (dilation, 1), bias=False).double()
    images = torch.ones(1, 2, size, 4, dtype=torch.float64)
    found = layer(images)
    gradient = torch.ones_like(found)
    found.backward(gradient)
    whole = layer.weight.grad
    assert whole is not None
    kept = torch.ones_like(whole)
    shape = ([stride, 1], [padding, 0], [dilation, 1])
    clear_unseen(kept, Backward(gradient, images, layer.weight, None, *shape, False, [0, 0], 1, [True] * 3))
    assert torch.equal(kept != 0, whole != 0)


def test_no_gradient_is_what_the_memory_held() -> None:
    layer = BFLOAT16.place(nn.Conv2d(128, 192, 7, padding=3))
    for _ in range(3):
        before = [torch.full((layer.weight.numel() // 2 * size,), float("nan")) for size in (1, 2, 4)]
        del before
        for gradient in computed(layer, torch.randn(8, 128, 1, 1), WeightGradients(products=False)):
            assert gradient.isfinite().all()


def test_a_network_learns_alike(products: list[Any]) -> None:
    """One step after the other in the same context, as training does."""
    images, context = torch.randn(4, 3, 64, 64), WeightGradients(products=True)
    torch.manual_seed(0)
    net = BFLOAT16.place(create("resnet18", num_classes=3)).eval()
    expected = computed(net, images, contextlib.nullcontext())
    for _ in range(2):
        found = computed(net, images, context)
        for ours, theirs in zip(found, expected, strict=True):
            assert float((ours - theirs).norm()) <= 0.02 * float(theirs.norm())
    assert len(products) == 2 * 9  # of 20 convolutions
