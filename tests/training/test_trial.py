"""bfloat16 is tried against float32, and float32 takes its place where it changes answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import striate
from striate.console import Reporter
from striate.data.index_file import load_index
from striate.evaluation import evaluate
from striate.features import fit_head
from striate.model import Model, load
from striate.plan import Plan
from striate.recipe import DataRecipe, MachineRecipe, Recipe, TransferRecipe
from striate.recipe import load as load_recipe
from striate.training import RunFolder
from striate.training.trial import Trial, tried
from striate.transfer import plan

Train = Callable[..., RunFolder]


@pytest.fixture
def trained(untrained: Callable[..., Model], two_classes: Path, silent: Reporter, tmp_path: Path) -> Train:
    """Trains in bfloat16, from weights that a file has unless told otherwise, into a folder of some name."""
    weights = tmp_path / "weights.safetensors"
    untrained().save(weights)
    usual: dict[str, Any] = {
        "weights": str(weights),
        "device": "cpu",
        "precision": "bfloat16",
        "workers": 1,
        "crop_pct": 1.0,
    }

    def train(name: str, **values: Any) -> RunFolder:
        return striate.train(two_classes, output=tmp_path / name, reporter=silent, report=False, **usual | values)

    return train


@pytest.mark.parametrize(
    ("images", "changed", "passed"),
    [(10, 0, True), (10, 1, True), (10, 2, False), (256, 1, True), (256, 2, False), (1000, 5, True), (1000, 6, False)],
)
def test_one_changed_answer_is_no_sign_and_more_than_1_in_200_are(images: int, changed: int, passed: bool) -> None:
    assert Trial(images, changed, 0.01).passed == passed


def test_a_trial_says_what_it_found() -> None:
    said = "bfloat16 beside float32 on 256 images: outputs differ by 1.23%, "
    assert str(Trial(256, 1, 0.0123)) == said + "1 answer changes"
    assert str(Trial(256, 0, 0.0123)) == said + "0 answers change"


def test_images_of_val_are_tried(finished: RunFolder) -> None:
    index = load_index(finished.index)
    found = tried(load(finished.model), index, workers=1)
    assert found.images == len(index.rows("val"))
    assert 0 < found.difference < 0.05


@pytest.mark.parametrize("freeze", ["all", "auto"])
@pytest.mark.parametrize("clearly", [True, False])
def test_a_few_images_spare_features_that_would_be_in_vain(
    freeze: str, clearly: bool, trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fit_head, "TRIED_FROM", 8)
    monkeypatch.setattr(fit_head, "TRIED", 8)
    monkeypatch.setattr(fit_head, "CLEARLY_CHANGED", -1 if clearly else 1)
    run = trained("run", freeze=freeze)
    said, model = run.log.read_text(), load(run.model)
    assert (
        model.machine.precision == load_recipe(run.recipe).machine.precision == ("float32" if clearly else "bfloat16")
    )
    assert ("bfloat16 beside float32 on 8 images" in said) == clearly
    assert said.count("features of train:") == 1
    assert model.metrics == evaluate(model, load_index(run.index), "val").metrics


@pytest.mark.parametrize("clearly", [True, False])
def test_what_a_plan_computed_the_run_after_it_takes_in_whichever_precision(
    clearly: bool, trained: Train, two_classes: Path, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fit_head, "TRIED_FROM", 8)
    monkeypatch.setattr(fit_head, "TRIED", 8)
    monkeypatch.setattr(fit_head, "CLEARLY_CHANGED", -1 if clearly else 1)
    transfer = TransferRecipe(weights=str(tmp_path / "weights.safetensors"))
    machine = MachineRecipe(device="cpu", precision="bfloat16", workers=1)
    recipe = Recipe(transfer=transfer, machine=machine, data=DataRecipe(crop_pct=1.0))
    planned, index, _ = plan(two_classes, recipe, silent)
    images = len(index.rows("train"))
    assert isinstance(planned, Plan)
    assert planned.computed == images
    said = trained("run", freeze="all", views=1).log.read_text()
    assert ("float32 takes its place" in said) == clearly
    assert f"features of train: {images} images in 1 view; 0 computed" in said


@pytest.mark.parametrize(
    "values", [{"freeze": "all"}, {"freeze": "conv2", "views": 2}, {"freeze": "none"}, {"weights": "none"}]
)
def test_where_it_changes_too_many_the_model_answers_in_float32(
    values: dict[str, Any], trained: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"epochs": 1} | ({"model": "lenet5"} if values.get("weights") == "none" else {}) | values
    passing = trained("passing", **asked)
    assert load(passing.model).machine.precision == "bfloat16"
    assert load(passing.model).about["bfloat16"].keys() == {"images", "changed", "difference"}
    monkeypatch.setattr(Trial, "passed", False)
    failing = trained("failing", **asked)
    model = load(failing.model)
    assert model.machine.precision == "float32"
    assert model.about["bfloat16"]["images"] > 0
    assert "more than 1 in 200: float32 takes its place" in failing.log.read_text()
    tried_before = values.get("weights") != "none"  # by published weights; else it was trained so
    assert load_recipe(failing.recipe).machine.precision == ("float32" if tried_before else "bfloat16")
    images = torch.randint(0, 255, (2, 32, 32, 1), dtype=torch.uint8)
    plain = load(failing.model, precision="float32").predict_batch(images)
    assert torch.equal(model.predict_batch(images), plain)
