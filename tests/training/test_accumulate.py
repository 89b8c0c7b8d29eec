"""The gradient of a step, among processes of which the other is played."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from striate.console import Reporter
from striate.recipe import Recipe
from striate.tasks import Targets
from striate.tasks.classify import CrossEntropy
from striate.training.accumulate import Accumulator, Step
from striate.training.images import images
from striate.training.network import new_network, objective_of
from striate.training.prepare import prepare
from striate.training.process_group import Processes
from striate.training.run import Run
from striate.training.state import State

MakeRecipe = Callable[..., Recipe]


@dataclass(frozen=True)
class Pair(Processes):
    """This process and one that finds the same, but for what `other` changes in its row of the table."""

    world: int = 2
    local_world: int = 2
    other: Callable[[Tensor, int], None] = lambda row, call: None
    calls: list[str] = field(default_factory=list)

    def add_(self, tensors: Sequence[Tensor]) -> None:
        self.calls.append("add_")
        *summed, table = tensors
        for tensor in summed:
            tensor.mul_(2)
        table[1] = table[0]
        self.other(table[1], len(self.calls))

    def numbers(self, *values: float) -> list[list[float]]:
        self.calls.append("numbers")
        return [list(values)] * 2

    def gather(self, value: Any) -> list[Any]:
        self.calls.append("gather")
        return [value] * 2


@pytest.fixture
def run(two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path) -> Iterator[Run]:
    with prepare(two_classes, tiny_recipe(class_weights="balanced"), tmp_path / "run", silent) as run:
        yield run


def stepped(run: Run, signal: int = 0, part_size: int | None = None) -> tuple[Step, list[Tensor]]:
    """The first step of this process's half, and the gradients."""
    net = new_network(replace(run, processes=Processes()))
    inputs, state = images(replace(run, processes=Processes())), State.begin(net, run.recipe)
    state.progress.part_size = part_size
    accumulate = Accumulator(run, objective_of(run, net, inputs).train(), state)
    [batch] = inputs.batches([run.index.rows("train")[4:10]], 0, 0)
    truth = run.task.targets(run.index, batch, run.preprocessing)
    shown, targets = inputs.transform(batch, truth, 0)
    sizes = [6] if run.processes.world == 1 else [6, 6]
    step = accumulate(shown, targets, truth, sizes, signal)
    return step, [parameter.grad.clone() for parameter in accumulate.parameters if parameter.grad is not None]


def test_everything_is_agreed_on_in_one_message(run: Run) -> None:
    pair = Pair()
    step, gradients = stepped(replace(run, processes=pair))
    alone, expected = stepped(run)
    assert pair.calls == ["add_"]
    assert step.images == 12
    assert (step.loss, step.score) == pytest.approx((alone.loss, 2 * alone.score))
    for gradient, value in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, value)


def test_a_share_counts_by_its_mass(run: Run) -> None:
    def twice_the_mass(row: Tensor, call: int) -> None:
        row[1] *= 2

    step, gradients = stepped(replace(run, processes=Pair(other=twice_the_mass)))
    alone, expected = stepped(run)
    assert step.loss == pytest.approx(alone.loss * 2 / 3)  # what the other found is the part of a third
    for gradient, value in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, value * 2 / 3)


def test_a_process_out_of_memory_lets_all_halve_and_none_hang(run: Run) -> None:
    def fails_once(row: Tensor, call: int) -> None:
        if call == 1:
            row[:] = torch.tensor([1.0, 0, 0, 0, 0])

    pair = Pair(other=fails_once)
    step, gradients = stepped(replace(run, processes=pair))
    assert pair.calls == ["add_", "add_"]
    assert "out of memory at step 0 with 6 images at a time: from here on 3," in run.folder.log.read_text()
    whole, expected = stepped(replace(run, processes=Pair()))
    assert step.loss == pytest.approx(whole.loss, rel=1e-5)
    for gradient, value in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, value, rtol=1e-4, atol=1e-6)


def test_a_signal_to_any_process_is_known_to_all(run: Run) -> None:
    def signalled(row: Tensor, call: int) -> None:
        row[4] = 15

    def unsignalled(row: Tensor, call: int) -> None:
        row[4] = 0

    assert stepped(replace(run, processes=Pair(other=signalled)))[0].signal == 15
    assert stepped(replace(run, processes=Pair(other=unsignalled)), signal=2)[0].signal == 2
    assert stepped(replace(run, processes=Pair()))[0].signal == 0


def test_the_device_is_read_once_a_step_however_many_parts_there_are(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    for name in ("item", "tolist", "__float__", "__bool__"):
        original = getattr(Tensor, name)

        def counted(self: Tensor, *, name: str = name, original: Callable[[Tensor], Any] = original) -> Any:
            if self.requires_grad or self.dtype == torch.float64:
                reads.append(name)
            return original(self)

        monkeypatch.setattr(Tensor, name, counted)
    forward, passes = CrossEntropy.forward, []

    def noted(self: CrossEntropy, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        passes.append(len(images))
        return forward(self, images, targets)

    monkeypatch.setattr(CrossEntropy, "forward", noted)
    stepped(run, part_size=2)
    assert passes[-3:] == [2, 2, 2]
    assert reads == ["tolist"]
