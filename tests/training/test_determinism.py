from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from striate.device import Machine, choose
from striate.errors import UsageError
from striate.nets import create
from striate.tasks.classify import Classify, CrossEntropy
from striate.training import determinism
from striate.training.determinism import deterministic, slowdown


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)


def flags() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark


@pytest.mark.parametrize(
    ("device", "asked", "expected"), [("cpu", False, True), ("cuda", True, True), ("cuda", False, False)]
)
def test_only_deterministic_operations_are_allowed_where_that_is_so(device: str, asked: bool, expected: bool) -> None:
    machine = Machine(torch.device(device), "float32", "contiguous", "for the test")
    torch.backends.cudnn.benchmark = True
    try:
        with deterministic(machine, asked):
            assert flags() == (expected, not expected)
        assert flags() == (False, True)
    finally:
        torch.backends.cudnn.benchmark = False


@pytest.fixture
def objective() -> CrossEntropy:
    return Classify(("a", "b")).cross_entropy(create("lenet5", num_classes=2, activation="relu"))


def test_the_trial_leaves_the_network_as_it_is(objective: CrossEntropy) -> None:
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    machine = choose("cpu", "float32")
    assert slowdown(machine, objective, torch.zeros(2, 1, 32, 32), {"label": torch.tensor([0, 1])}) > 0
    assert all(torch.equal(value, before[name]) for name, value in objective.state_dict().items())
    assert all(parameter.grad is None for parameter in objective.parameters())


def test_an_operation_without_a_deterministic_form_is_named(
    objective: CrossEntropy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> float:
        raise RuntimeError("pool_backward_cuda does not have a deterministic implementation")

    monkeypatch.setattr(determinism, "_seconds", refuse)
    images: Tensor = torch.zeros(2, 1, 32, 32)
    with pytest.raises(UsageError) as caught:
        slowdown(choose("cpu", "float32"), objective, images, {"label": torch.tensor([0, 1])})
    assert str(caught.value) == (
        "`deterministic`: expected a network that can be so on cpu; "
        "pool_backward_cuda does not have a deterministic implementation"
    )
