"""Weights, and what a recipe takes from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from striate.data import Preprocessing
from striate.errors import StriateError
from striate.model import Model
from striate.nets import create
from striate.pretrained import Pretrained, pretrained
from striate.recipe import DataRecipe, NetworkRecipe, Recipe, TrainingRecipe, TransferRecipe, from_dict
from striate.transfer import resolve


@pytest.fixture(scope="module")
def base() -> Pretrained:
    shown = Preprocessing((3, 48, 48), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), crop_pct=0.9)
    return Pretrained(create("mobilenet_v1", width=0.25).eval(), "mobilenet_v1", {"width": 0.25}, shown)


def test_what_is_left_open_comes_from_the_weights(base: Pretrained) -> None:
    recipe = Recipe(transfer=TransferRecipe(weights="w"))
    assert resolve(recipe, base) == Recipe(
        NetworkRecipe("mobilenet_v1", {"width": 0.25}),
        DataRecipe(img_size=48, in_channels=3, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), crop_pct=0.9),
        training=TrainingRecipe(lr=1e-4),
        transfer=TransferRecipe("w", "all"),
    )


def test_what_is_given_stays(base: Pretrained) -> None:
    recipe = Recipe(
        NetworkRecipe("mobilenet_v1", {"width": 0.25}),
        DataRecipe(img_size=64, in_channels=3, mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0), crop_pct=1.0),
        training=TrainingRecipe(lr=1e-3),
        transfer=TransferRecipe("w", "blocks.2"),
    )
    assert resolve(recipe, base) == recipe


def test_a_plan_is_made_later(base: Pretrained) -> None:
    assert resolve(Recipe(transfer=TransferRecipe("w", "auto")), base).transfer.freeze == "auto"


@pytest.mark.parametrize(
    ("table", "values", "sentence"),
    [
        ("network", {"model": "resnet18"}, "`model`: expected that of `--weights`, mobilenet_v1; got resnet18."),
        (
            "network",
            {"model_args": {"width": 1.0}},
            "`model_args`: expected that of `--weights`, {'width': 0.25}; got {'width': 1.0}.",
        ),
        ("data", {"in_channels": 1}, "`in_channels`: expected that of `--weights`, 3; got 1."),
        ("network", {"whiten": True}, "`whiten`: expected a network that begins with drawn values; got one of "),
        ("transfer", {"weights": "w", "freeze": "bloks"}, "`freeze`: expected all, none, a share from 0 to 1, or a "),
    ],
)
def test_what_does_not_go_with_the_weights(base: Pretrained, table: str, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StriateError) as caught:
        resolve(from_dict({"transfer": {"weights": "w"}, table: values}), base)
    assert str(caught.value).startswith(sentence)


def test_a_model_file_is_weights(untrained: Callable[..., Model], tmp_path: Path) -> None:
    model = untrained(tuple("abcde"))
    model.save(tmp_path / "model.safetensors")
    found = pretrained(tmp_path / "model.safetensors")
    assert (found.name, found.arguments) == ("lenet5", {"activation": "relu"})
    assert found.preprocessing == model.preprocessing
    assert torch.equal(found.net.get_parameter("fc3.weight"), model.net.get_parameter("fc3.weight"))


def test_neither_a_name_nor_a_file(tmp_path: Path) -> None:
    with pytest.raises(StriateError) as caught:
        pretrained("mobilenet_v1_10.imagenet")
    assert str(caught.value) == (
        "`weights`: expected the name of published weights, or a file; got mobilenet_v1_10.imagenet. "
        "Did you mean `mobilenet_v1_100.imagenet`?"
    )
