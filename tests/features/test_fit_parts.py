from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from task_table import boxed

from striate import transfer
from striate.console import Reporter
from striate.model import load
from striate.recipe import Recipe
from striate.tasks.locate import Located
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
