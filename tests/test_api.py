"""What a program calls."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import striate
from striate.console import Reporter
from striate.data.index_file import load_index
from striate.errors import UsageError
from striate.recipe import Recipe, dumps
from striate.training import RunFolder

MakeRecipe = Callable[..., Recipe]
TINY: dict[str, Any] = {"model": "lenet5", "model_args": {"activation": "relu"}, "epochs": 1, "workers": 1}
MACHINE: dict[str, Any] = {"device": "cpu", "precision": "float32"}


@pytest.fixture
def pairs(two_classes: Path) -> list[tuple[Path, str]]:
    return [(path, path.parent.name) for path in sorted(two_classes.rglob("*.png"))]


def test_a_model_comes_of_a_folder_and_a_few_settings(two_classes: Path, silent: Reporter, tmp_path: Path) -> None:
    run = striate.train(str(two_classes), output=str(tmp_path / "run"), reporter=silent, **TINY, **MACHINE)
    assert isinstance(run, RunFolder)
    assert run.read_recipe().training.epochs == 1
    model = striate.load(run.model, device="cpu", precision="float32")
    scores = striate.evaluate(model, two_classes, workers=1)
    assert scores.split == "test"
    assert striate.evaluate(run.model, str(two_classes), split="all", workers=1).count == 24


def test_a_run_may_lie_in_its_data(
    two_classes: Path, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(two_classes)
    for _ in range(2):
        run = striate.train(".", reporter=silent, **TINY, **MACHINE)
        assert striate.evaluate(run.model, ".", split="all", workers=1).count == 24
    assert run.path == Path("runs/classify/two-lenet5-2")


def test_data_may_be_a_list(
    pairs: list[tuple[Path, str]], two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    recipe = tiny_recipe(epochs=1)
    listed = striate.train(pairs, recipe, output=tmp_path / "listed", reporter=silent)
    read = striate.train(two_classes, recipe, output=tmp_path / "read", reporter=silent)
    first, second = (load_index(run.index) for run in (listed, read))
    assert first.table == second.table
    assert (first.root, first.classes) == (second.root, second.classes)
    assert striate.evaluate(listed.model, pairs, workers=1).split == "test"


def test_a_folder_of_a_list_is_named_after_what_the_paths_share(
    pairs: list[tuple[Path, str]],
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert striate.train(pairs, tiny_recipe(epochs=1), reporter=silent).path == Path("runs/classify/two-lenet5")


def test_a_recipe_may_be_a_file_whose_values_settings_change(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    (tmp_path / "recipe.toml").write_text(dumps(tiny_recipe(epochs=3)))
    run = striate.train(two_classes, tmp_path / "recipe.toml", output=tmp_path / "run", reporter=silent, epochs=2)
    assert run.read_recipe().training.epochs == 2
    assert striate.resume(run.path, epochs=3, reporter=silent).read_recipe().training.epochs == 3
    assert "resumed from " in run.log.read_text()


def test_weights_are_taken_where_they_are_named(
    finished: RunFolder, two_classes: Path, silent: Reporter, tmp_path: Path
) -> None:
    run = striate.train(two_classes, output=tmp_path / "run", reporter=silent, weights=str(finished.model), **MACHINE)
    assert "of which 170 learn" in run.log.read_text()
    assert "0 computed" in striate.resume(run.path, reporter=silent).log.read_text()


@pytest.mark.parametrize(
    ("recipe", "settings", "sentence"),
    [
        (None, {"epoch": 3}, "recipe: unknown key `epoch`. Did you mean `epochs`?"),
        (None, {"epochs": 0}, "recipe: `epochs`: expected a whole number from 1 to 1,000,000; got 0."),
        (None, {"epochs": "3"}, "recipe: `epochs`: expected int, got str."),
        (
            5,
            {},
            "`recipe`: expected a Recipe or the path of a TOML file; got int. Try settings by name, such as epochs=5.",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_named(
    two_classes: Path, recipe: Any, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        striate.train(two_classes, recipe, **settings)
    assert str(caught.value) == sentence


def test_models_are_listed() -> None:
    assert "resnet18" in striate.list_models()
    assert striate.list_models("resnet1?") == ["resnet18"]
    assert striate.list_models("nothing*") == []


@pytest.mark.parametrize("first", ["striate.training", "striate.evaluation", "striate.training.loop", "striate.api"])
def test_train_and_evaluate_are_functions_whatever_was_imported_before(first: str) -> None:
    code = (
        f"import {first}, striate; from types import FunctionType\n"
        "assert isinstance(striate.train, FunctionType) and isinstance(striate.evaluate, FunctionType)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert isinstance(striate.train, FunctionType)


def test_dir_shows_what_there_is_without_loading_it() -> None:
    code = "import sys, striate; assert set(striate.__all__) <= set(dir(striate)); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert {"train", "evaluate", "load", "create", "list_models", "Recipe", "__version__"} <= set(dir(striate))


def test_type_checkers_are_told_that_the_package_has_types() -> None:
    assert (Path(striate.__file__).parent / "py.typed").exists()
