from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.augment import Augmentation, Map, Size, central_crop, draw_map, resample

seeds = st.integers(0, 2**63 - 1)
numbers = st.integers(0, 2**31)
ONE_OPERATION: list[dict[str, Any]] = [
    {"mirror": 0.5},
    {"mirror_top_bottom": 0.5},
    {"rotation": 30.0},
    {"shear": 15.0},
    {"zoom": (0.7, 1.4)},
    {"translation": 0.2},
    {"perspective": 0.1},
    {"warp": 0.05},
]
ALL = Augmentation(crop_scale=(0.3, 0.9), **{name: value for each in ONE_OPERATION for name, value in each.items()})
SOURCE, SIZE = (120, 90), (48, 32)


def drawn(augment: Augmentation, seed: int = 0, epoch: int = 0, row: int = 0, source: Size = SOURCE) -> Map:
    return draw_map(augment, source, SIZE, 0.875, seed, epoch, row)


def same(a: Map, b: Map) -> bool:
    bends = (a.bend is None and b.bend is None) or (
        a.bend is not None and b.bend is not None and np.array_equal(a.bend, b.bend)
    )
    return np.array_equal(a.matrix, b.matrix) and bends


@given(seeds, numbers, numbers)
def test_a_map_is_a_pure_function_of_seed_epoch_and_row(seed: int, epoch: int, row: int) -> None:
    first = drawn(ALL, seed, epoch, row)
    drawn(ALL, seed, epoch, row + 1)
    assert same(first, drawn(ALL, seed, epoch, row))
    for other in (drawn(ALL, seed, epoch, row + 1), drawn(ALL, seed, epoch + 1, row), drawn(ALL, seed ^ 1, epoch, row)):
        assert not same(first, other)


@given(seeds, numbers)
def test_a_shift_is_of_whole_pixels_and_blurs_nothing(seed: int, row: int) -> None:
    drawn_map = draw_map(Augmentation(translation=0.25), SIZE, SIZE, 1.0, seed, 0, row)
    shift = drawn_map.matrix - np.eye(3)
    assert np.array_equal(shift, np.rint(shift))
    assert (np.abs(shift[:2, 2]) <= np.array(SIZE) / 4).all()
    pixels = np.random.default_rng(row).integers(0, 256, (*SIZE[::-1], 3), np.uint8)
    shown = resample(pixels, drawn_map, SIZE)
    inside = pixels[SIZE[1] // 4 : -SIZE[1] // 4, SIZE[0] // 4 : -SIZE[0] // 4]
    x, y = (int(value) for value in shift[:2, 2])
    height, width = inside.shape[:2]
    top, left = SIZE[1] // 4 - y, SIZE[0] // 4 - x
    assert np.array_equal(shown[top : top + height, left : left + width], inside)


@given(seeds, st.integers(0, 1000), numbers)
def test_an_alternating_mirror_begins_as_a_drawn_one_and_changes_every_epoch(seed: int, epoch: int, row: int) -> None:
    drawn_once = drawn(Augmentation(mirror=0.5), seed, 0, row)
    alternating = Augmentation(mirror=0.5, mirror_alternating=True)
    assert same(drawn(alternating, seed, 0, row), drawn_once)
    assert same(drawn(alternating, seed, epoch, row), drawn_once) == (epoch % 2 == 0)


@given(seeds, numbers, st.tuples(st.integers(1, 500), st.integers(1, 500)))
def test_strength_zero_shows_what_evaluation_sees_to_the_bit(seed: int, row: int, source: Size) -> None:
    shown = drawn(Augmentation(), seed, 0, row, source)
    assert shown.bend is None
    assert np.array_equal(shown.matrix, central_crop(source, SIZE, 0.875))


@pytest.mark.parametrize("operation", ONE_OPERATION, ids=lambda each: next(iter(each)))
def test_each_operation_does_something_and_leaves_the_draws_of_the_others(operation: dict[str, Any]) -> None:
    name = next(iter(operation))
    off = replace(ALL, **{name: getattr(Augmentation(), name)})
    assert any(not same(drawn(ALL, row=row), drawn(off, row=row)) for row in range(8))
    assert any(not same(drawn(Augmentation(), row=row), drawn(Augmentation(**operation), row=row)) for row in range(8))
    for row in range(8):
        plain, with_it = (drawn(Augmentation(crop_scale=(0.3, 0.9), **each), row=row) for each in ({}, operation))
        # whatever the operation does, it is done to the same crop: undone, the crop is left
        undone = np.linalg.inv(plain.matrix) @ with_it.matrix
        alone = np.linalg.inv(central_crop(SOURCE, SIZE, 0.875)) @ drawn(Augmentation(**operation), row=row).matrix
        assert undone / undone[2, 2] == pytest.approx(alone / alone[2, 2], abs=1e-6)


@pytest.mark.parametrize("probability", [0.0, 1.0, 0.3])
@pytest.mark.parametrize("name", ["mirror", "mirror_top_bottom"])
def test_mirrors_come_as_often_as_asked(name: str, probability: float) -> None:
    axis = 0 if name == "mirror" else 1
    augment = replace(Augmentation(), **{name: probability})  # type: ignore[arg-type]  # a name of a float
    flipped = [drawn(augment, row=row).matrix[axis, axis] < 0 for row in range(400)]
    assert np.mean(flipped) == pytest.approx(probability, abs=0 if probability in (0, 1) else 0.1)


def test_strengths_fill_their_ranges() -> None:
    turns = [
        np.degrees(np.arcsin(np.clip(m[0, 1] / np.hypot(m[0, 0], m[0, 1]), -1, 1)))
        for m in (drawn(Augmentation(rotation=30.0), row=row, source=(64, 64)).matrix for row in range(400))
    ]
    assert np.quantile(np.abs(turns), 0.95) == pytest.approx(28.5, abs=1.5)
    zooms = [
        np.log(central_crop(SOURCE, SIZE, 0.875)[0, 0] / drawn(Augmentation(zoom=(0.5, 2.0)), row=row).matrix[0, 0])
        for row in range(400)
    ]
    assert np.quantile(zooms, [0.05, 0.5, 0.95]).tolist() == pytest.approx([-0.62, 0, 0.62], abs=0.1)
