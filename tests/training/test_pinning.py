"""What decides the last bits of a run is in its recipe, and a run that goes on uses it or says why not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from striate.console import Reporter
from striate.device import arithmetic_threads, choose
from striate.model import load
from striate.recipe import Recipe
from striate.recipe import load as load_recipe
from striate.training import resume, train
from striate.training.pinning import changes, pinned, possible

MakeRecipe = Callable[..., Recipe]


def test_a_run_keeps_what_was_decided(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(epochs=1, precision="auto", threads=2), tmp_path / "run", silent)
    kept, model, here = load_recipe(run.recipe).machine, load(run.model), choose("cpu")
    expected = {"precision": here.precision, "memory_format": here.memory_format, "runtime": "torch", "threads": 2}
    assert {key: getattr(kept, key) for key in expected} == expected == model.about["machine"]
    assert torch.get_num_threads() == 1  # as before


def test_a_run_that_goes_on_says_what_is_otherwise(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(epochs=1), tmp_path / "run", silent)
    before = run.log.read_text()
    resume(run.path, reporter=silent)
    assert "digits will be others" not in run.log.read_text()
    own = run.read_recipe()
    resume(run.path, replace(own, machine=replace(own.machine, precision="bfloat16")), silent)
    said = run.log.read_text().removeprefix(before)
    assert "precision: bfloat16, where the run began with float32: its last digits will be others." in said
    assert run.read_recipe().machine.precision == "bfloat16"


def test_a_runtime_that_is_not_installed_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = replace(choose("cpu", "float32"), runtime="openvino")
    began = pinned(Recipe(), machine)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    now = possible(began)
    assert now.machine.runtime == "torch"
    here = choose("cpu", "float32", runtime=now.machine.runtime)
    assert changes(began, here) == [
        "runtime: torch, where the run began with openvino: its last digits will be others."
    ]


def test_nothing_is_said_of_an_older_run() -> None:
    assert changes(Recipe(), choose("cpu", "float32")) == []


def test_threads_are_as_before_also_after_a_failure() -> None:
    def fail() -> None:
        with arithmetic_threads(2):
            assert torch.get_num_threads() == 2
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.get_num_threads() == 1
