import dataclasses
import re
from collections import Counter
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.augment.presets import (
    IMAGENET_VALUES,
    IMAGENET_VECTORS,
    PRESETS,
    TRIVIAL,
    Augmentation,
    for_image,
    resolve,
    wants_components,
    written_out,
)
from striate.errors import UsageError
from striate.recipe import AugmentRecipe

NOTHING = Augmentation()


def test_a_recipe_has_a_value_for_all_that_is_drawn_from_and_no_other() -> None:
    names = {field.name for field in fields(AugmentRecipe)} - {"augment", "pca_source"}
    assert names == {field.name for field in fields(Augmentation)}


def test_presets_are_the_choices_of_the_recipe() -> None:
    for name, preset in PRESETS.items():
        assert resolve(AugmentRecipe(augment=name)) == preset  # type: ignore[arg-type]
    assert list(PRESETS) == ["none", "light", "medium", "heavy"]


def test_none_is_nothing_and_light_is_a_crop_and_a_mirror() -> None:
    assert PRESETS["none"] == NOTHING
    assert PRESETS["light"] == replace(NOTHING, crop_scale=(0.35, 1.0), crop_ratio=(3 / 4, 4 / 3), mirror=0.5)
    assert resolve(AugmentRecipe()) == PRESETS["light"]


def test_each_preset_is_at_least_as_strong_as_the_one_before() -> None:
    light, medium, heavy = (asdict(PRESETS[name]) for name in ("light", "medium", "heavy"))
    strengths = [name for name, value in light.items() if isinstance(value, float)]
    assert all(light[name] <= medium[name] <= heavy[name] for name in strengths)
    assert all(weak["crop_scale"][0] >= strong["crop_scale"][0] for weak, strong in ((light, medium), (medium, heavy)))


def test_presets_are_within_what_a_recipe_allows() -> None:
    for preset in PRESETS.values():
        AugmentRecipe(**asdict(preset))
    AugmentRecipe(trivial=True, **TRIVIAL)


@pytest.mark.parametrize("augment", list(PRESETS))
def test_what_is_given_goes_before_the_preset(augment: str) -> None:
    given = resolve(AugmentRecipe(augment=augment, rotation=3.0, crop_scale=(1.0, 1.0), mirror=0.0))  # type: ignore[arg-type]
    assert given == replace(PRESETS[augment], rotation=3.0, crop_scale=(1.0, 1.0), mirror=0.0)


# Principal components


def test_components_of_imagenet_stand_at_right_angles() -> None:
    components = np.reshape(IMAGENET_VECTORS, (3, 3))
    assert np.abs(components @ components.T - np.eye(3)).max() < 2e-4  # four digits of each number are published
    assert list(IMAGENET_VALUES) == sorted(IMAGENET_VALUES, reverse=True)


def test_components_that_are_not_measured_are_asked_for() -> None:
    missing = AugmentRecipe(pca_colour=0.1, pca_source="images")
    assert wants_components(missing)
    sentence = "`pca_source`: expected `pca_values` and `pca_vectors` of the images beside it; got none. Try imagenet."
    with pytest.raises(UsageError, match=f"^{re.escape(sentence)}$"):
        resolve(missing)


@pytest.mark.parametrize(
    "augment",
    [
        AugmentRecipe(pca_colour=0.1),
        AugmentRecipe(pca_source="images"),  # of the preset light, which has no PCA colour
        AugmentRecipe(augment="heavy", pca_source="images", pca_colour=0.0),
        AugmentRecipe(augment="heavy", pca_source="images", pca_values=(3.0, 2.0, 1.0), pca_vectors=(1.0,) * 9),
    ],
)
def test_components_that_are_not_needed_are_not_asked_for(augment: AugmentRecipe) -> None:
    assert not wants_components(augment)
    resolve(augment)


# One operation an image


def changes(image: Augmentation) -> list[str]:
    """The operations that an image gets, of those that `trivial` chooses among."""
    return [name for name in TRIVIAL if getattr(image, name) != getattr(NOTHING, name)]


def test_without_trivial_an_image_gets_the_recipe_itself() -> None:
    heavy = PRESETS["heavy"]
    assert for_image(heavy, 1, 2, 3) is heavy


def test_an_image_gets_one_operation_or_none_each_as_often() -> None:
    augment = resolve(AugmentRecipe(augment="heavy", trivial=True))
    counts = Counter(tuple(changes(for_image(augment, 0, 0, row))) for row in range(2600))
    assert counts.keys() == {(), *((name,) for name in TRIVIAL)}
    expected = 2600 / (len(TRIVIAL) + 1)
    assert all(abs(count - expected) < 5 * expected**0.5 for count in counts.values())  # 5 standard deviations


def test_all_else_stays_with_one_operation() -> None:
    augment = resolve(AugmentRecipe(augment="heavy", trivial=True))
    kept = (
        "crop_scale",
        "crop_ratio",
        "mirror",
        "mirror_top_bottom",
        "noise",
        "erase",
        "erase_scale",
        "mixup",
        "cutmix",
    )
    for row in range(50):
        image = for_image(augment, 0, 0, row)
        assert [getattr(image, name) for name in kept] == [getattr(augment, name) for name in kept]
        assert not image.trivial
        assert all(getattr(image, name) == TRIVIAL[name] for name in changes(image))


def test_an_operation_that_is_set_to_nothing_is_not_chosen() -> None:
    augment = resolve(AugmentRecipe(trivial=True, rotation=0.0, zoom=(1.0, 1.0), hue=12.0))
    images = [for_image(augment, 0, 0, row) for row in range(400)]
    found = {name for image in images for name in changes(image)}
    assert found == TRIVIAL.keys() - {"rotation", "zoom"}
    assert {image.hue for image in images} == {0.0, 12.0}


@given(st.integers(0, 2**63 - 1), st.integers(0, 1000), st.integers(0, 10**9))
def test_the_choice_is_a_function_of_seed_epoch_and_row(seed: int, epoch: int, row: int) -> None:
    augment = resolve(AugmentRecipe(trivial=True))
    assert for_image(augment, seed, epoch, row) == for_image(replace(augment), seed, epoch, row)


def test_an_augmentation_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        NOTHING.mirror = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("name", PRESETS)
def test_a_recipe_written_out_means_the_same_and_leaves_nothing_open(name: Any) -> None:
    recipe = AugmentRecipe(augment=name, rotation=3.0)
    written = written_out(recipe)
    assert resolve(written) == resolve(recipe)
    assert written_out(written) == written
    open_values = {key for key, value in vars(written).items() if value is None}
    assert open_values == (set() if written.pca_colour else {"pca_values", "pca_vectors"})
    waiting = written_out(AugmentRecipe(augment="medium", pca_source="images"))
    assert wants_components(waiting)
    assert waiting.pca_colour == 0.1
