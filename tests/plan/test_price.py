from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from task_table import ROWS, Row

from striate.data import Preprocessing, split
from striate.device import choose
from striate.nets import create
from striate.plan import price
from striate.recipe import Recipe, TransferRecipe
from striate.tasks import task_of

SHOWN = Preprocessing((1, 32, 32), (0.5,), (0.5,), 1.0, "squash")
STAGES = ["all", "encoder.layer2", "encoder.layer1", "encoder.bn1", "encoder.conv1", "none"]


@pytest.mark.parametrize("row", ROWS[1:], ids=lambda row: row.name)
@pytest.mark.parametrize("freeze", ["all", "none"])
def test_a_run_of_a_task_without_a_fitted_head_has_a_price(
    row: Row, freeze: str, tiny_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    recipe = tiny_recipe(model=row.model, model_args={}, task=row.name, epochs=7)
    recipe = replace(recipe, transfer=TransferRecipe(weights="a", freeze=freeze))
    index = row.make(tmp_path / "data")
    task = task_of(index, recipe)
    index = split(task.match(index), val_fraction=0.25, test_fraction=0.0, seed=0)
    name, arguments = task.net(row.model, {"in_channels": 1})
    with torch.random.fork_rng():
        net = create(name, **arguments).eval()
    fits = row.name == "locate"
    found = price(index, net, SHOWN, choose("cpu", "float32"), recipe, fits_to_features=fits)
    assert [choice.freeze for choice in found.choices] == STAGES
    assert found.images == len(index.rows("train"))
    frozen, *_, whole = found.choices
    assert frozen.memory_bytes < whole.memory_bytes
    assert [choice.views for choice in found.choices] == ([2, 8, 8, 8, 8, 0] if fits else [0] * 6)
    expected = frozen if freeze == "all" else whole
    assert found.freeze == freeze
    assert found.sentence.startswith(f"--freeze {freeze} takes about ")
    epochs = "" if fits and freeze == "all" else " and 7 epochs"
    assert f" for {found.images} images{epochs}; how good" in found.sentence
    assert expected.seconds > 0
    assert found.to_dict()["choices"][0]["freeze"] == "all"
