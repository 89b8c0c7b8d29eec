import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from striate.augment import (
    Augmentation,
    Map,
    Size,
    Stream,
    compose,
    crop,
    draw_map,
    generator,
    map_boxes,
    mirror,
    resample,
    resample_mask,
)
from striate.augment.geometry import KNOTS, about, bend, mirror_top_bottom, perspective, random_crop, rotation, zoom
from striate.augment.resample import ALIASES, LEAST_SHOWN

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "hymenoptera" / "val" / "ants"
seeds = st.integers(0, 10_000)
EVERYTHING = Augmentation(
    crop_scale=(0.3, 1.0),
    mirror=0.5,
    mirror_top_bottom=0.5,
    rotation=40,
    shear=20,
    zoom=(0.8, 1.3),
    translation=0.1,
    perspective=0.1,
    warp=0.05,
)


def pixels(width: int, height: int, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def smooth(width: int, height: int) -> NDArray[np.uint8]:
    """An image without detail finer than some pixels, which no right interpolation changes much."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    waves = [np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 12)]
    return (127.5 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


def separable(source: NDArray[np.uint8], box: tuple[float, float, float, float], size: Size) -> NDArray[np.float64]:
    """Bilinear resampling of a box in float64, its triangle as wide as an output pixel where it shrinks."""

    def weights(start: float, stop: float, out: int, n: int) -> NDArray[np.float64]:
        step = (stop - start) / out
        centres = start + (np.arange(out)[:, None] + 0.5) * step
        triangle = np.maximum(0, 1 - np.abs(np.arange(n) + 0.5 - centres) / max(step, 1))
        return np.asarray(triangle / triangle.sum(axis=1, keepdims=True))

    across = weights(box[0], box[2], size[0], source.shape[1])
    down = weights(box[1], box[3], size[1], source.shape[0])
    return np.asarray(np.einsum("yh,xw,hwc->yxc", down, across, source.astype(np.float64)))


def bilinear(source: NDArray[np.float64], map_: Map, size: Size) -> NDArray[np.float64]:
    """What a map shows, each output pixel's middle interpolated in float64; beyond the border it is reflected."""
    height, width = source.shape[:2]
    centres = np.array([(u + 0.5, v + 0.5) for v in range(size[1]) for u in range(size[0])])
    x, y = (map_.points(centres, size) - 0.5).T

    def reflected(i: NDArray[np.int64], n: int) -> NDArray[np.int64]:
        i = i % (2 * n)
        return np.where(i < n, i, 2 * n - 1 - i)

    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    shown = np.zeros((len(x), source.shape[2]))
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = (x - x0 if i else 1 - x + x0) * (y - y0 if j else 1 - y + y0)
        shown += weight[:, None] * source[reflected(y0 + j, height), reflected(x0 + i, width)]
    return shown.reshape(size[1], size[0], -1)


# Maps that only scale, shift and mirror -----------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_the_identity_changes_no_pixel(channels: int) -> None:
    source = pixels(13, 7, channels)
    got = resample(source, Map(np.eye(3)), (13, 7))
    assert got.dtype == np.uint8
    assert np.array_equal(got, source)


def test_a_grey_image_may_come_without_channels() -> None:
    source = pixels(13, 7, 1)
    turned = Map(about((6.5, 3.5), rotation(10)))
    for map_ in (Map(np.eye(3)), turned):
        assert np.array_equal(resample(source[..., 0], map_, (13, 7)), resample(source, map_, (13, 7)))
        assert resample(source, map_, (13, 7)).shape == (7, 13, 1)


@given(st.integers(0, 12), st.integers(0, 9), st.integers(1, 8), st.integers(1, 8))
def test_a_whole_number_crop_copies_pixels(x: int, y: int, width: int, height: int) -> None:
    assume(x + width <= 13)
    assume(y + height <= 10)
    source = pixels(13, 10)
    got = resample(source, Map(crop((x, y, x + width, y + height), (width, height))), (width, height))
    assert np.array_equal(got, source[y : y + height, x : x + width])


def test_the_mirrors_flip_to_the_bit() -> None:
    source = pixels(13, 7)
    assert np.array_equal(resample(source, Map(mirror(13)), (13, 7)), source[:, ::-1])
    assert np.array_equal(resample(source, Map(mirror_top_bottom(7)), (13, 7)), source[::-1])


@given(seeds, st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_a_mirrored_crop_is_the_crop_flipped_to_the_bit(sample: int, size: Size) -> None:
    image = pixels(31, 23)
    shown = random_crop(generator(0, Stream.AUGMENT, 0, sample).random(4), (31, 23), size, (0.2, 1), (0.5, 2))
    mirrored = resample(image, Map(compose(shown, mirror(size[0]))), size)
    assert np.array_equal(mirrored, resample(image, Map(shown), size)[:, ::-1])


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
    got = resample(source, Map(crop(box, size)), size)
    assert got.shape == (size[1], size[0], 3)
    x0, y0, x1, y1 = math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])
    part = source[y0:y1, x0:x1]  # as Pillow's own box: what lies beside what is shown is not looked at
    expected = separable(part, (box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0), size)
    # two passes, each rounded to a whole value: half a value each, and the fixed-point weights
    assert np.abs(got - expected).max() <= 1.01


