import doctest
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from striate.augment import Map, Matrix, Size, Stream, central_crop, compose, crop, generator, geometry, mirror
from striate.augment.geometry import (
    KNOTS,
    STEEPEST,
    about,
    bend,
    displacement,
    mirror_top_bottom,
    perspective,
    project,
    random_crop,
    rotation,
    shear,
    translation,
    zoom,
)

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
angles = st.floats(-60, 60)
affine = (
    crops
    | st.builds(mirror, lengths)
    | st.builds(mirror_top_bottom, lengths)
    | st.builds(rotation, angles)
    | st.builds(shear, angles, angles)
    | st.builds(zoom, st.floats(0.2, 5))
    | st.builds(translation, coordinates, coordinates)
)
points = st.tuples(coordinates, coordinates)
seeds = st.integers(0, 10_000)


def source_box(matrix: Matrix, size: Size) -> tuple[float, float, float, float]:
    return Map(matrix).source_box(size)


def draws(sample: int, count: int = 4) -> NDArray[np.float64]:
    return generator(1, Stream.AUGMENT, 0, sample).random(count)


def apply(map_: Matrix, point: tuple[float, float]) -> tuple[float, float]:
    """Where a matrix takes a point, spelt out."""
    u, v = point
    (a, b, x), (c, d, y), _ = map_.tolist()
    return a * u + b * v + x, c * u + d * v + y


def test_doctests_run() -> None:
    result = doctest.testmod(geometry)
    assert result.attempted > 0
    assert result.failed == 0


# Maps -------------------------------------------------------------------------------------------------------------


@given(st.lists(affine, max_size=4), points)
def test_a_composed_map_is_its_parts_one_after_another(parts: list[Matrix], point: tuple[float, float]) -> None:
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
    # the longer way: resize so that the image just covers size / crop_pct, then cut out size
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
    shown = random_crop(draws(sample), source, size, (area[0], area[1]), (ratio[0], ratio[1]))
    x0, y0, x1, y1 = source_box(shown, size)
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
    shown = random_crop(draws(sample), source, (16, 16), (area, area), (ratio, ratio))
    x0, y0, x1, y1 = source_box(shown, (16, 16))
    whole = area * source[0] * source[1]
    assert x1 - x0 == pytest.approx(min(math.sqrt(whole * ratio), source[0]), rel=1e-6)
    assert y1 - y0 == pytest.approx(min(math.sqrt(whole / ratio), source[1]), rel=1e-6)


def test_random_crops_fill_their_ranges() -> None:
    boxes = [source_box(random_crop(draws(i), (100, 100), (8, 8), (0.1, 0.3), (0.5, 2)), (8, 8)) for i in range(400)]
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


@pytest.mark.parametrize(
    ("matrix", "point", "shows"),
    [
        (rotation(90), (0, 1), (1, 0)),  # clockwise: what lay to the right is now below
        (shear(45, 0), (2, 1), (3, 1)),
        (shear(0, 45), (2, 1), (2, 3)),
        (zoom(2), (10, 4), (5, 2)),
        (translation(3, 1), (3, 1), (0, 0)),
        (mirror_top_bottom(8), (2, 1), (2, 7)),
        (about((5, 5), zoom(2)), (5, 5), (5, 5)),
        (about((5, 5), zoom(2)), (9, 5), (7, 5)),
    ],
)
def test_known_points(matrix: Matrix, point: tuple[float, float], shows: tuple[float, float]) -> None:
    assert apply(matrix, point) == pytest.approx(shows)


@pytest.mark.parametrize("make", [rotation, lambda x: shear(x, 0), lambda x: translation(x, -x)])
@given(angles)
def test_an_operation_and_its_opposite_are_nothing(make: Callable[[float], Matrix], strength: float) -> None:
    assert compose(make(strength), make(-strength)) == pytest.approx(np.eye(3), abs=1e-9)


@pytest.mark.parametrize("make", [rotation, lambda x: shear(x, x), lambda x: translation(x, x), lambda x: zoom(1 + x)])
def test_strength_zero_is_the_identity_to_the_bit(make: Callable[[float], Matrix]) -> None:
    assert np.array_equal(make(0.0), np.eye(3))
    assert np.array_equal(about((3.3, 7.7), make(0.0)), np.eye(3))


@given(sizes, seeds)
def test_perspective_shows_the_corners_that_were_asked_for(size: Size, sample: int) -> None:
    shifts = (draws(sample, 8).reshape(4, 2) - 0.5) * 0.4 * size
    corners = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float64)
    found = project(perspective(shifts, size), corners)
    assert found == pytest.approx(corners + shifts, abs=1e-4 * max(size))  # corners are given in float32


# Maps that bend -----------------------------------------------------------------------------------------------------


def bent(sample: int, size: Size, share: float = 0.05) -> Map:
    shifts = (draws(sample, KNOTS * KNOTS * 2).reshape(KNOTS, KNOTS, 2) * 2 - 1) * share * np.array(size)
    return Map(crop((10, 20, 110, 90), size), bend(shifts, size))


def inside(sample: int, size: Size, count: int = 50) -> NDArray[np.float64]:
    return draws(sample + 1, 2 * count).reshape(count, 2) * size


