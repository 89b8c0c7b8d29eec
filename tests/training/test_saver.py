import errno
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from striate.console import Reporter
from striate.errors import TrainingError
from striate.model import Model
from striate.recipe import Recipe
from striate.training import RunFolder, checkpoint, resume, saver, train
from striate.training.saver import Saver
from striate.training.state import State

MakeRecipe = Callable[..., Recipe]
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets each step wait for its checkpoint, so that they can be counted."""
    after_step = Saver.after_step

    def waiting(self: Saver, state: State) -> None:
        self._wait()
        after_step(self, state)
        self._wait()

    monkeypatch.setattr(Saver, "after_step", waiting)


def failing(monkeypatch: pytest.MonkeyPatch, home: object, name: str, error: BaseException, *calls: int) -> list[int]:
    """Lets some calls of a function fail, by their number from 0; returns the list that the calls are put in."""
    original, made = getattr(home, name), list[int]()

    def fail(*arguments: Any, **named: Any) -> Any:
        made.append(len(made))
        if made[-1] in calls:
            raise error
        return original(*arguments, **named)

    monkeypatch.setattr(home, name, fail)
    return made


def steps(run: RunFolder) -> list[int]:
    return [int(path.stem.removeprefix("step-")) for path in checkpoint.found(run.checkpoint)]


@pytest.mark.usefixtures("patient")
def test_there_is_one_each_time_that_it_is_due(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(checkpoint_every=1e-9, epochs=2), tmp_path / "run", silent)
    assert steps(run) == [4, 3]  # an epoch has two steps
    assert "checkpoints: 6 written, for which the run stood still " in run.log.read_text()  # four steps, two epochs


@pytest.mark.usefixtures("patient")
def test_a_full_disk_is_told_and_the_next_one_is_tried(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, checkpoint, "save_file", FULL, 1)
    run = train(two_classes, tiny_recipe(checkpoint_every=1e-9, epochs=1), tmp_path / "run", silent)
    assert (
        "the checkpoint of step 2 cannot be written: No space left on device. The run goes on and tries "
        f"again later. Last good checkpoint: {run.checkpoint / 'step-000000001.safetensors'}.\n"
    ) in run.log.read_text()
    assert steps(run) == [2, 1]


def test_the_end_of_a_run_that_cannot_be_written_is_a_failure(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        failing(patch, checkpoint, "save_file", FULL, *range(10))
        with pytest.raises(TrainingError) as caught:
            train(two_classes, tiny_recipe(), tmp_path / "run", silent)
    assert str(caught.value) == (
        "the end of the run cannot be written, for the reason told above. Mend it, then go on with "
        f"`striate train --resume {tmp_path / 'run'}`."
    )
    assert resume(tmp_path / "run", reporter=silent).model.exists()


def test_a_model_that_could_not_be_written_is_written_with_the_next_checkpoint(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = train(two_classes, tiny_recipe(), tmp_path / "unbroken", silent)
    failing(monkeypatch, Model, "save", FULL, 0, 1)
    run = train(two_classes, tiny_recipe(), tmp_path / "run", silent)
    first, second = load_file(unbroken.model), load_file(run.model)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert "the checkpoint of step 2 cannot be written" in run.log.read_text()


def test_an_error_that_nobody_foresaw_is_printed_and_ends_the_run(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", printed.append)
    failing(monkeypatch, checkpoint, "save_file", LookupError("a bug"), 0)
    with pytest.raises(RuntimeError, match="the thread that writes checkpoints failed; its own error was printed"):
        train(two_classes, tiny_recipe(), tmp_path / "run", silent)
    assert [str(arguments.exc_value) for arguments in printed] == ["a bug"]


def test_weights_that_are_not_finite_end_the_run(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("striate.training.loop.lr_at", lambda recipe, step, count: math.inf if step == 1 else 0.0)
    recipe = tiny_recipe(opt="sgd", checkpoint_every=1e-9)
    with pytest.raises(TrainingError, match=r"^after step 1: expected finite weights; got some that are not"):
        train(two_classes, recipe, tmp_path / "run", silent)
    assert 2 not in steps(RunFolder(tmp_path / "run"))


def test_epochs_go_without_while_checkpoints_cost_too_much(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saver, "FREE_S", -1.0)
    monkeypatch.setattr(saver, "SHARE", 0.0)
    run = train(two_classes, tiny_recipe(), tmp_path / "run", silent)
    assert steps(run) == [6]
    assert "checkpoints: 1 written" in run.log.read_text()


def test_the_loop_does_not_wait_for_the_disk_within_an_epoch(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that takes as long as an epoch: all its steps are taken meanwhile, and one is written at a time."""
    at_once: list[int] = []
    write, taken = checkpoint.write, list[int]()

    def slow(folder: Path, frozen: checkpoint.Checkpoint) -> Path:
        at_once.append(frozen.progress.step)
        while len(taken) < 8 and frozen.progress.step == 1:
            time.sleep(0.001)
        return write(folder, frozen)

    after_step = Saver.after_step

    def counted(self: Saver, state: State) -> None:
        after_step(self, state)
        taken.append(state.progress.step)

    monkeypatch.setattr(checkpoint, "write", slow)
    monkeypatch.setattr(Saver, "after_step", counted)
    recipe = tiny_recipe(checkpoint_every=1e-9, epochs=1, batch_size=2)
    run = train(two_classes, recipe, tmp_path / "run", silent)
    assert taken == list(range(1, 9))
    assert at_once == [1, 8]
    assert steps(run) == [8, 1]
