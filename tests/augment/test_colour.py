import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from striate.augment import Stream, generator
from striate.augment.colour import (
    LUMA,
    Affine,
    ColourSums,
    brightness,
    contrast,
    draw_colour,
    draws_colour,
    hue,
    measured,
    pca_step,
    saturation,
    shift,
)
from striate.augment.presets import IMAGENET_VALUES, IMAGENET_VECTORS, PRESETS, Augmentation
from striate.recipe import AugmentRecipe

NOTHING = Augmentation()
STRONG = replace(NOTHING, brightness=0.4, contrast=0.3, saturation=0.5, hue=40.0, channel_shift=0.1, pca_colour=0.2)
gains = st.floats(0, 2)
degrees = st.floats(-360, 360)
values = st.floats(0, 1)
colours = st.tuples(values, values, values).map(np.array)
keys = st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 10**6), st.integers(0, 10**9))  # seed, epoch, row


def of(matrix: Affine, colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a matrix makes of one colour."""
    return np.asarray((matrix @ np.append(colour, 1))[:-1])


# Each operation


@pytest.mark.parametrize("channels", [1, 3])
def test_operations_at_no_strength_are_the_identity_to_the_bit(channels: int) -> None:
    for matrix in (brightness(1, channels), contrast(1, channels), shift(np.zeros(channels))):
        assert np.array_equal(matrix, np.eye(channels + 1))
    for matrix in (saturation(1), hue(0)):
        assert np.array_equal(matrix, np.eye(4))


@given(gains, colours)
def test_brightness_and_contrast_scale_about_black_and_about_middle_grey(
    gain: float, colour: NDArray[np.float64]
) -> None:
    assert of(brightness(gain), colour) == pytest.approx(gain * colour)
    assert of(contrast(gain), colour) == pytest.approx(0.5 + gain * (colour - 0.5), abs=1e-12)
    assert of(contrast(gain, 1), colour[:1]) == pytest.approx(0.5 + gain * (colour[:1] - 0.5), abs=1e-12)


@given(gains, colours)
def test_saturation_scales_about_the_grey_of_the_same_luma(gain: float, colour: NDArray[np.float64]) -> None:
    luma = LUMA @ colour
    assert of(saturation(gain), colour) == pytest.approx(luma + gain * (colour - luma), abs=1e-12)


@given(gains, degrees, values)
def test_greys_stay_as_they_are_under_saturation_and_hue(gain: float, angle: float, value: float) -> None:
    grey = np.full(3, value)
    assert of(saturation(gain), grey) == pytest.approx(grey, abs=1e-12)
    assert of(hue(angle), grey) == pytest.approx(grey, abs=1e-12)


@given(gains, degrees, colours)
def test_saturation_and_hue_keep_the_luma(gain: float, angle: float, colour: NDArray[np.float64]) -> None:
    assert LUMA @ of(saturation(gain), colour) == pytest.approx(LUMA @ colour, abs=1e-12)
    assert LUMA @ of(hue(angle), colour) == pytest.approx(LUMA @ colour, abs=1e-12)


@given(degrees, degrees)
def test_turns_of_the_hue_add_up(a: float, b: float) -> None:
    assert hue(a) @ hue(b) == pytest.approx(hue(a + b), abs=1e-12)


def test_a_whole_turn_of_the_hue_is_the_identity() -> None:
    assert hue(360) == pytest.approx(np.eye(4), abs=1e-12)


def test_a_third_of_a_turn_takes_red_to_green_but_for_luma() -> None:
    red, green, blue = np.eye(3)
    for start, stop in pairwise((red, green, blue, red)):
        turned = of(hue(120), start)
        assert turned - LUMA @ turned == pytest.approx(stop - LUMA @ stop, abs=1e-12)


@given(colours, colours)
def test_a_shift_adds(offset: NDArray[np.float64], colour: NDArray[np.float64]) -> None:
    assert of(shift(offset), colour) == pytest.approx(colour + offset)


def test_pca_colour_steps_along_each_component_by_its_variance() -> None:
    step = pca_step(np.array([0.1, -0.2, 0.3]), (4.0, 2.0, 1.0), (1, 0, 0, 0, 0.6, 0.8, 0, -0.8, 0.6))
    assert step == pytest.approx([0.4, -0.24 - 0.24, -0.32 + 0.18])


# What is drawn


@pytest.mark.parametrize("channels", [1, 3])
@given(keys)
def test_no_strength_draws_the_identity_to_the_bit(channels: int, key: tuple[int, int, int]) -> None:
    assert not draws_colour(PRESETS["light"])
    drawn = draw_colour(PRESETS["light"], channels, *key)
    assert drawn.dtype == np.float32
    assert drawn.tobytes() == np.eye(channels, channels + 1, dtype=np.float32).tobytes()


@given(keys)
def test_the_matrix_is_the_operations_in_sequence(key: tuple[int, int, int]) -> None:
    seed, epoch, row = key
    rng = generator(seed, Stream.COLOUR, epoch, row)
    u = rng.uniform(-1, 1, 7)
    steps = rng.normal(0, 0.2, 3)
    colour = np.array([0.9, 0.3, 0.1])
    expected = colour
    for matrix in (
        brightness(1 + 0.4 * u[0]),
        contrast(1 + 0.3 * u[1]),
        saturation(1 + 0.5 * u[2]),
        hue(40 * u[3]),
        shift(0.1 * u[4:]),
        shift(pca_step(steps, IMAGENET_VALUES, IMAGENET_VECTORS)),
    ):
        expected = of(matrix, expected)
    drawn = draw_colour(STRONG, 3, seed, epoch, row)
    assert drawn.shape == (3, 4)
    assert drawn @ np.append(colour, 1) == pytest.approx(expected, abs=1e-6)


@given(keys)
def test_a_grey_image_has_brightness_contrast_and_shift(key: tuple[int, int, int]) -> None:
    seed, epoch, row = key
    u = generator(seed, Stream.COLOUR, epoch, row).uniform(-1, 1, 7)
    expected = of(contrast(1 + 0.3 * u[1], 1), (1 + 0.4 * u[0]) * np.array([0.7])) + 0.1 * u[4]
    drawn = draw_colour(STRONG, 1, seed, epoch, row)
    assert drawn.shape == (1, 2)
    assert drawn @ (0.7, 1) == pytest.approx(expected, abs=1e-6)


@given(keys)
def test_a_strength_does_not_move_the_draws_of_another(key: tuple[int, int, int]) -> None:
    alone = draw_colour(replace(NOTHING, channel_shift=0.1), 3, *key)[:, 3]
    rest = draw_colour(replace(STRONG, channel_shift=0.0), 3, *key)[:, 3]
    assert draw_colour(STRONG, 3, *key)[:, 3] - rest == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue", "channel_shift", "pca_colour"])
def test_each_strength_alone_changes_colours(name: str) -> None:
    augment = replace(NOTHING, **{name: getattr(STRONG, name)})
    assert draws_colour(augment)
    drawn = [draw_colour(augment, 3, 0, 0, row) for row in range(20)]
    assert len({matrix.tobytes() for matrix in drawn}) == 20
    assert np.mean(drawn, axis=0) == pytest.approx(np.eye(3, 4), abs=0.3)


@given(keys)
def test_a_draw_is_a_function_of_seed_epoch_and_row(key: tuple[int, int, int]) -> None:
    drawn = draw_colour(STRONG, 3, *key)
    assert drawn.tobytes() == draw_colour(replace(STRONG), 3, *key).tobytes()
    for axis in range(3):
        other = [number + (place == axis) for place, number in enumerate(key)]
        assert drawn.tobytes() != draw_colour(STRONG, 3, *other).tobytes()


# Principal components of the user's own images


def photos(seed: int = 0) -> list[NDArray[np.uint8]]:
    """Images of several sizes whose channels are correlated."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(0, 20, (3, 3))
    shapes = [(7, 5, 3), (1, 1, 3), (16, 9, 3), (30, 20, 3)]
    return [(120 + rng.normal(size=shape) @ mixing).clip(0, 255).astype(np.uint8) for shape in shapes]


@pytest.mark.parametrize("seed", range(5))
def test_components_agree_with_numpy_on_all_pixels(seed: int) -> None:
    sums = ColourSums()
    for image in photos(seed):
        sums = sums.add(image)
    pixels = np.concatenate([image.reshape(-1, 3) for image in photos(seed)]) / 255
    variances, vectors = np.linalg.eigh(np.cov(pixels.T, ddof=0))
    got_variances, got_vectors = sums.values_and_vectors()
    assert got_variances == pytest.approx(variances[::-1], rel=1e-9)
    got = np.reshape(got_vectors, (3, 3))
    assert np.abs(got @ vectors[:, ::-1]) == pytest.approx(np.eye(3), abs=1e-7)
    assert all(component[np.abs(component).argmax()] > 0 for component in got)


@given(st.permutations(range(4)), st.integers(0, 4))
def test_images_may_be_added_in_any_order_and_in_parts(order: list[int], cut: int) -> None:
    images = photos()
    expected = ColourSums()
    for image in images:
        expected = expected.add(image)
    first, second = ColourSums(), ColourSums()
    for place in order[:cut]:
        first = first.add(images[place])
    for place in order[cut:]:
        second = second.add(images[place])
    assert first.merge(second) == second.merge(first) == expected
    assert first.merge(second).values_and_vectors() == expected.values_and_vectors()


def test_sums_lose_nothing_beside_a_great_many_pixels() -> None:
    """Variances of values that hardly vary, where floats would cancel."""
    n = 10**15
    one_off = ColourSums().add(np.array([[[201, 200, 200]]], np.uint8))
    flat = ColourSums(n, (200 * n,) * 3, (40_000 * n,) * 9)
    variances, _ = flat.merge(one_off).values_and_vectors()
    assert variances == pytest.approx((n / (n + 1) ** 2 / 255**2, 0, 0), rel=1e-9)


def test_images_of_one_colour_have_no_variance() -> None:
    variances, vectors = ColourSums().add(np.full((4, 4, 3), 77, np.uint8)).values_and_vectors()
    assert variances == (0, 0, 0)
    assert np.isfinite(vectors).all()


def test_components_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match=f"^{re.escape('`count`: expected at least one pixel; got none.')}$"):
        ColourSums().values_and_vectors()


def test_a_recipe_keeps_what_was_measured() -> None:
    sums = ColourSums().add(photos()[3])
    recipe = measured(AugmentRecipe(pca_source="images", pca_colour=0.1, hue=3.0), sums)
    values, vectors = sums.values_and_vectors()
    assert recipe == AugmentRecipe(pca_source="images", pca_colour=0.1, hue=3.0, pca_values=values, pca_vectors=vectors)
