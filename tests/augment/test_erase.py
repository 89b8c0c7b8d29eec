import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from striate.augment import Size
from striate.augment.erase import ASPECT, draw_box, erase_, place
from striate.augment.presets import Augmentation

ALWAYS = Augmentation(erase=1.0)
ROWS = [3, 1, 8, 2]
sizes = st.tuples(st.integers(1, 300), st.integers(1, 300))
shares = st.floats(0, 1)


def images() -> torch.Tensor:
    return torch.full((4, 3, 32, 48), 100.0)


def test_no_probability_changes_no_bit() -> None:
    assert torch.equal(erase_(images(), Augmentation(), ROWS, 0, 0), images())


def test_a_box_is_filled_with_normal_numbers_and_the_rest_stays() -> None:
    batch = images()
    assert erase_(batch, ALWAYS, ROWS, 5, 6) is batch
    inside = []
    for image, row in zip(batch, ROWS, strict=True):
        x0, y0, x1, y1 = draw_box(ALWAYS, (48, 32), 5, 6, row) or (0, 0, 0, 0)
        inside.append(image[:, y0:y1, x0:x1].flatten().clone())
        image[:, y0:y1, x0:x1] = 100
    assert torch.equal(batch, images())
    assert all(len(values) for values in inside)
    assert kstest(torch.cat(inside).numpy(), "norm").pvalue > 1e-4


@given(st.integers(0, 10**6), sizes, st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)).map(sorted))
def test_a_box_lies_inside_and_has_the_share_that_was_asked_for(row: int, size: Size, scale: list[float]) -> None:
    augment = replace(ALWAYS, erase_scale=(scale[0], scale[1]))
    box = draw_box(augment, size, 0, 0, row)
    assert box is not None
    x0, y0, x1, y1 = box
    assert 0 <= x0 < x1 <= size[0]
    assert 0 <= y0 < y1 <= size[1]
    width, height = x1 - x0, y1 - y0  # each a whole number of pixels, so up to half a pixel off, or a whole one of one
    least = max(width - 0.5, 0) * max(height - 0.5, 0) / (size[0] * size[1])
    most = (width + 0.5) * (height + 0.5) / (size[0] * size[1])
    assert scale[0] <= most + 1e-9
    assert least <= scale[1] + 1e-9 or 1 in (width, height)


def test_boxes_fill_their_ranges() -> None:
    augment = replace(ALWAYS, erase_scale=(0.02, 0.3))
    boxes = np.array([draw_box(augment, (1000, 1000), 0, 0, row) for row in range(600)])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert np.quantile(width * height / 1e6, [0.05, 0.5, 0.95]) == pytest.approx([0.034, 0.16, 0.286], abs=0.02)
    aspect = np.log(width / height) / math.log(ASPECT)
    assert np.abs(aspect).max() <= 1.05
    assert np.quantile(aspect, [0.05, 0.5, 0.95]) == pytest.approx([-0.9, 0, 0.9], abs=0.15)
    for start, side in ((boxes[:, 0], width), (boxes[:, 1], height)):
        assert kstest(start / (1000 - side), "uniform").pvalue > 1e-4


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_as_many_are_erased_as_were_asked_for(probability: float) -> None:
    augment = replace(ALWAYS, erase=probability)
    erased = sum(draw_box(augment, (9, 9), 0, 0, row) is not None for row in range(1000))
    assert abs(erased - 1000 * probability) < 5 * math.sqrt(1000 * probability * (1 - probability))


def test_a_probability_does_not_move_the_boxes() -> None:
    half = [draw_box(replace(ALWAYS, erase=0.5), (90, 70), 0, 0, row) for row in range(40)]
    always = [draw_box(ALWAYS, (90, 70), 0, 0, row) for row in range(40)]
    assert all(box in (None, other) for box, other in zip(half, always, strict=True))


@given(st.integers(0, 2**63 - 1), st.integers(0, 1000), st.integers(0, 1000))
def test_a_box_is_a_function_of_seed_epoch_and_row(seed: int, epoch: int, row: int) -> None:
    first, second = (draw_box(ALWAYS, (640, 480), seed, epoch, row) for _ in range(2))
    assert first == second


def test_what_is_erased_does_not_depend_on_the_batch() -> None:
    whole, parts = erase_(images(), ALWAYS, ROWS, 1, 2), images()
    erase_(parts[2:], ALWAYS, ROWS[2:], 1, 2)
    erase_(parts[:2], ALWAYS, ROWS[:2], 1, 2)
    assert torch.equal(whole, parts)


@given(sizes, shares, shares, shares, shares)
def test_a_placed_box_is_whole_pixels_inside(size: Size, width: float, height: float, left: float, top: float) -> None:
    x0, y0, x1, y1 = place(size, width, height, left, top)
    assert 0 <= x0 < x1 <= size[0]
    assert 0 <= y0 < y1 <= size[1]
    assert abs((x1 - x0) - max(1, width * size[0])) <= 0.5
    assert abs((y1 - y0) - max(1, height * size[1])) <= 0.5