def test_shrinking_keeps_the_mean_of_what_it_shows() -> None:
    """Nothing aliases: stripes finer than an output pixel become their mean, 127.5, not black or white."""
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    for map_ in (
        Map(crop((0, 0, 64, 64), (8, 8))),
        Map(compose(crop((0, 0, 64, 64), (8, 8)), about((4, 4), rotation(1e-6)))),
    ):
        shrunk = resample(stripes, map_, (8, 8))
        assert np.abs(shrunk[:, 1:-1].astype(float) - 127.5).max() <= 1.5
        assert shrunk.mean() == pytest.approx(127.5, abs=1)


def test_a_box_that_rounding_pushed_over_the_border_is_shown() -> None:
    source = pixels(9, 9)
    over = Map(crop((-1e-12, -1e-12, 9 + 1e-12, 9 + 1e-12), (9, 9)))
    assert np.array_equal(resample(source, over, (9, 9)), source)


# Maps of every kind -------------------------------------------------------------------------------------------------


@given(seeds)
def test_one_resampling_agrees_with_float64(sample: int) -> None:
    """For any recipe, where nothing shrinks; beyond the border too."""
    source, size = smooth(40, 30), (36, 28)
    map_ = draw_map(EVERYTHING, (40, 30), size, 1.0, 0, 0, sample)
    assume(max(map_.reduction(size)) < ALIASES)
    got = resample(source, map_, size).astype(float)
    expected = bilinear(source.astype(float), map_, size)
    assert np.abs(got - expected).max() <= 0.6  # half a value by rounding, the rest by coordinates in float32


@given(seeds)
def test_only_what_is_shown_is_looked_at(sample: int) -> None:
    """Pixels far from what a map shows may hold anything."""
    source, size = smooth(200, 150), (24, 20)
    augment = Augmentation(crop_scale=(0.05, 0.2), rotation=30, warp=0.03)
    map_ = draw_map(augment, (200, 150), size, 1.0, 0, 0, sample)
    x0, y0, x1, y1 = map_.source_box(size)
    far = 2 * 2 ** math.ceil(math.log2(max(*map_.reduction(size), 1))) + 2
    hidden = np.ones((150, 200), bool)
    hidden[max(math.floor(y0) - far, 0) : math.ceil(y1) + far, max(math.floor(x0) - far, 0) : math.ceil(x1) + far] = (
        False
    )
    assume(x0 > 0 and y0 > 0 and x1 < 200 and y1 < 150)
    other = source.copy()
    other[hidden] = 255 - other[hidden]
    assert np.array_equal(resample(source, map_, size), resample(other, map_, size))


