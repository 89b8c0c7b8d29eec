import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco
from torch import Tensor

from striate.augment.geometry import Map, central_crop, crop
from striate.tasks.locate_boxes import area, giou, iou, ordered, to_original, to_shares

COORDINATE = st.integers(0, 40)
BOX = st.tuples(COORDINATE, COORDINATE, st.integers(1, 20), st.integers(1, 20)).map(
    lambda xywh: (xywh[0], xywh[1], xywh[0] + xywh[2], xywh[1] + xywh[3])
)


def boxes(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@given(st.lists(st.tuples(BOX, BOX), min_size=1, max_size=5))
def test_iou_is_that_of_pycocotools(pairs: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    ours, theirs = boxes(*(a for a, _ in pairs)), boxes(*(b for _, b in pairs))

    def xywh(rows: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return torch.cat([rows[:, :2], rows[:, 2:] - rows[:, :2]], dim=1).numpy()

    expected = np.diag(coco.iou(xywh(ours), xywh(theirs), [0] * len(pairs)))
    assert iou(ours, theirs).numpy() == pytest.approx(expected)


@given(BOX, BOX)
def test_iou_is_the_share_of_pixels(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> None:
    canvas = np.zeros((2, 80, 80), bool)
    for layer, (x0, y0, x1, y1) in zip(canvas, (a, b), strict=True):
        layer[y0:y1, x0:x1] = True
    expected = (canvas[0] & canvas[1]).sum() / (canvas[0] | canvas[1]).sum()
    assert float(iou(boxes(a), boxes(b))) == pytest.approx(expected)


@given(BOX, BOX)
def test_iou_and_giou_are_alike_in_pixels_and_in_shares(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    pixels, shares = (boxes(a), boxes(b)), (to_shares(boxes(a), (64, 90)), to_shares(boxes(b), (64, 90)))
    assert float(iou(*shares)) == pytest.approx(float(iou(*pixels)))
    assert float(giou(*shares)) == pytest.approx(float(giou(*pixels)), abs=1e-4)
    assert float(iou(pixels[0], pixels[1])) == float(iou(pixels[1], pixels[0]))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0.0),  # side by side: the hull is all theirs
        ((0, 0, 1, 1), (9, 0, 10, 1), -0.8),  # 2 of the 10 pixels of the hull
        ((0, 0, 4, 4), (0, 0, 2, 2), 0.25),  # one within the other
        ((0, 0, 2, 2), (1, 1, 3, 3), 1 / 7 - 2 / 9),
    ],
)
def test_giou_of_the_papers_cases(a: tuple[int, ...], b: tuple[int, ...], expected: float) -> None:
    assert float(giou(boxes(a), boxes(b))) == pytest.approx(expected, abs=1e-6)


@given(BOX, BOX)
def test_giou_is_at_most_iou_and_at_least_minus_one(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    assert -1 <= float(giou(boxes(a), boxes(b))) <= float(iou(boxes(a), boxes(b))) + 1e-9


def test_boxes_without_area_have_nothing_in_common() -> None:
    flat = boxes((1, 1, 1, 5), (0, 0, 2, 2))
    assert iou(flat, flat).tolist() == [0.0, 1.0]
    assert area(boxes((3, 0, 1, 5))).tolist() == [0.0]
    assert iou(boxes((float("nan"), 0, 1, 1)), boxes((0, 0, 1, 1))).isnan().all()


def test_the_corners_of_a_box_may_come_in_any_order() -> None:
    assert ordered(boxes((3, 1, 0, 2), (0, 5, 1, 4))).tolist() == [[0, 1, 3, 2], [0, 4, 1, 5]]


@given(st.tuples(st.integers(20, 300), st.integers(20, 300)), st.tuples(st.integers(8, 64), st.integers(8, 64)))
def test_a_box_comes_back_from_a_stretched_image(original: tuple[int, int], size: tuple[int, int]) -> None:
    width, height = original
    map_ = Map(crop((0, 0, width, height), size))
    shares = to_shares(boxes((2, 3, width - 4, height - 5)), original).numpy()
    assert to_original(shares, map_, size, original) == pytest.approx(np.array([[2, 3, width - 4, height - 5]]))


def test_a_box_comes_back_from_a_crop_and_is_cut_to_the_image() -> None:
    original, size = (100, 60), (32, 32)
    map_ = Map(central_crop(original, size, 1.0))  # shows x from 20 to 80
    found = to_original(np.array([[0, 0, 1, 1], [-1, 0.5, 0.5, 2], [0.75, 0.5, 0.25, 0]]), map_, size, original)
    assert found == pytest.approx(np.array([[20, 0, 80, 60], [0, 30, 50, 60], [35, 0, 65, 30]]))
