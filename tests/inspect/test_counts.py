"""Parameters, multiplications and memory, against the notes, the published numbers, and PyTorch's own counters."""

from typing import Any

import pytest
import torch
from net_table import EACH, Net
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from striate.graph.meta import build
from striate.graph.shapes import SHAPES, result_of
from striate.inspect import Inspection, find, inspect
from striate.nets import create


def of(net: Any, *shape: int) -> Inspection:
    channels, height, width = shape
    return inspect(build(net), (channels, height, width))


def of_row(row: Net) -> Inspection:
    return of(lambda: create(row.name), *row.input)


def test_the_table_of_the_notes() -> None:
    layers = [layer for layer in of(lambda: create("lenet5_notes"), 3, 32, 32).layers if not layer.elementwise]
    assert [layer.activations for layer in layers] == [6272, 1568, 1600, 400, 120, 84, 10]
    assert [layer.parameters for layer in layers] == [608, 0, 3216, 0, 48_120, 10_164, 850]
    assert [layer.name for layer in layers if layer.weighted] == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    assert [layer.kind for layer in layers][:3] == ["conv 5x5", "max pool 2x2 /2", "conv 5x5"]
    assert layers[0].shape == (8, 28, 28)
    assert [layer.receptive_field for layer in layers] == [(5, 5), (6, 6), (14, 14), (16, 16), *[(32, 32)] * 3]
    assert [layer.jump for layer in layers] == [(1, 1), (2, 2), (2, 2), (4, 4), None, None, None]


def test_one_convolution() -> None:
    (layer,) = of(lambda: nn.Conv2d(3, 10, 3), 3, 39, 39).layers
    assert (layer.parameters, layer.shape) == (280, (10, 37, 37))
    assert layer.macs == 27 * 10 * 37 * 37
    assert layer.multiply_adds == 28 * 10 * 37 * 37


def test_the_dense_layer_that_a_convolution_replaces() -> None:
    (layer,) = of(lambda: nn.Conv2d(3, 6, 5), 3, 32, 32).layers
    assert (layer.parameters, layer.activations) == (456, 4704)
    assert layer.dense_equivalent == 14_450_688 + 4704


def test_a_bottleneck_needs_a_tenth() -> None:
    plain = of(lambda: nn.Conv2d(192, 32, 5, padding=2), 192, 28, 28)
    narrow = of(lambda: nn.Sequential(nn.Conv2d(192, 16, 1), nn.Conv2d(16, 32, 5, padding=2)), 192, 28, 28)
    assert (plain.macs, narrow.macs) == (120_422_400, 12_443_648)
    assert [layer.macs for layer in narrow.layers] == [2_408_448, 10_035_200]


@pytest.mark.parametrize(
    ("name", "parameters", "macs", "depth", "field"),
    [
        ("vgg16", 138_357_544, 15_470_264_320, 16, 212),
        ("resnet18", 11_689_512, 1_814_073_344, 18, 435),
        ("resnet50", 25_557_032, 4_089_184_256, 50, 427),
        ("mobilenet_v2", 3_504_872, 300_774_272, 53, 491),
        ("googlenet", 13_004_888, 1_498_376_192, 22, 379),
    ],
)
def test_published_numbers(name: str, parameters: int, macs: int, depth: int, field: int) -> None:
    target = find(name)
    found = inspect(target.net, target.input_shape)
    assert (found.parameters, found.macs, found.depth) == (parameters, macs, depth)
    assert found.receptive_field == (field, field)


@pytest.mark.parametrize("row", EACH)
def test_every_net(row: Net) -> None:
    found = of_row(row)
    assert found.parameters == row.parameters
    assert sum(layer.parameters for layer in found.layers) + sum(found.idle.values()) == row.parameters
    assert not found.uncounted
    assert not found.unfollowed
    assert found.training_bytes
    assert sum(layer.share for layer in found.layers) == pytest.approx(1)
    net = build(lambda: create(row.name)).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.empty(1, *row.input, device="meta"))
    assert 2 * found.macs == counter.get_total_flops()


@pytest.mark.parametrize("row", EACH)
def test_the_quick_shapes_are_those_of_pytorch(row: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    differ: list[str] = []

    def compared(operation: Any, name: str, args: Any, kwargs: Any) -> Any:
        ours = result_of(operation, name, args, kwargs)
        if name in SHAPES or name == "cat":
            theirs = operation(*args, **kwargs)
            pairs = list(zip(*([x] if isinstance(x, Tensor) else x for x in (ours, theirs)), strict=True))
            if name == "native_batch_norm":  # its statistics are empty when they are not used, on a CPU
                pairs = pairs[:1]
            differ.extend(name for a, b in pairs if (a.shape, a.dtype) != (b.shape, b.dtype))
        return ours

    monkeypatch.setattr("striate.graph.meta.result_of", compared)
    of_row(row)
    assert not differ


@pytest.mark.parametrize(
    ("layer", "kind", "macs"),
    [
        (nn.Conv2d(8, 16, 3, groups=4), "grouped conv 3x3", 9 * 2 * 16 * 36),
        (nn.Conv2d(8, 8, 3, groups=8), "depthwise conv 3x3", 9 * 8 * 36),
        (nn.Conv2d(8, 4, (1, 3), stride=(1, 2)), "conv 1x3 /1x2", 3 * 8 * 4 * 8 * 3),
        (nn.ConvTranspose2d(8, 4, 2, 2), "transposed conv 2x2 /2", 4 * 8 * 4 * 64),
        (nn.Linear(8, 5), "dense", 64 * 40),
    ],
)
def test_kinds_of_product(layer: nn.Module, kind: str, macs: int) -> None:
    (row,) = of(lambda: nn.Sequential(layer).to("meta"), 8, 8, 8).layers
    assert (row.name, row.kind, row.macs) == ("0", kind, macs)
    assert row.multiply_adds == macs + row.activations
    assert row.weighted


class Memorable(nn.Module):
    """Holds its first map, of 4 channels, until the end."""

    def __init__(self, keep: bool) -> None:
        super().__init__()
        self.keep = keep
        self.convs = nn.ModuleList(nn.Conv2d(4, 4, 1, bias=False) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        first = x = self.convs[0](x)
        if not self.keep:
            del first
        for conv in self.convs[1:]:
            x = conv(x)
        return x + first if self.keep else x


@pytest.mark.parametrize(("keep", "maps_alive"), [(False, 3), (True, 4)])
def test_the_peak_of_inference_is_what_lives_at_once(keep: bool, maps_alive: int) -> None:
    """The image, which the caller holds, a layer's input and its output; and what a shortcut keeps."""
    found = of(lambda: Memorable(keep), 4, 10, 10)
    assert found.inference_bytes == maps_alive * 4 * 100 * 4


def test_training_keeps_what_the_backward_pass_reads() -> None:
    found = of(lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1)), 4, 10, 10)
    assert found.training_bytes == 3 * 1600  # the image, relu's output, which serves both sides, and the result
    assert found.weight_bytes == found.gradient_bytes == 2 * 20 * 4


def test_training_memory_agrees_with_what_autograd_saves() -> None:
    net = create("resnet18", num_classes=10)
    saved: dict[int, int] = {}
    mine = {parameter.untyped_storage().data_ptr() for parameter in net.parameters()}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in mine and tensor.shape[0] == 2 and tensor.dim() > 1:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        logits = net(torch.zeros(2, 3, 64, 64))
    found = of(lambda: create("resnet18", num_classes=10), 3, 64, 64)
    assert found.training_bytes == sum(saved.values()) // 2 + logits[0].nbytes