def test_strong_shrinking_of_every_kind_keeps_the_mean() -> None:
    source = smooth(1024, 768)
    noisy = np.clip(source + np.random.default_rng(0).normal(0, 40, source.shape), 0, 255).astype(np.uint8)
    size = (32, 24)
    shifts = np.array([(1, 2), (-2, 1), (0, -2), (2, 0)], np.float64)
    bends = bend(np.random.default_rng(1).uniform(-1, 1, (KNOTS, KNOTS, 2)), size)
    for matrix in (rotation(7), perspective(shifts, size), zoom(1.1)):
        whole = compose(crop((0, 0, 1024, 768), size), about((16, 12), matrix))
        for map_ in (Map(whole), Map(whole, bends)):
            clean, shown = (resample(each, map_, size).astype(float) for each in (source, noisy))
            assert np.abs(shown - clean).mean() < 4  # of noise whose mean size is 32, an average over 16 x 16 is left


def area(source: NDArray[np.uint8], map_: Map, size: Size, fine: int = 8) -> NDArray[np.float64]:
    """The mean of what a map shows in each output pixel, taken at `fine` times `fine` points of it in float64."""
    u, v = np.meshgrid(*((np.arange(n * fine) + 0.5) / fine for n in size))
    x, y = np.floor(map_.points(np.stack([u.ravel(), v.ravel()], axis=-1), size)).astype(np.int64).T
    shown = source[y.clip(0, source.shape[0] - 1), x.clip(0, source.shape[1] - 1)].astype(np.float64)
    return np.asarray(shown.reshape(size[1], fine, size[0], fine, -1).mean(axis=(1, 3)))


@pytest.mark.parametrize(("span", "share"), [(1.45, 1), (1.7, 0.5), (1.95, 0.5), (2.9, 0.5), (3.8, 0.5), (7.6, 0.5)])
def test_what_a_turned_map_shrinks_does_not_alias(span: float, share: float) -> None:
    """On noise, of which everything aliases: the error is at most a share of that of bilinear interpolation alone.

    Just above the root of two, where averaging begins, it is as large.
    """
    size = (24, 24)
    side = math.ceil(span * 24 * 1.5)
    source, middle = pixels(side, side), side / 2
    shown = crop((middle - 12 * span, middle - 12 * span, middle + 12 * span, middle + 12 * span), size)
    map_ = Map(compose(shown, about((12, 12), rotation(10))))
    once, plain = resample(source, map_, size), bilinear(source.astype(float), map_, size)
    exact = area(source, map_, size)
    assert ((once - exact) ** 2).mean() <= share**2 * ((plain - exact) ** 2).mean()


@pytest.mark.skipif(not PHOTOS.exists(), reason="the real photos are not here")
def test_one_resampling_loses_at_most_half_of_what_a_chain_loses() -> None:
    """The claim of docs/decisions/resampling.md, on photos: rotation, then zoom, then perspective."""
    size = (96, 96)
    errors = {"once": 0.0, "chain": 0.0}
    for number, path in enumerate(sorted(PHOTOS.iterdir())[:6]):
        photo = np.asarray(Image.open(path).convert("RGB").resize(size, Image.Resampling.LANCZOS))
        rng = np.random.default_rng(number)
        parts = [
            about((48, 48), rotation(rng.uniform(-20, 20))),
            about((48, 48), zoom(rng.uniform(1.0, 1.2))),
            perspective(rng.uniform(-5, 5, (4, 2)), size),
        ]
        exact = bilinear(photo.astype(float), Map(compose(*parts)), size)
        chained = photo
        for part in parts:
            chained = resample(chained, Map(part), size)
        once = resample(photo, Map(compose(*parts)), size)
        for name, shown in (("once", once), ("chain", chained)):
            errors[name] += float(np.sqrt(((shown - exact) ** 2).mean()))
    assert errors["once"] <= errors["chain"] / 2


