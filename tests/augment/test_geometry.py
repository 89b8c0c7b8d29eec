import doctest
import math
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from striate.augment import (
    Map,
    Size,
    Stream,
    central_crop,
    compose,
    crop,
    generator,
    geometry,
    mirror,
    random_crop,
    resample,
)
from striate.augment.geometry import source_box

coordinates = st.floats(-1000, 1000)
lengths = st.floats(0.5, 1000)
sides = st.integers(1, 500)
sizes = st.tuples(sides, sides)
crops = st.builds(
    lambda x, y, width, height, size: crop((x, y, x + width, y + height), size),
    coordinates,
    coordinates,
    lengths,
    lengths,
    sizes,
)
maps = crops | st.builds(mirror, lengths)
points = st.tuples(coordinates, coordinates)


def apply(map_: Map, point: tuple[float, float]) -> tuple[float, float]:
    """Where a map takes a point, spelt out."""
    u, v = point
    (a, b, x), (c, d, y), _ = map_.tolist()
    return a * u + b * v + x, c * u + d * v + y


def pixels(width: int, height: int, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def test_doctests_run() -> None:
    result = doctest.testmod(geometry)
    assert result.attempted > 0
    assert result.failed == 0


# Maps -------------------------------------------------------------------------------------------------------------


@given(st.lists(maps, max_size=4), points)
def test_a_composed_map_is_its_parts_one_after_another(parts: list[Map], point: tuple[float, float]) -> None:
    expected = point
    for part in reversed(parts):  # the last one first
        expected = apply(part, expected)
    got = apply(compose(*parts), point)
    largest = math.prod(1 + np.abs(part).max() for part in parts) * 1000  # no intermediate value is larger
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-12 * largest)


@given(st.integers(1, 10_000), points)
def test_mirroring_twice_changes_nothing(width: int, point: tuple[float, float]) -> None:
    assert compose(mirror(width), mirror(width)).tolist() == np.eye(3).tolist()
    assert apply(mirror(width), point) == (width - point[0], point[1])


@given(points, lengths, lengths, sizes)
def test_a_crop_takes_corners_to_corners(corner: tuple[float, float], width: float, height: float, size: Size) -> None:
    x0, y0 = corner
    map_ = crop((x0, y0, x0 + width, y0 + height), size)
    assert apply(map_, (0, 0)) == (x0, y0)
    assert apply(map_, size) == pytest.approx((x0 + width, y0 + height), abs=1e-9)
    assert source_box(map_, size) == pytest.approx((x0, y0, x0 + width, y0 + height), abs=1e-9)
    mirrored = compose(map_, mirror(size[0]))
    assert source_box(mirrored, size) == pytest.approx(source_box(map_, size), abs=1e-9)
    assert apply(mirrored, (0, 0)) == pytest.approx((x0 + width, y0), abs=1e-9)


@given(sizes, sizes, st.floats(0.1, 1))
def test_the_central_crop_is_resize_then_crop(source: Size, size: Size, crop_pct: float) -> None:
    x0, y0, x1, y1 = source_box(central_crop(source, size, crop_pct), size)
    assert (x0 + x1, y0 + y1) == pytest.approx(source, abs=1e-9)  # in the middle
    assert (x1 - x0) / (y1 - y0) == pytest.approx(size[0] / size[1])  # of the output's shape
    # the longer way: resize so that the picture just covers size / crop_pct, then cut out size
    enlarged = max(size[0] / crop_pct / source[0], size[1] / crop_pct / source[1])
    assert (x1 - x0, y1 - y0) == pytest.approx((size[0] / enlarged, size[1] / enlarged))


@pytest.mark.parametrize(
    ("source", "size", "crop_pct", "box"),
    [
        ((500, 375), (224, 224), 0.875, (85.9375, 23.4375, 414.0625, 351.5625)),  # 0.875 x 375 = 328.125 each way
        ((100, 50), (10, 10), 1.0, (25, 0, 75, 50)),
        ((50, 100), (20, 10), 1.0, (0, 37.5, 50, 62.5)),
        ((8, 8), (32, 32), 0.5, (2, 2, 6, 6)),
    ],
)
def test_known_central_crops(source: Size, size: Size, crop_pct: float, box: tuple[float, ...]) -> None:
    assert source_box(central_crop(source, size, crop_pct), size) == box


