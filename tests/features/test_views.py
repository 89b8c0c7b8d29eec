"""Which views of an image are kept."""

from dataclasses import replace

import pytest

from striate.augment import resolve
from striate.data.views import EvaluationView, TrainingView
from striate.features.extraction import MirroredView
from striate.features.views import views
from striate.recipe import AugmentRecipe
from striate.training.run import Run


def kinds(run: Run, count: int) -> list[type]:
    return [type(view) for view in views(run, count)]


def test_the_plain_one_comes_first_then_the_mirrored_one_then_drawn_ones(small_run: Run) -> None:
    assert kinds(small_run, 1) == [EvaluationView]
    assert kinds(small_run, 2) == [EvaluationView, MirroredView]
    assert kinds(small_run, 4) == [EvaluationView, MirroredView, TrainingView, TrainingView]
    assert len({repr(view) for view in views(small_run, 4)}) == 4


@pytest.mark.parametrize(
    ("augment", "expected"),
    [
        (AugmentRecipe("none"), [EvaluationView]),
        (AugmentRecipe(mirror=0.0), [EvaluationView, TrainingView, TrainingView]),
        (AugmentRecipe("none", mirror_alternating=True), [EvaluationView, MirroredView, TrainingView]),
    ],
)
def test_nothing_is_shown_that_the_augmentation_would_not(
    small_run: Run, augment: AugmentRecipe, expected: list[type]
) -> None:
    run = replace(small_run, recipe=replace(small_run.recipe, augment=augment))
    assert run.augment == resolve(augment)
    assert kinds(run, 3) == expected
