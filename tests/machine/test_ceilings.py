import pytest
import torch

from striate.device import Machine, choose
from striate.machine import ceilings
from striate.machine.ceilings import _convolution, _product, convolutions, memory
from striate.machine.timing import Rate, Work


def test_a_product_and_a_sum_are_two_operations() -> None:
    assert _product(choose("cpu"), torch.float32, 8, 3)() == 2 * 3 * 8**2


@pytest.mark.parametrize(("back", "passes"), [(False, 1), (True, 3)])
def test_operations_of_a_convolution(back: bool, passes: int) -> None:
    """Of two images: 9 weights a pair of channels, at each of 4 x 4 places."""
    work = _convolution(choose("cpu"), torch.float32, 8, 4, 2, back=back)
    assert work() == passes * 2 * 2 * 9 * 8 * 8 * 4 * 4


def test_gradients_of_images_and_weights_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []
    grad = torch.autograd.grad

    def counted(output: torch.Tensor, inputs: tuple[torch.Tensor, ...], gradient: torch.Tensor) -> None:
        asked.extend(tuple(one.shape) for one in grad(output, inputs, gradient))

    monkeypatch.setattr(torch.autograd, "grad", counted)
    _convolution(choose("cpu"), torch.bfloat16, 8, 4, 2, back=True)()
    assert asked == [(2, 8, 4, 4), (8, 8, 3, 3)]


def test_every_convolution_is_measured_and_the_best_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def rates(works: dict[str, Work], rounds: int, least_s: float) -> dict[str, Rate]:
        measured.extend(works)
        return {name: Rate(value, value, value) for value, name in enumerate(works)}

    def nothing(machine: Machine, dtype: torch.dtype, channels: int, size: int, count: int, *, back: bool) -> Work:
        return lambda: 0

    monkeypatch.setattr(ceilings, "rates", rates)
    monkeypatch.setattr(ceilings, "_convolution", nothing)
    found = convolutions(choose("cpu"), 2, 0.0)
    assert len(measured) == len(set(measured)) == 2 * 2 * len(ceilings.CONVOLUTIONS)
    for kind, rate in found.items():
        assert rate.median == max(i for i, name in enumerate(measured) if name.rpartition(" ")[0] == kind)


@pytest.mark.parametrize(("lasts", "count"), [(0.3, 2), (0.1, 6), (1e-4, 32)])
def test_slow_arithmetic_is_measured_on_few_images(lasts: float, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lasts` are the seconds of two images; a quarter of a second is long."""
    monkeypatch.setattr(ceilings, "seconds", lambda work: lasts)
    assert ceilings._enough(lambda images: lambda: images, 2, 32)() == count


def test_memory_is_copied_and_taken_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "COPIED", 1 << 16)
    assert set(memory(choose("cpu"), 2, 0.0)) == {"copied", "fresh"}
