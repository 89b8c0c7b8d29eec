import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from striate.data import read
from striate.evaluation import Column, Evaluation, Scored, evaluate, summarise
from striate.evaluation.intervals import share
from striate.model import Model
from striate.tasks.answers import Answers
from striate.tasks.classify import Classify
from striate.tasks.segment import Segment
from striate.tasks.segment_metrics import record

MakeModel = Callable[..., Model]


@pytest.fixture
def scored(untrained: MakeModel, two_classes: Path) -> Scored:
    """Answers of which one in four is wrong, with a temperature."""
    found = evaluate(untrained(), read(two_classes), "all")
    return with_task(found, Classify(("dark", "light"), temperature=2.0))


def with_task(scored: Scored, task: Classify) -> Scored:
    rng = np.random.default_rng(0)
    labels = scored.index.labels(scored.rows)
    logits = rng.normal(size=(len(labels), len(task.classes)))
    logits[np.arange(len(labels)), labels] += np.where(np.arange(len(labels)) % 4, 2.0, -2.0)
    records = Answers.records(torch.from_numpy(logits), torch.from_numpy(labels), task.temperature)
    return replace(scored, model=replace(scored.model, task=task), records=records)


def test_the_record_goes_through_json_and_back(scored: Scored) -> None:
    column = Column("place", ["a", "b", None] * 8)
    found = summarise(scored, group=column, slice_by=[column], abstain_at=0.7)
    again = Evaluation.from_json(found.to_json())
    assert again.to_json() == found.to_json()
    assert (again.uncalibrated, again.per_class, again.slices) == (
        found.uncalibrated,
        found.per_class,
        found.slices,
    )
    with pytest.raises(ValueError, match="missing required field"):
        Evaluation.from_json("{}")


def test_what_does_not_apply_is_left_out_of_json(scored: Scored, untrained: MakeModel, two_classes: Path) -> None:
    plain = json.loads(summarise(with_task(scored, Classify(("dark", "light")))).to_json())
    assert {"uncalibrated", "abstention", "slices", "unreadable"}.isdisjoint(plain)
    several = replace(untrained(several_labels=True))
    logits = torch.tensor([[1.0, -1.0], [1.0, 1.0]])
    records = torch.cat([logits, torch.tensor([[1.0, 0.0], [1.0, 0.0]])], dim=1)
    found = summarise(replace(scored, model=several, records=records, rows=np.arange(2)))
    assert (found.calibration, found.per_class, found.confusion) == (None, (), ())
    assert found.metrics["accuracy"].value == 0.5
    assert found.metrics["accuracy"].method == "wilson"
    assert found.metrics["f1"].method == "bootstrap"
    assert {"mean_average_precision", "f1"} <= found.metrics.keys()


def test_figures_are_those_of_the_answers(scored: Scored) -> None:
    found, graded = summarise(scored), scored.graded
    assert graded is not None
    right = int(graded.hits.sum())
    accuracy = found.metrics["accuracy"]
    assert (accuracy.value, accuracy.low, accuracy.high) == tuple(vars(share(right, 24)).values())
    assert accuracy.method == "wilson"
    assert found.metrics["loss"].value == pytest.approx(float(graded.loss.mean()), rel=1e-6)
    assert found.metrics["loss"].method == "bootstrap"
    assert found.calibration is not None
    assert found.uncalibrated is not None
    assert found.calibration.loss.value == pytest.approx(found.metrics["loss"].value)
    assert found.uncalibrated.loss.value == pytest.approx(float(graded.plain_loss.mean()), rel=1e-6)
    assert sum(each.count for each in found.calibration.bins) == found.count == 24
    assert np.sum(found.confusion) == 24
    assert [row.name for row in found.per_class] == ["dark", "light"]
    assert sum(row.recall.value * row.count for row in found.per_class) == pytest.approx(right)


def test_the_worst_images_come_first(scored: Scored) -> None:
    worst, graded = summarise(scored).worst, scored.graded
    assert graded is not None
    wrong = int((~graded.hits).sum())
    assert [example.score for example in worst[: wrong + 1]] == [0.0] * wrong + [1.0]
    assert worst[0].loss == graded.loss.max()
    assert all(example.truth != example.answer for example in worst[:wrong])
    losses = [example.loss for example in worst[:wrong]]
    assert losses == sorted(losses, reverse=True)
    assert worst[0].path == scored.index.paths(scored.rows)[int(graded.loss.argmax())]


def test_groups_widen_what_belongs_together(scored: Scored) -> None:
    alone = summarise(scored).metrics["accuracy"]
    labels = np.asarray(scored.index.labels(scored.rows))
    together = summarise(scored, group=Column("batch", [f"{label} {row % 4}" for row, label in enumerate(labels)]))
    metric = together.metrics["accuracy"]
    assert (metric.method, together.group, together.groups) == ("bootstrap", "batch", 8)
    assert metric.value == alone.value
    assert metric.high - metric.low > alone.high - alone.low


def test_images_without_a_group_are_by_themselves(scored: Scored) -> None:
    assert summarise(scored, group=Column("batch", [None, ""] * 12)).groups == 24
    assert summarise(scored, group=Column("batch", [None] * 12 + ["row 1"] * 12)).groups == 13


def test_many_classes_keep_pairs_alone(scored: Scored) -> None:
    many = with_task(scored, Classify(tuple(f"class {number}" for number in range(40))))
    found = summarise(many)
    assert found.confusion == ()
    assert 0 < len(found.confused) <= 24
    assert found.confused[0].count >= found.confused[-1].count


def masks(count: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 3, (count, 2, 6, 6)).astype(np.uint8)


def test_a_task_without_one_answer_an_image(scored: Scored) -> None:
    records = np.stack([record(answer, truth, 3, 1.0) for answer, truth in masks(24)])
    model = replace(scored.model, task=Segment(("a", "b", "c")))
    found = summarise(
        replace(scored, model=model, records=torch.from_numpy(records).float()),
        group=Column("scene", list(range(12)) * 2),
        slice_by=[Column("light", ["day", "night"] * 12)],
    )
    assert found.score == "mean_iou"
    metric = found.metrics["mean_iou"]
    assert metric.low < metric.value < metric.high
    assert metric.method == "bootstrap"
    assert found.calibration is None
    assert [part.count for part in found.slices] == [12, 12]
    assert 0 < found.slices[0].score.value < found.slices[1].score.value < 1
    scores = [example.score for example in found.worst]
    assert scores == sorted(scores)
    assert np.isnan(found.worst[0].probability)
    assert Evaluation.from_json(found.to_json()).to_json() == found.to_json()


def test_one_class_alone_has_nothing_to_confuse(scored: Scored) -> None:
    records = Answers.records(torch.ones(24, 1), torch.zeros(24, dtype=torch.int64))
    found = summarise(replace(scored, model=replace(scored.model, task=Classify(("a",))), records=records))
    assert (found.calibration, found.per_class, found.confusion) == (None, (), ())
    assert found.metrics["accuracy"].value == 1
