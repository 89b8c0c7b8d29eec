"""What a recipe leaves open, and what no network fits."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from striate.console import Reporter
from striate.errors import UsageError
from striate.nets import CATALOGUE
from striate.recipe import Recipe
from striate.training import train
from striate.training.resolve import resolve

MakeRecipe = Callable[..., Recipe]
WritePictures = Callable[[Path, Mapping[str, int]], Path]


def test_a_recipe_is_filled_in_from_the_network() -> None:
    grey = resolve(Recipe(network=replace(Recipe().network, model="lenet5"))).data
    assert (grey.img_size, grey.in_channels, grey.mean, grey.std) == (32, 1, (0.5,), (0.5,))
    colour = resolve(Recipe()).data
    assert (colour.img_size, colour.in_channels, colour.mean) == (224, 3, (0.485, 0.456, 0.406))
    assert resolve(resolve(Recipe())) == resolve(Recipe())


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"model": "lenet55"}, "`lenet55`: expected the name of a net. Did you mean `lenet5`?"),
        (
            {"model_args": {"num_classes": 3}},
            "`model_args`: expected no num_classes: classes come from the data. Try --in-channels.",
        ),
        ({"mean": (0.5, 0.5)}, "`mean`: expected 1 values, one a channel; got 2: (0.5, 0.5)."),
        ({"std": (1.0,), "in_channels": 3}, "`std`: expected 3 values, one a channel; got 1: (1.0,)."),
    ],
)
def test_recipes_that_no_network_fits(tiny_recipe: MakeRecipe, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(tiny_recipe(**values))
    assert str(caught.value) == sentence


def test_images_of_a_size_that_the_network_cannot_take_are_refused_before_the_data_is_read(
    tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        train(tmp_path / "none", tiny_recipe(img_size=40), tmp_path / "run", silent)
    assert str(caught.value).startswith(
        "`img_size`: expected one that lenet5 can take; got 40: `images`: expected H and W"
    )


class Plain(nn.Module):
    """A net of the catalogue's form; with `pooled`, one that names images, else pixels."""

    image_size = 16

    def __init__(self, *, pooled: bool = True, num_classes: int = 2, in_channels: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, num_classes, 5)
        self.pooled = pooled

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.conv(images)
        return maps.mean(dim=(2, 3)) if self.pooled else maps


def test_a_network_is_tried_before_the_data_is_read(tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "plain", Plain)
    assert resolve(tiny_recipe(model="plain", model_args={})).data.img_size == 16
    with pytest.raises(UsageError) as caught:
        resolve(tiny_recipe(model="plain", model_args={}, img_size=4))
    assert str(caught.value).startswith("`img_size`: expected one that plain can take; got 4: ")
    with pytest.raises(UsageError) as caught:
        resolve(tiny_recipe(model="plain", model_args={"pooled": False}, task="classify"))
    assert str(caught.value) == (
        "`model`: expected a network that names an image; got plain, which names its pixels. Try resnet18, or images "
        "with masks and --task segment."
    )


def test_events_need_their_package(tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        resolve(tiny_recipe(tensorboard=True))
    assert str(caught.value) == (
        "`tensorboard`: expected the package tensorboard; got none. Try: pip install 'striate[log]'."
    )


def test_without_a_compiler_nothing_is_compiled(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UsageError) as caught:
        train(two_classes, tiny_recipe(compile=True), tmp_path / "run", silent)
    assert str(caught.value) == (
        "`compile`: expected a C++ compiler, named by CXX or g++; got none of the name no-such-compiler. "
        "Try without it."
    )
    assert not (tmp_path / "run").exists()