@given(
    st.integers(0, 10_000),
    sizes,
    sizes,
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted),
    st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)).map(sorted),
)
def test_a_random_crop_stays_inside_and_has_what_was_drawn(
    sample: int, source: Size, size: Size, area: list[float], ratio: list[float]
) -> None:
    rng = generator(1, Stream.AUGMENT, 0, sample)
    x0, y0, x1, y1 = source_box(random_crop(rng, source, size, (area[0], area[1]), (ratio[0], ratio[1])), size)
    slack = 1e-9 * max(source)
    assert -slack <= x0 < x1 <= source[0] + slack
    assert -slack <= y0 < y1 <= source[1] + slack
    width, height = x1 - x0, y1 - y0
    if width < source[0] - slack and height < source[1] - slack:  # not cut
        assert area[0] - 1e-9 <= width * height / (source[0] * source[1]) <= area[1] + 1e-9
        assert ratio[0] - 1e-9 <= width / height <= ratio[1] + 1e-9


@given(st.integers(0, 10_000), sizes, st.floats(0.01, 1), st.floats(0.2, 5))
def test_a_random_crop_is_cut_at_the_source_and_nowhere_else(
    sample: int, source: Size, area: float, ratio: float
) -> None:
    """With one area and one ratio nothing but the place is left to chance."""
    rng = generator(1, Stream.AUGMENT, 0, sample)
    x0, y0, x1, y1 = source_box(random_crop(rng, source, (16, 16), (area, area), (ratio, ratio)), (16, 16))
    whole = area * source[0] * source[1]
    assert x1 - x0 == pytest.approx(min(math.sqrt(whole * ratio), source[0]), rel=1e-6)
    assert y1 - y0 == pytest.approx(min(math.sqrt(whole / ratio), source[1]), rel=1e-6)


def test_random_crops_fill_their_ranges() -> None:
    boxes = [
        source_box(random_crop(generator(0, Stream.AUGMENT, 0, i), (100, 100), (8, 8), (0.1, 0.3), (0.5, 2)), (8, 8))
        for i in range(400)
    ]
    areas = [(x1 - x0) * (y1 - y0) / 10_000 for x0, y0, x1, y1 in boxes]
    ratios = [math.log2((x1 - x0) / (y1 - y0)) for x0, y0, x1, y1 in boxes]
    assert np.quantile(areas, [0.05, 0.5, 0.95]).tolist() == pytest.approx([0.11, 0.2, 0.29], abs=0.02)
    assert np.quantile(ratios, [0.05, 0.5, 0.95]).tolist() == pytest.approx([-0.9, 0, 0.9], abs=0.2)
    assert min(x0 for x0, _, _, _ in boxes) < 2
    assert max(x1 for _, _, x1, _ in boxes) > 98
    places = np.array([(x0 / (100 - x1 + x0), y0 / (100 - y1 + y0)) for x0, y0, x1, y1 in boxes])
    for place in places.T:
        assert np.quantile(place, [0.05, 0.5, 0.95]).tolist() == pytest.approx([0.05, 0.5, 0.95], abs=0.1)
    assert abs(np.corrcoef(places.T)[0, 1]) < 0.25  # 5 standard deviations


def test_a_random_crop_takes_the_same_number_of_draws_cut_or_not() -> None:
    after = []
    for area in ((0.1, 0.1), (1.0, 1.0)):
        rng = generator(0, Stream.AUGMENT)
        random_crop(rng, (40, 10), (8, 8), area, (0.5, 2))
        after.append(rng.random())
    assert after[0] == after[1]


@pytest.mark.parametrize(
    ("map_", "shown"),
    [
        ([[0, -1, 5], [1, 0, 0], [0, 0, 1]], "[[0.0, -1.0, 5.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]"),
        ([[1, 0.5, 0], [0, 1, 0], [0, 0, 1]], "[[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]"),
        ([[1, 0, 0], [0.5, 1, 0], [0, 0, 1]], "[[1.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]]"),
        ([[1, 0, 0], [0, 1, 0], [0.1, 0, 1]], "[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.1, 0.0, 1.0]]"),
    ],
    ids=["turn", "shear across", "shear down", "perspective"],
)
def test_a_map_that_is_not_axis_aligned_is_refused(map_: list[list[float]], shown: str) -> None:
    for use in (
        lambda: source_box(np.array(map_, np.float64), (4, 4)),
        lambda: resample(Image.new("L", (4, 4)), np.array(map_, np.float64), (4, 4)),
    ):
        sentence = f"`map_`: expected scale, shift and mirror only; got {shown}."
        with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
            use()


