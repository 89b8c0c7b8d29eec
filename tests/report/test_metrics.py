import math

import pytest

from striate.evaluation.intervals import Interval
from striate.report.metrics import about, bounds, value


@pytest.mark.parametrize(
    ("name", "title", "within", "text"),
    [
        ("accuracy", "Accuracy", "accuracy", "95.4\xa0%"),
        ("top5_accuracy", "Top-5 accuracy", "top-5 accuracy", "95.4\xa0%"),
        ("f1", "F1", "F1", "0.954"),
        ("iou50_95", "IoU of 0.5 to 0.95", "IoU of 0.5 to 0.95", "95.4\xa0%"),
        ("iou_road", "IoU of road", "IoU of road", "0.954"),
        ("another_one", "Another one", "another one", "0.954"),
    ],
)
def test_a_metric_has_a_title_and_a_way_to_be_written(name: str, title: str, within: str, text: str) -> None:
    assert (about(name).title, about(name).within, value(name, 0.954)) == (title, within, text)


def test_counts_are_written_as_such() -> None:
    assert [value(name, 1234.0) for name in ("boxes", "classes_scored", "loss")] == ["1,234", "1,234", "1234.000"]
    assert value("boxes", math.nan) == "unknown"


def test_bounds_of_one_unit() -> None:
    assert bounds("accuracy", Interval(0.9, 0.85, 0.95)) == "85 to 95\xa0%"
    assert bounds("mean_iou", Interval(0.9, 0.85, 0.95)) == "0.850 to 0.950"
    assert bounds("loss", Interval(0.9, math.nan, math.nan)) == ""
