import math
from itertools import pairwise
from typing import Literal, get_args, get_type_hints

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from striate.recipe import TrainingRecipe
from striate.training.schedule import lr_at

Schedule = Literal["cosine", "onecycle", "step", "constant"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
ROUNDING = 1 + 1e-15


def test_every_schedule_of_the_recipe_is_tested() -> None:
    assert get_args(get_type_hints(TrainingRecipe)["schedule"]) == SCHEDULES


@st.composite
def runs(draw: st.DrawFn) -> tuple[TrainingRecipe, int]:
    """A recipe and the number of steps of its epochs."""
    recipe = TrainingRecipe(
        epochs=draw(st.integers(1, 20)),
        lr=draw(st.floats(1e-6, 10)),
        schedule=draw(st.sampled_from(SCHEDULES)),
        warmup_epochs=draw(st.floats(0, 25)),
        step_epochs=draw(st.floats(1, 25)),
        step_factor=draw(st.floats(0.01, 1)),
    )
    return recipe, draw(st.integers(1, 20))


def rates(recipe: TrainingRecipe, steps_per_epoch: int) -> list[float]:
    return [lr_at(recipe, step, steps_per_epoch) for step in range(recipe.epochs * steps_per_epoch)]


@given(runs())
def test_the_rate_is_above_0_and_at_most_lr_and_reaches_it(run: tuple[TrainingRecipe, int]) -> None:
    found = rates(*run)
    assert all(0 < rate <= run[0].peak_lr * ROUNDING for rate in found)
    assert max(found) == pytest.approx(run[0].peak_lr, rel=1e-12)


@given(runs())
def test_the_rate_rises_in_a_straight_line_and_never_again(run: tuple[TrainingRecipe, int]) -> None:
    recipe, steps_per_epoch = run
    found = rates(recipe, steps_per_epoch)
    warmup = min(round(recipe.warmup_epochs * steps_per_epoch), len(found) - 1)
    assert found[:warmup] == pytest.approx([recipe.peak_lr * (step + 1) / warmup for step in range(warmup)])
    after = found[max(warmup - 1, 0) :]
    assert all(later <= rate * ROUNDING for rate, later in pairwise(after))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cosine", [0.5, 1.0, 1.0, (1 + math.cos(math.pi / 4)) / 2, 0.5, (1 - math.cos(math.pi / 4)) / 2]),
        ("onecycle", [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]),
        ("step", [0.5, 1.0, 1.0, 1.0, 0.1, 0.1]),
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_six_steps_by_hand(schedule: Schedule, expected: list[float]) -> None:
    recipe = TrainingRecipe(epochs=3, lr=2.0, schedule=schedule, warmup_epochs=1, step_epochs=1)
    assert rates(recipe, 2) == pytest.approx([2 * share for share in expected])


@given(st.sampled_from(("cosine", "onecycle")), st.integers(2, 1000))
def test_the_rate_would_be_0_at_the_step_after_the_last(schedule: Schedule, epochs: int) -> None:
    recipe = TrainingRecipe(epochs=epochs, lr=1.0, schedule=schedule)
    assert lr_at(recipe, epochs, 1) == pytest.approx(0, abs=1e-12)
    assert 0 < lr_at(recipe, epochs - 1, 1) <= 1


@given(st.integers(1, 10), st.integers(1, 5), st.integers(1, 10))
def test_steps_fall_at_whole_intervals_after_the_warm_up(epochs: int, interval: int, steps_per_epoch: int) -> None:
    recipe = TrainingRecipe(epochs=epochs, lr=1.0, schedule="step", warmup_epochs=0, step_epochs=interval)
    for epoch in range(epochs):
        for step in (epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch - 1):
            assert lr_at(recipe, step, steps_per_epoch) == pytest.approx(0.1 ** (epoch // interval))


def test_a_run_of_one_step_takes_it_at_full_rate() -> None:
    for schedule in SCHEDULES:
        assert rates(TrainingRecipe(epochs=1, lr=0.3, schedule=schedule), 1) == [0.3]


@given(runs(), st.integers(1, 20))
def test_a_step_s_rate_needs_no_history(run: tuple[TrainingRecipe, int], step: int) -> None:
    recipe, steps_per_epoch = run
    assume(step < recipe.epochs * steps_per_epoch)
    assert lr_at(recipe, step, steps_per_epoch) == rates(recipe, steps_per_epoch)[step]
