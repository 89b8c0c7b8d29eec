import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from striate.tasks.segment_metrics import MEANS, TOLERANCE, boundary_f1, record, scores, width

Mask = NDArray[np.uint8]
NAMES = ("background", "cat", "dog")


def drawn(seed: int, shape: tuple[int, int] = (24, 31), classes: int = 3, void: float = 0.1) -> tuple[Mask, Mask]:
    """A blobby truth with some void, and an answer that is right in most places."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, classes, (shape[0] // 6 + 1, shape[1] // 6 + 1)).astype(np.uint8)
    truth = np.kron(coarse, np.ones((6, 6), np.uint8))[: shape[0], : shape[1]]
    answer = np.where(rng.random(shape) < 0.85, truth, rng.integers(0, classes, shape)).astype(np.uint8)
    return answer, np.where(rng.random(shape) < void, np.uint8(255), truth)


def records(pairs: list[tuple[Mask, Mask]], classes: int = 3) -> NDArray[np.float64]:
    return np.stack([record(answer, truth, classes, 0.0) for answer, truth in pairs])


def test_scores_counted_by_hand() -> None:
    truth = np.array([[0, 0, 1, 1], [0, 0, 1, 255]], np.uint8)
    answer = np.array([[0, 1, 1, 1], [0, 0, 0, 0]], np.uint8)
    found = scores(record(answer, truth, 3, 14.0)[None], NAMES)
    assert found["iou_background"] == pytest.approx(3 / 5)
    assert found["iou_cat"] == pytest.approx(2 / 4)
    assert np.isnan(found["iou_dog"])
    assert found["classes_scored"] == 2
    assert found["mean_iou"] == pytest.approx((3 / 5 + 2 / 4) / 2)
    assert found["pixel_accuracy"] == pytest.approx(5 / 7)
    assert found["class_accuracy"] == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert found["loss"] == pytest.approx(2.0)
    assert found["count"] == 1


def test_iou_is_that_of_torchmetrics_over_the_whole_set() -> None:
    classification = pytest.importorskip("torchmetrics.classification", reason="torchmetrics is not installed")
    pairs = [drawn(seed, (20 + seed, 40 - seed)) for seed in range(6)]
    jaccard = classification.MulticlassJaccardIndex(3, average="none", ignore_index=255)
    micro = classification.MulticlassAccuracy(3, average="micro", ignore_index=255)
    macro = classification.MulticlassAccuracy(3, average="macro", ignore_index=255)
    for answer, truth in pairs:
        for metric in (jaccard, micro, macro):
            metric.update(torch.from_numpy(answer)[None].long(), torch.from_numpy(truth)[None].long())
    found = scores(records(pairs), NAMES)
    assert [found[f"iou_{name}"] for name in NAMES] == pytest.approx(jaccard.compute().tolist())
    assert found["mean_iou"] == pytest.approx(float(jaccard.compute().mean()))
    assert found["pixel_accuracy"] == pytest.approx(float(micro.compute()))
    assert found["class_accuracy"] == pytest.approx(float(macro.compute()))


def test_one_confusion_over_the_set_and_no_mean_of_images() -> None:
    large, small = np.ones((10, 10), np.uint8), np.ones((2, 2), np.uint8)
    found = scores(records([(large, large), (np.zeros_like(small), small)]), NAMES)
    assert found["iou_cat"] == pytest.approx(100 / 104)


def test_a_class_that_is_answered_and_never_true_counts_as_nothing_right() -> None:
    truth = np.zeros((4, 4), np.uint8)
    answer = truth.copy()
    answer[0, 0] = 2
    found = scores(records([(answer, truth)]), NAMES)
    assert found["iou_dog"] == 0
    assert np.isnan(found["iou_cat"])
    assert found["mean_iou"] == pytest.approx((15 / 16 + 0) / 2)
    assert found["class_accuracy"] == pytest.approx(15 / 16)  # dog has no pixels to be right about


def test_pixels_that_count_for_nothing_change_no_score() -> None:
    answer, truth = drawn(0)
    other = np.where(truth == 255, np.uint8(2), answer)
    assert record(other, truth, 3, 1.0).tolist() == record(answer, truth, 3, 1.0).tolist()


def test_a_set_without_pixels_has_no_scores() -> None:
    blank = np.full((4, 4), 255, np.uint8)
    found = scores(records([(np.zeros_like(blank), blank)]), NAMES)
    assert all(np.isnan(found[name]) for name in MEANS)
    assert found["classes_scored"] == 0


def by_hand(answer: Mask, truth: Mask, number: int) -> float:
    """The F1 of one class's outline, by the distances of all pairs of pixels."""

    def outline(mask: Mask) -> NDArray[np.int64]:
        places = []
        for y, x in np.argwhere(mask == number):
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                inside = 0 <= v < mask.shape[0] and 0 <= u < mask.shape[1]
                if inside and mask[v, u] not in (number, 255):
                    places.append((y, x))
                    break
        return np.array(places, np.int64).reshape(-1, 2)

    ours, theirs = outline(np.where(truth == 255, np.uint8(255), answer)), outline(truth)
    if not len(ours) and not len(theirs):
        return float("nan")
    if not len(ours) or not len(theirs):
        return 0.0
    near = cdist(ours, theirs) <= TOLERANCE * np.hypot(*truth.shape)
    precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


@pytest.mark.parametrize("shape", [(24, 31), (150, 130)])  # a reach below one pixel, and one above
def test_boundary_f1_is_what_all_pairs_of_pixels_say(shape: tuple[int, int]) -> None:
    for seed in range(3):
        answer, truth = drawn(seed, shape, void=0.02)
        expected = [by_hand(answer, truth, number) for number in range(4)]
        assert boundary_f1(answer, truth, 4) == pytest.approx(expected, nan_ok=True)


def test_an_outline_that_is_a_little_off_agrees_and_one_further_off_does_not() -> None:
    truth = np.zeros((300, 400), np.uint8)
    truth[:, 200:] = 1
    reach = int(TOLERANCE * 500)
    for shift, expected in ((reach - 1, 1.0), (reach + 2, 0.0)):
        answer = np.roll(truth, shift, axis=1)
        answer[:, :100] = 0
        assert boundary_f1(answer, truth, 2) == pytest.approx([expected, expected])


def test_the_border_of_the_image_is_no_outline() -> None:
    full = np.ones((5, 5), np.uint8)
    assert np.isnan(boundary_f1(full, full, 2)).all()


@given(st.integers(0, 1000))
def test_every_mean_lies_in_its_interval_and_between_0_and_1(seed: int) -> None:
    found = scores(records([drawn(seed + i, (12, 13)) for i in range(4)]), NAMES)
    for name in MEANS:
        assert 0 <= found[f"{name}_low"] <= found[name] + 1e-9
        assert found[name] <= found[f"{name}_high"] + 1e-9 <= 1 + 1e-6


def test_a_record_has_its_width() -> None:
    assert record(*drawn(1), 3, 0.0).shape == (width(3),)