# Resampling -------------------------------------------------------------------------------------------------------


def reference(source: NDArray[np.uint8], box: tuple[float, float, float, float], size: Size) -> NDArray[np.float64]:
    """Bilinear resampling of a box in float64, its triangle as wide as an output pixel where it shrinks."""

    def weights(start: float, stop: float, out: int, n: int) -> NDArray[np.float64]:
        step = (stop - start) / out
        centres = start + (np.arange(out)[:, None] + 0.5) * step
        triangle = np.maximum(0, 1 - np.abs(np.arange(n) + 0.5 - centres) / max(step, 1))
        return np.asarray(triangle / triangle.sum(axis=1, keepdims=True))

    across = weights(box[0], box[2], size[0], source.shape[1])
    down = weights(box[1], box[3], size[1], source.shape[0])
    return np.asarray(np.einsum("yh,xw,hwc->yxc", down, across, source.astype(np.float64)))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_identity_changes_no_pixel(channels: int) -> None:
    source = pixels(13, 7, channels)
    got = resample(Image.fromarray(source.squeeze()), np.eye(3), (13, 7))
    assert got.dtype == np.uint8
    assert np.array_equal(got, source)


@given(st.integers(0, 12), st.integers(0, 9), st.integers(1, 8), st.integers(1, 8))
def test_a_whole_number_crop_copies_pixels(x: int, y: int, width: int, height: int) -> None:
    assume(x + width <= 13)
    assume(y + height <= 10)
    source = pixels(13, 10)
    got = resample(Image.fromarray(source), crop((x, y, x + width, y + height), (width, height)), (width, height))
    assert np.array_equal(got, source[y : y + height, x : x + width])


def test_the_mirror_flips_to_the_bit() -> None:
    source = pixels(13, 7)
    got = resample(Image.fromarray(source), mirror(13), (13, 7))
    assert np.array_equal(got, source[:, ::-1])
    upside_down = np.array([[1.0, 0, 0], [0, -1, 7], [0, 0, 1]])
    assert np.array_equal(resample(Image.fromarray(source), upside_down, (13, 7)), source[::-1])


@given(st.integers(0, 1000), st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_a_mirrored_crop_is_the_crop_flipped_to_the_bit(sample: int, size: Size) -> None:
    picture = Image.fromarray(pixels(31, 23))
    shown = random_crop(generator(0, Stream.AUGMENT, 0, sample), (31, 23), size, (0.2, 1), (0.5, 2))
    mirrored = resample(picture, compose(shown, mirror(size[0])), size)
    assert np.array_equal(mirrored, resample(picture, shown, size)[:, ::-1])


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((0, 0, 48, 36), (12, 9)),  # whole, four to one
        ((0, 0, 48, 36), (48, 12)),  # down alone
        ((8, 4, 40, 28), (16, 12)),  # a part, two to one
        ((3.25, 1.5, 44.75, 33.125), (11, 13)),  # fractions everywhere
        ((10, 10, 20, 16), (40, 30)),  # enlarged
        ((0, 0, 48, 36), (1, 1)),
    ],
)
def test_resampling_agrees_with_float64(box: tuple[float, float, float, float], size: Size) -> None:
    source = pixels(48, 36)
    got = resample(Image.fromarray(source), crop(box, size), size)
    assert got.shape == (size[1], size[0], 3)
    # two passes, each rounded to a whole value: half a value each, and the fixed-point weights
    assert np.abs(got - reference(source, box, size)).max() <= 1.01


def test_shrinking_keeps_the_mean_of_what_it_shows() -> None:
    """Nothing aliases: stripes finer than an output pixel become their mean, 127.5, not black or white."""
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    shrunk = resample(Image.fromarray(stripes), crop((0, 0, 64, 64), (8, 8)), (8, 8))
    assert np.abs(shrunk[:, 1:-1].astype(float) - 127.5).max() <= 1.5
    assert shrunk.mean() == pytest.approx(127.5, abs=1)


def test_a_box_that_rounding_pushed_over_the_border_is_shown() -> None:
    source = pixels(9, 9)
    over = crop((-1e-12, -1e-12, 9 + 1e-5, 9 + 1e-5), (9, 9))
    assert np.array_equal(resample(Image.fromarray(source), over, (9, 9)), source)
