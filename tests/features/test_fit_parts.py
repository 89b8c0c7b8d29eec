from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from task_table import boxed, masked

from striate import transfer
from striate.console import Reporter
from striate.model import load
from striate.recipe import Recipe
from striate.tasks.located import Located
from striate.tasks.segment import Segmented
from striate.training import train


@pytest.mark.parametrize("freeze", ["all", "none"])
def test_the_heads_of_a_locator_begin_as_fitted(
    freeze: str, tiny_recipe: Callable[..., Recipe], silent: Reporter, tmp_path: Path
) -> None:
    values: dict[str, Any] = {"model_args": {}, "crop_pct": None, "in_channels": 1, "img_size": 32, "epochs": 1}
    index = boxed(tmp_path / "data")
    first = train(index, tiny_recipe(**values | {"model": "resnet20_cifar"}), tmp_path / "first", silent)
    recipe = tiny_recipe(**values | {"model": None, "weights": str(first.model), "freeze": freeze})
    run = transfer.train(index, recipe, tmp_path / "second", silent)
    model = load(run.model, device="cpu", precision="float32")
    found = model.predict(tmp_path / "data" / "00.png")
    assert isinstance(found, Located)
    assert found.box is not None
    assert "in cross-validation" in run.log.read_text() or freeze == "all"


@pytest.mark.parametrize("freeze", ["all", "none"])
def test_a_segmenter_begins_with_the_weights_of_its_encoder(
    freeze: str, tiny_recipe: Callable[..., Recipe], silent: Reporter, tmp_path: Path
) -> None:
    values: dict[str, Any] = {"model_args": {}, "crop_pct": None, "in_channels": 1, "img_size": 32, "epochs": 1}
    asked = tiny_recipe(**values | {"model": "resnet20_cifar", "task": "classify"})
    first = train(boxed(tmp_path / "boxes"), asked, tmp_path / "first", silent)
    recipe = tiny_recipe(**values | {"model": None, "weights": str(first.model), "freeze": freeze})
    run = transfer.train(masked(tmp_path / "data"), recipe, tmp_path / "second", silent)
    model = load(run.model, device="cpu", precision="float32")
    found = model.predict(tmp_path / "data" / "00.png")
    assert isinstance(found, Segmented)
    assert found.mask is not None
    frozen = model.net.state_dict()["encoder.conv1.weight"].equal(load(first.model).net.state_dict()["conv1.weight"])
    assert frozen == (freeze == "all")