# Masks and boxes ----------------------------------------------------------------------------------------------------


def test_a_mask_takes_the_nearest_class_and_nothing_in_between() -> None:
    mask = np.array([[0, 7], [200, 3]], np.uint8)
    assert (
        resample_mask(mask, Map(crop((0, 0, 2, 2), (6, 4))), (6, 4)).tolist()
        == [[0, 0, 0, 7, 7, 7]] * 2 + [[200, 200, 200, 3, 3, 3]] * 2
    )


def test_beyond_the_border_a_mask_is_ignored() -> None:
    mask = np.full((4, 4), 9, np.uint8)
    shown = resample_mask(mask, Map(crop((-4, 0, 4, 8), (8, 8))), (8, 8))
    assert (shown[:4, 4:] == 9).all()
    assert (shown[4:] == 255).all()
    assert (shown[:, :4] == 255).all()


@given(seeds)
def test_a_box_is_shown_as_the_mask_of_it_is(sample: int) -> None:
    """Within a pixel; the mask is shown eight times as fine, because one pixel may miss a sharp tip."""
    source, size, fine = (80, 60), (64, 48), 8
    rng = np.random.default_rng(sample)
    x0, y0 = rng.integers(0, 50), rng.integers(0, 35)
    x1, y1 = x0 + rng.integers(10, 31), y0 + rng.integers(10, 26)
    mask = np.zeros((60, 80), np.uint8)
    mask[y0:y1, x0:x1] = 1
    map_ = draw_map(replace(EVERYTHING, crop_scale=(0.05, 1.0), perspective=0.2), source, size, 1.0, 0, 0, sample)
    finer = Map(map_.matrix @ zoom(fine), None if map_.bend is None else fine * map_.bend)
    box = map_boxes(np.array([[x0, y0, x1, y1]], np.float32), map_, size)[0]
    rows, columns = np.nonzero(resample_mask(mask, finer, (fine * size[0], fine * size[1])) == 1)
    if math.isnan(box[0]):
        middles = (np.stack([columns, rows], axis=-1) + 0.5) / fine
        touched = np.unique(np.floor(map_.points(middles, size)), axis=0)  # pixels of the source
        around = 2 * (x1 - x0 + y1 - y0)  # the most of them of which only a part is shown
        assert len(touched) <= LEAST_SHOWN * (x1 - x0) * (y1 - y0) + around / 2
    else:
        found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / fine
        assert np.abs(found - box).max() <= 1


def test_a_box_that_reaches_behind_the_eye_is_what_is_shown_of_it() -> None:
    """The top shows 70 pixels of the source, the bottom 30, 50 further down: the horizon lies 37.5 below."""
    size = (50, 50)
    map_ = Map(perspective(np.array([(-10, 0), (10, 0), (-10, 0), (10, 0)], np.float64), size))
    boxes = np.array([[0, 25, 50, 120], [0, 45, 50, 120]], np.float32)
    shown, too_little = map_boxes(boxes, map_, size)
    assert shown == pytest.approx([0, 15, 50, 50], abs=1e-4)  # a height of y is seen at 37.5 y / (87.5 - y)
    assert np.isnan(too_little).all()  # 158 of 3750 square pixels


def test_a_box_that_leaves_the_image_is_cut_and_then_gone() -> None:
    right_half = Map(crop((50, 0, 100, 50), (50, 50)))
    boxes = np.array([[40, 10, 60, 20], [10, 10, 52, 20], [0, 0, 50, 50], [math.nan] * 4], np.float32)
    shown = map_boxes(boxes, right_half, (50, 50))
    assert shown[0].tolist() == [0, 10, 10, 20]  # half of it
    assert np.isnan(shown[1:]).all()  # a twentieth, nothing, and none
    assert map_boxes(boxes[:0], right_half, (50, 50)).shape == (0, 4)