def test_a_bend_of_nothing_moves_nothing() -> None:
    none = bend(np.zeros((KNOTS, KNOTS, 2)), (30, 20))
    assert not displacement(none, inside(0, (30, 20)), (30, 20)).any()


@given(seeds, st.floats(0.01, 0.4))
def test_a_bend_moves_no_point_further_than_its_largest_shift_and_never_folds(sample: int, share: float) -> None:
    size = (60, 40)
    shifts = (draws(sample, KNOTS * KNOTS * 2).reshape(KNOTS, KNOTS, 2) * 2 - 1) * share * np.array(size)
    found = bend(shifts, size)
    moved = displacement(found, inside(sample, size), size)
    assert (np.abs(moved) <= np.abs(shifts).max(axis=(0, 1)) + 1e-9).all()
    points, step = inside(sample, size), 1e-4
    slopes = [
        (displacement(found, points + along, size) - displacement(found, points, size)) / step
        for along in ((step, 0), (0, step))
    ]
    jacobian = np.stack(slopes, axis=-1)
    assert np.linalg.norm(jacobian, 2, axis=(1, 2)).max() <= STEEPEST + 1e-6
    assert (np.linalg.det(np.eye(2) + jacobian) > 0).all()


@given(seeds)
def test_the_grid_is_the_points_of_the_pixels(sample: int) -> None:
    size = (13, 9)
    map_ = bent(sample, size)
    centres = np.array([(u + 0.5, v + 0.5) for v in range(9) for u in range(13)])
    tilted = Map(map_.matrix @ perspective((draws(sample, 8).reshape(4, 2) - 0.5) * 0.4 * size, size), map_.bend)
    for each in (map_, tilted, Map(tilted.matrix)):
        x, y = each.grid(size)
        assert np.stack([x.ravel(), y.ravel()], axis=-1) == pytest.approx(each.points(centres, size), abs=1e-3)


@given(seeds, st.booleans())
def test_inverse_points_undo_points(sample: int, bends: bool) -> None:
    size = (60, 40)
    map_ = bent(sample, size) if bends else Map(compose(crop((3, 4, 50, 60), size), rotation(20)))
    points = inside(sample, size)
    assert map_.inverse_points(map_.points(points, size), size) == pytest.approx(points, abs=0.02)


@given(seeds)
def test_what_is_shown_lies_in_the_source_box(sample: int) -> None:
    size = (60, 40)
    shifts = (draws(sample, 8).reshape(4, 2) - 0.5) * 0.4 * size
    for map_ in (bent(sample, size), Map(compose(crop((3, 4, 50, 60), size), perspective(shifts, size), rotation(25)))):
        x0, y0, x1, y1 = map_.source_box(size)
        x, y = map_.points(inside(sample, size), size).T
        assert x0 <= x.min() <= x.max() <= x1
        assert y0 <= y.min() <= y.max() <= y1


# Reduction ----------------------------------------------------------------------------------------------------------


@given(lengths, lengths, sizes)
def test_the_reduction_of_a_crop_is_its_scale(width: float, height: float, size: Size) -> None:
    map_ = Map(crop((0, 0, width, height), size))
    assert map_.reduction(size) == pytest.approx((width / size[0], height / size[1]))
    turned = Map(compose(crop((0, 0, height, height), (size[1], size[1])), rotation(37)))
    assert turned.reduction(size) == pytest.approx((height / size[1],) * 2)  # a turn scales nothing


@given(seeds)
def test_the_reduction_is_about_the_least_that_any_pixel_spans(sample: int) -> None:
    size = (60, 40)
    shifts = (draws(sample, 8).reshape(4, 2) - 0.5) * 0.4 * size
    map_ = Map(compose(crop((3, 4, 500, 300), size), perspective(shifts, size)))
    points, step = inside(sample, size), 1e-4
    by_u, by_v = (
        (map_.points(points + along, size) - map_.points(points, size)) / step for along in ((step, 0), (0, step))
    )
    spans = np.hypot(by_u, by_v).min(axis=0)
    assert (np.array(map_.reduction(size)) <= spans * 1.1).all()


@pytest.mark.parametrize(
    ("map_", "straight"),
    [
        (Map(crop((0, 0, 3, 4), (5, 6))), True),
        (Map(mirror(5)), True),
        (Map(rotation(1)), False),
        (Map(shear(0, 1)), False),
        (Map(np.array([[1, 0, 0], [0, 1, 0], [0.1, 0, 1]])), False),
        (Map(np.eye(3), np.zeros((KNOTS, KNOTS, 2))), False),
    ],
)
def test_which_maps_are_axis_aligned(map_: Map, straight: bool) -> None:
    assert map_.axis_aligned == straight


@given(affine, affine, points)
def test_then_is_the_matrix_of_the_other_source(first: Matrix, second: Matrix, point: tuple[float, float]) -> None:
    got = Map(first).then(second).points(np.array([point]), (10, 10))[0]
    largest = (1 + np.abs(first).max()) * (1 + np.abs(second).max()) * 1000
    assert tuple(got) == pytest.approx(apply(second, apply(first, point)), rel=1e-9, abs=1e-12 * largest)
