import torch
from torch import Tensor, nn

from striate.graph.meta import build
from striate.inspect import Advice, advise, find, inspect


def of(*steps: nn.Module, shape: tuple[int, int, int]) -> dict[str, Advice]:
    net = build(lambda: nn.Sequential(*steps).to("meta"))
    return {advice.kind: advice for advice in advise(inspect(net, shape))}


def test_a_fall_of_activations() -> None:
    found = of(nn.Conv2d(16, 16, 3, stride=4, padding=1), shape=(16, 32, 32))["shrinks"]
    assert found.number == 16
    assert found.reason.startswith("the number of activations falls 16.0 times at `0`, from 16,384 to 1,024")
    assert "shrinks" not in of(nn.Conv2d(16, 16, 3, stride=2, padding=1), shape=(16, 32, 32))


def test_even_filters() -> None:
    assert of(nn.Conv2d(3, 8, 4), shape=(3, 32, 32))["even"].number == 4
    assert "even" not in of(nn.Conv2d(3, 8, 3), shape=(3, 32, 32))
    assert "even" not in of(nn.Conv2d(3, 8, 4, stride=4), shape=(3, 32, 32))  # patches have no centre to miss
    assert "even" not in of(nn.ConvTranspose2d(3, 8, 4, stride=2, padding=1), shape=(3, 32, 32))


def test_pixels_that_no_stride_sees() -> None:
    found = of(nn.Conv2d(3, 8, 3, stride=2), shape=(3, 32, 32))["unseen"]
    assert found.layers == ("0",)
    assert found.reason.startswith("1 of 32 rows and 1 of 32 columns before `0`, 6.2% of its input")
    assert "unseen" not in of(nn.Conv2d(3, 8, 3, stride=2), shape=(3, 33, 33))
    assert "unseen" not in of(nn.MaxPool2d(3, 2, ceil_mode=True), shape=(3, 32, 32))


class Projected(nn.Module):
    """A 1x1 shortcut of stride 2 reads a quarter of the pixels; the way beside it reads the rest."""

    def __init__(self, beside: bool) -> None:
        super().__init__()
        self.beside = beside
        self.shortcut = nn.Conv2d(3, 8, 1, stride=2)
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.shortcut(x)
        return y + self.conv(x) if self.beside else y


def test_pixels_that_another_branch_sees_are_not_lost() -> None:
    for beside in (True, False):
        found = advise(inspect(build(lambda beside=beside: Projected(beside)), (3, 32, 32)))  # type: ignore[misc]
        lost = [advice for advice in found if advice.kind == "unseen"]
        assert [advice.number for advice in lost] == ([] if beside else [0.75])


def test_a_dense_layer_with_most_weights() -> None:
    found = of(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 10), shape=(3, 8, 8))["dense"]
    assert found.layers == ("2",)
    assert found.number == 2890 / (2890 + 224)
    assert "dense" not in of(nn.Conv2d(3, 64, 3), nn.Flatten(), nn.Linear(64, 10), shape=(3, 3, 3))


def test_a_small_receptive_field() -> None:
    found = of(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), shape=(3, 10, 5))["small_receptive_field"]
    assert found.number == 0.5
    assert "5x5 at `1`, is smaller than the image, 10x5" in found.reason
    assert "small_receptive_field" not in of(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), shape=(3, 5, 5))


def test_the_bottleneck_of_the_notes() -> None:
    found = of(nn.Conv2d(192, 32, 5, padding=2), shape=(192, 28, 28))["bottleneck"]
    assert found.number == 120_422_400 / 12_443_648
    assert "would leave 12,443,648 of their 120,422,400 multiplications, 9.7 times fewer" in found.reason
    assert "bottleneck" not in of(nn.Conv2d(192, 32, 1), shape=(192, 28, 28))
    assert "bottleneck" not in of(nn.Conv2d(192, 192, 5, groups=192), shape=(192, 28, 28))


def test_a_sound_network_gets_no_advice_on_pixels() -> None:
    with torch.device("meta"):
        target = find("resnet18")
    kinds = {finding.kind for finding in advise(inspect(target.net, target.input_shape))}
    assert kinds == {"bottleneck"}
