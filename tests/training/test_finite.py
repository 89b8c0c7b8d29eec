"""Numbers that are not finite: skipped, or the end of the run."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from normed import Normed
from torch import Tensor

from striate.console import Reporter
from striate.data.index_file import load_index
from striate.errors import TrainingError
from striate.nets import CATALOGUE
from striate.recipe import Recipe
from striate.tasks import Targets
from striate.tasks.classify import CrossEntropy
from striate.training import RunFolder, checkpoint, loop, resume, train
from striate.training.accumulate import Step
from striate.training.inputs import Inputs
from striate.training.run import Run
from striate.training.state import State

MakeRecipe = Callable[..., Recipe]
WritePictures = Callable[[Path, Mapping[str, int]], Path]


@pytest.fixture(autouse=True)
def normed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "normed", Normed)


def last(run: RunFolder) -> checkpoint.Checkpoint:
    return checkpoint.read(checkpoint.found(run.checkpoint)[0])


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Spoils the loss, or with `gradient` only the gradient, of some steps."""

    def poison(*steps: int, gradient: bool = False) -> None:
        forward, count = CrossEntropy.forward, iter(range(1000))

        def spoiled(self: CrossEntropy, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
            loss, logits = forward(self, images, targets)
            if next(count) in steps:
                loss = loss + (logits.sum() * 0).sqrt() if gradient else loss * math.nan  # the root's slope at 0 is inf
            return loss, logits

        monkeypatch.setattr(CrossEntropy, "forward", spoiled)

    return poison


@pytest.mark.parametrize(
    ("gradient", "found"),
    [(False, "expected a finite loss; got nan."), (True, "expected a finite gradient; got one of norm nan.")],
)
def test_a_step_that_is_skipped_changes_nothing(
    two_classes: Path,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    poisoned: Callable[..., None],
    gradient: bool,
    found: str,
) -> None:
    poisoned(3, gradient=gradient)
    seen: dict[int, tuple[str, str]] = {}
    take_step = loop.take_step

    def compared(run: Run, inputs: Inputs, state: State, *others: Any) -> Step:
        def digest() -> str:
            return checkpoint.digest(checkpoint.freeze(state, Recipe()).tensors)

        number, before = state.progress.step, digest()
        step = take_step(run, inputs, state, *others)
        seen[number] = before, digest()
        return step

    monkeypatch.setattr(loop, "take_step", compared)
    recipe = tiny_recipe(model="normed", model_args={}, ema_decay=0.9, skip_bad_steps=1)
    run = train(two_classes, recipe, tmp_path / "run", silent)
    assert [step for step, (before, after) in seen.items() if before == after] == [3]
    assert last(run).progress.skipped == 1
    assert last(run).progress.step == 6
    index = load_index(run.index)
    line = next(line for line in run.log.read_text().splitlines() if "step 3: " in line)
    text, _, files = line.partition(" Images of the batch: ")
    assert text.endswith(f"step 3: {found} Skipped, as 1 of at most 1.")
    assert set(files.split(", ")) < set(index.paths(index.rows("train")))


def test_more_bad_steps_than_may_be_skipped_end_the_run(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, poisoned: Callable[..., None]
) -> None:
    poisoned(1, 4)
    with pytest.raises(TrainingError, match=r"^step 4: expected a finite loss; got nan\. Try a lower --lr"):
        train(two_classes, tiny_recipe(skip_bad_steps=1), tmp_path / "run", silent)
    poisoned()
    resumed = resume(tmp_path / "run", tiny_recipe(skip_bad_steps=2), silent)
    assert last(resumed).progress.skipped == 1
    assert last(resumed).recipe.training.skip_bad_steps == 2


def test_an_epoch_of_bad_steps_has_no_loss(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, poisoned: Callable[..., None]
) -> None:
    poisoned(0, 1)
    run = train(two_classes, tiny_recipe(epochs=1, skip_bad_steps=2), tmp_path / "run", silent)
    assert last(run).progress.rows[0]["train_loss"] is None
    assert "epoch 1/1: no step with finite numbers; val accuracy" in run.log.read_text()


def test_a_gradient_that_is_clipped_is_looked_at(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, poisoned: Callable[..., None]
) -> None:
    poisoned(1, gradient=True)
    with pytest.raises(TrainingError, match=r"^step 1: expected a finite gradient; got one of norm nan\."):
        train(two_classes, tiny_recipe(clip_grad=1.0), tmp_path / "run", silent)
