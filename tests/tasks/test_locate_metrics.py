import numpy as np
import pytest
import torch
from pycocotools import mask as coco
from torch import Tensor
from torch.nn.functional import cross_entropy

from striate.tasks.bootstrap import Groups
from striate.tasks.locate_boxes import ordered
from striate.tasks.locate_metrics import BOUNDED, SHARES, Records, scores
from striate.tasks.wilson import wilson

NAN = float("nan")


def of(right: list[bool], overlaps: list[float], known: list[bool] | None = None) -> Records:
    """Records of two classes, each answered right or wrong, with a box of the overlap that is asked for."""
    n = len(right)
    labels = torch.arange(n) % 2
    answers = torch.where(torch.tensor(right), labels, 1 - labels)
    logits = torch.nn.functional.one_hot(answers, 2).double() * 3
    truth = torch.tensor([[0.0, 0.0, 1.0, 1.0]] * n, dtype=torch.float64)
    boxes = truth.clone()
    boxes[:, 2] = torch.tensor(overlaps, dtype=torch.float64)  # a part of the true box, of that share
    if known is not None:
        truth[~torch.tensor(known)] = NAN
    return Records(logits, boxes, labels, truth)


def test_scores_counted_by_hand() -> None:
    found = scores(of([True, True, False, True], [1.0, 0.6, 0.9, 0.2]))
    assert found["count"] == 4
    assert "boxes" not in found
    assert found["mean_iou"] == pytest.approx((1 + 0.6 + 0.9 + 0.2) / 4)
    assert found["iou50"] == 0.75
    assert found["iou50_95"] == pytest.approx((10 + 3 + 9 + 0) / 40)
    assert found["accuracy"] == 0.75
    assert found["both"] == 0.5
    assert found["right_iou"] == pytest.approx((1 + 0.6 + 0 + 0.2) / 4)
    logits = torch.tensor([[3.0, 0], [0, 3], [0, 3], [0, 3]], dtype=torch.float64)
    assert found["loss"] == pytest.approx(float(cross_entropy(logits, torch.tensor([0, 1, 0, 1]))))


def test_an_overlap_of_exactly_a_threshold_reaches_it() -> None:
    assert scores(of([True] * 10, [0.5 + 0.05 * i for i in range(10)]))["iou50_95"] == pytest.approx(0.55)


def test_images_without_a_box_count_for_their_class_alone() -> None:
    found = scores(of([True, False, True], [0.8, 0.4, 0.0], [True, True, False]))
    assert (found["count"], found["boxes"]) == (3, 2)
    assert found["mean_iou"] == pytest.approx(0.6)
    assert found["iou50"] == 0.5
    assert found["both"] == pytest.approx(2 / 3)
    assert found["right_iou"] == pytest.approx((0.8 + 0 + 1) / 3)


def test_of_a_single_class_there_are_the_scores_of_boxes_alone() -> None:
    two = of([True, True, True], [0.8, 0.4, 0.6])
    found = scores(Records(two.logits[:, :1], two.boxes, torch.zeros(3, dtype=torch.int64), two.truth))
    names = {f"{name}{end}" for name in ("mean_iou", "iou50", "iou50_95") for end in ("", "_low", "_high")}
    assert found.keys() == {"count"} | names
    assert found["mean_iou"] == pytest.approx(0.6)


def test_without_any_box_there_is_no_score_of_boxes() -> None:
    found = scores(of([True, False], [0.8, 0.4], [False, False]))
    assert found["boxes"] == 0
    assert not {"mean_iou", "iou50", "iou50_95", "mean_iou_low"} & found.keys()
    assert found["both"] == 0.5


def test_each_share_lies_in_its_interval_which_narrows_with_more_images() -> None:
    rng = np.random.default_rng(0)

    def of_size(n: int) -> dict[str, float]:
        return scores(of((rng.random(n) < 0.8).tolist(), rng.random(n).tolist()))

    few, many = of_size(30), of_size(1000)
    for name in BOUNDED:
        assert few[f"{name}_low"] <= few[name] <= few[f"{name}_high"]
        assert many[f"{name}_high"] - many[f"{name}_low"] < few[f"{name}_high"] - few[f"{name}_low"]


def test_records_come_back_from_one_tensor() -> None:
    records = of([True, False], [0.3, 0.7], [True, False])
    packed = records.packed()
    assert packed.shape == (2, Records.width(2))
    again = Records.unpack(packed, 2)
    assert packed.isfinite().all()
    for name in ("logits", "boxes", "labels", "truth"):
        torch.testing.assert_close(getattr(again, name), getattr(records, name), equal_nan=True, rtol=1e-6, atol=0)


def test_mean_iou_is_the_mean_of_pycocotools() -> None:
    rng = torch.Generator().manual_seed(3)
    boxes, truth = (ordered(torch.rand(40, 4, generator=rng, dtype=torch.float64)) for _ in range(2))

    def xywh(corners: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1).numpy()

    overlaps = np.diag(coco.iou(xywh(boxes), xywh(truth), [0] * 40))
    found = scores(Records(torch.zeros(40, 2).double(), boxes, torch.zeros(40, dtype=torch.long), truth))
    assert found["mean_iou"] == pytest.approx(overlaps.mean())
    assert found["iou50"] == (overlaps >= 0.5).mean()


def test_shares_of_images_have_wilsons_interval_and_by_groups_a_bootstraps() -> None:
    known = [True] * 9 + [False]
    records = of([True] * 8 + [False] * 2, [0.9] * 7 + [0.1] * 3, known)
    alone = scores(records)
    for name, right, count in (("iou50", 7, 9), ("accuracy", 8, 10), ("both", 7, 10)):
        assert alone[name] == pytest.approx(right / count)
        assert [alone[f"{name}_low"], alone[f"{name}_high"]] == [float(end) for end in wilson(right, count)]
    together = scores(records, np.arange(10) // 5)
    assert {together[f"{name}_low"] for name in SHARES}.isdisjoint(alone[f"{name}_low"] for name in SHARES)


@pytest.mark.parametrize("groups", [None, np.arange(20) // 2], ids=["alone", "in pairs"])
def test_boxes_that_are_all_right_may_yet_be_wrong(groups: Groups | None) -> None:
    found = scores(of([True] * 20, [0.9] * 20), groups)
    units = 20 if groups is None else 10
    for name in SHARES:
        assert (found[name], found[f"{name}_high"]) == (1, 1)
        assert found[f"{name}_low"] == float(wilson(units, units)[0])
