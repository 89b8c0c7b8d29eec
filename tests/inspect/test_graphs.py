"""Networks of any shape: functional code, joins, attention, what cannot be counted or followed."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from striate.errors import UsageError
from striate.graph.meta import build
from striate.inspect import Inspection, inspect


def of(net: type[nn.Module], *shape: int) -> Inspection:
    channels, height, width = shape
    return inspect(build(net), (channels, height, width))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(6, 3, 3, 3))
        self.scale = nn.Parameter(torch.empty(6, 1, 1))
        self.unused = nn.Parameter(torch.empty(11))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.weight / self.weight.norm(), padding=1)
        x = functional.gelu(x) * self.scale
        wide = functional.max_pool2d(x, 5, 1, 2)
        return torch.cat([x, wide + x], 1).mean((2, 3))


def test_functional_code() -> None:
    found = of(Functional, 3, 16, 16)
    rows = {layer.name: layer for layer in found.layers}
    assert list(rows) == ["conv2d", "gelu", "mul", "max_pool2d", "add", "cat", "mean"]
    assert rows["conv2d"].macs == 27 * 6 * 256
    assert (rows["conv2d"].parameters, rows["mul"].parameters) == (162, 6)
    assert found.idle == {"unused": 11}
    assert rows["add"].receptive_field == (7, 7)  # the larger of 3 and 7
    assert rows["mean"].receptive_field == (22, 22)  # 16 positions of 7, padding included, is what all read


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(self.conv(x))
        return y


def test_weights_that_are_used_twice_are_counted_once() -> None:
    first, second = of(Shared, 3, 8, 8).layers
    assert (first.parameters, second.parameters) == (84, 0)
    assert first.macs == second.macs
    assert second.receptive_field == (5, 5)


class Spectral(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = torch.fft.rfft2(self.conv(x)).abs()
        return y


def test_what_cannot_be_counted_is_named() -> None:
    found = of(Spectral, 3, 8, 8)
    assert found.uncounted == {"_fft_r2c in forward": 1}
    assert found.totals()["lower_bound"]
    assert found.macs == 27 * 4 * 36
    assert found.layers[-1].receptive_field is None
    assert list(found.unfollowed) == ["_fft_r2c in forward"]


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.mix = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.patches(x).flatten(2).transpose(1, 2))  # (N, 16, 8)
        mixed: Tensor = self.mix(tokens, tokens, tokens, need_weights=False)[0]
        return mixed.mean(1)


def test_attention_reads_everything() -> None:
    found = of(Attention, 3, 16, 16)
    fields = [layer.receptive_field for layer in found.layers]
    assert fields[:2] == [(4, 4), (4, 4)]  # a norm over the channels of a token reads that token
    assert fields[-1] == (16, 16)
    patches, projections, attention = 48 * 8 * 16, 16 * 8 * 8 * 4, 2 * 16 * 16 * 8
    assert found.macs == patches + projections + attention
    assert found.parameters == sum(layer.parameters for layer in found.layers)


class Gate(nn.Module):
    """Squeeze and excitation: each value is scaled by what the whole map says."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.gate = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        y: Tensor = x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()
        return y


def test_a_gate_makes_every_position_read_the_whole_map() -> None:
    last = of(Gate, 3, 16, 16).layers[-1]
    assert last.receptive_field == (17, 17)
    assert last.jump == (2, 2)


class Nhwc(nn.Module):
    """Channels last and a dense layer on them, as ConvNeXt has it; then a shuffle of channels and of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 7, padding=3)
        self.dense = nn.Linear(8, 16)
        self.head = nn.Conv2d(4, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dense(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # (N, 16, H, W)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        y: Tensor = self.head(functional.pixel_shuffle(x, 2))
        return y


def test_fields_go_through_permutations_and_shuffles() -> None:
    found = of(Nhwc, 3, 12, 12)
    assert [layer.receptive_field for layer in found.layers if layer.weighted] == [(7, 7), (7, 7), (8, 8)]
    assert found.layers[-1].jump == (0.5, 0.5)
    assert not found.unfollowed


class Written(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        y[:, :1] = functional.max_pool2d(x, 3, 1, 1)[:, :1]
        return y * 2


def test_writing_into_a_part_is_not_followed_and_said() -> None:
    found = of(Written, 3, 8, 8)
    assert found.unfollowed == {"copy_ in forward": 1}
    assert found.layers[-1].receptive_field is None


class Peeks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x if float(x.mean()) > 0 else -x


def test_code_that_looks_at_values_is_refused_with_a_reason() -> None:
    with pytest.raises(UsageError, match=r"Peeks: expected a network.* failed: .*tensors have shapes only"):
        of(Peeks, 3, 8, 8)


def test_an_image_of_the_wrong_channels() -> None:
    with pytest.raises(UsageError, match=r"`conv` failed: a convolution expected 3 channels and got 1\. Try another"):
        of(Shared, 1, 8, 8)


class Changes(nn.Module):
    """Every change of resolution, one after another."""

    def __init__(self, *steps: nn.Module) -> None:
        super().__init__()
        self.steps = nn.Sequential(*steps)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.steps(x)
        return y


@pytest.mark.parametrize(
    ("steps", "field", "jump"),
    [
        ([nn.MaxPool2d(2), nn.Upsample(scale_factor=2)], 2, 1),
        ([nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="bilinear")], 4, 1),
        ([nn.AvgPool2d(2), nn.ConvTranspose2d(1, 1, 4, 2, 1)], 4, 1),
        ([nn.Conv2d(1, 1, 3, dilation=2), nn.ZeroPad2d(1), nn.Conv2d(1, 1, 3)], 7, 1),
        ([nn.AdaptiveAvgPool2d(5)], 4, 3.2),
        ([nn.PixelUnshuffle(2), nn.Conv2d(4, 4, 3), nn.PixelShuffle(2)], 6, 1),
        ([nn.Conv2d(1, 4, 1), nn.GroupNorm(2, 4)], 16, 1),
    ],
)
def test_changes_of_resolution(steps: list[nn.Module], field: int, jump: float) -> None:
    last = inspect(build(lambda: Changes(*steps).to("meta")), (1, 16, 16)).layers[-1]
    assert last.receptive_field == (field, field)
    assert last.jump == (jump, jump)


def test_inspection_leaves_the_network_as_it_was() -> None:
    net = build(lambda: nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)))
    net[1].eval()  # type: ignore[index]
    inspect(net, (3, 8, 8))
    assert [module.training for module in net.modules()] == [True, True, False]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.lstm(x.flatten(2).transpose(1, 2))[0]
        return y


def test_a_module_of_many_products_is_one_layer() -> None:
    found = of(Recurrent, 3, 4, 4)
    (layer,) = found.layers
    assert (layer.kind, layer.shape) == ("lstm", (16, 5))
    assert (found.weighted_layers, found.depth) == (1, 1)
    initial = 4 * 5 * 5  # the weights times the first state, zeros, do not depend on the image
    assert layer.macs == 16 * 4 * 5 * (3 + 5) - initial
