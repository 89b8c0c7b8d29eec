import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, top_k_accuracy_score
from torch import Tensor, nn

from striate.augment.mix import Mix
from striate.data import Batch, Preprocessing, build
from striate.errors import DataError
from striate.recipe import Recipe
from striate.tasks import Prediction
from striate.tasks.classify import Classify

THREE = ("a", "b", "c")
UNMIXED = Mix(torch.tensor([0, 1]), torch.ones(2), torch.zeros(2, 4, dtype=torch.int64), torch.ones(2))
SHOWN = Preprocessing((1, 32, 32), (0.5,), (0.5,))
Z = 1.959963984540054  # of the normal distribution, two-sided 95 %


def log_softmax(logits: Tensor) -> Tensor:
    return logits - logits.exp().sum(dim=1, keepdim=True).log()


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def observe(task: Classify, logits: Tensor, labels: Tensor) -> Tensor:
    """The records of images of a made-up index with these labels."""
    names = [str(number) for number in range(len(labels))]
    several = [np.flatnonzero(row).tolist() for row in labels.numpy()] if task.several_labels else None
    index = build(Path(), task.classes, names, label=None if several else labels.tolist(), labels=several)
    batch = Batch(torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8), np.arange(len(labels)))
    return task.observe(logits, index, batch, SHOWN)


def metrics(task: Classify, logits: Tensor, labels: Tensor) -> dict[str, float]:
    records = observe(task, logits, labels)
    assert records.shape == (len(logits), task.record_width)
    return task.metrics(records)


def decode(task: Classify, logits: Tensor, paths: list[str]) -> list[Prediction]:
    return task.decode(logits, paths, [(32, 32)] * len(paths), SHOWN)


# The loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_of_one_label(smoothing: float, weighted: bool) -> None:
    logits, labels = numbers(5, 3), torch.tensor([0, 2, 1, 1, 0])
    weight = torch.tensor([0.5, 1.0, 2.0]) if weighted else torch.ones(3)
    target = torch.eye(3)[labels] * (1 - smoothing) + smoothing / 3
    terms = -(target * weight * log_softmax(logits)).sum(dim=1)
    expected = terms.sum() / weight[labels].sum()
    objective = Classify(THREE).cross_entropy(nn.Identity(), smoothing, weight if weighted else None)
    loss, outputs = objective(logits, {"label": labels})
    assert loss.shape == ()
    assert torch.equal(outputs, logits)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_of_mixed_targets(smoothing: float, weighted: bool) -> None:
    logits = numbers(4, 3)
    targets = torch.tensor([[1, 0, 0], [0.3, 0.7, 0], [0.25, 0, 0.75], [0, 0.5, 0.5]])
    weight = torch.tensor([0.5, 1.0, 2.0]) if weighted else torch.ones(3)
    smoothed = targets * (1 - smoothing) + smoothing / 3
    expected = -(smoothed * weight * log_softmax(logits)).sum() / (targets * weight).sum()
    objective = Classify(THREE).cross_entropy(nn.Identity(), smoothing, weight if weighted else None)
    assert objective(logits, {"label": targets})[0].item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_targets_that_are_not_mixed_have_the_loss_of_their_labels(smoothing: float, weighted: bool) -> None:
    logits, labels = numbers(5, 3), torch.tensor([0, 2, 1, 1, 0])
    task = Classify(THREE)
    objective = task.cross_entropy(nn.Identity(), smoothing, torch.tensor([0.5, 1.0, 2.0]) if weighted else None)
    shares = torch.eye(3)[labels]
    of_targets, of_labels = objective(logits, {"label": shares})[0], objective(logits, {"label": labels})[0]
    assert of_targets.item() == pytest.approx(of_labels.item(), rel=1e-6)


def test_mixed_targets_are_the_shares_of_both_images_classes() -> None:
    whole = Classify(THREE).mix({"label": torch.tensor([2, 0])}, UNMIXED)["label"]
    assert whole.dtype == torch.float32
    assert whole.tolist() == [[0, 0, 1], [1, 0, 0]]
    half = replace(UNMIXED, partner=torch.tensor([1, 0]), share=torch.tensor([0.75, 0.75]))
    assert Classify(THREE).mix({"label": torch.tensor([2, 0])}, half)["label"].tolist() == [
        [0.25, 0, 0.75],
        [0.75, 0, 0.25],
    ]
    several = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    mixed = Classify(THREE, several_labels=True).mix({"label": several}, half)["label"]
    assert mixed.tolist() == [[0.75, 1, 0], [0.25, 1, 0]]


def test_targets_are_the_index_s_labels(tmp_path: Path) -> None:
    index = build(tmp_path, THREE, ["x", "y", "z"], label=[2, 0, 1])
    batch = Batch(torch.zeros(2, 1, 1, 1, dtype=torch.uint8), np.array([2, 0]))
    assert Classify(THREE).targets(index, batch, SHOWN)["label"].tolist() == [1, 2]
    assert Classify.of(index, Recipe()) == Classify(THREE)
    several = build(tmp_path, THREE, ["x", "y"], labels=[[0, 1], []])
    assert Classify.of(several, Recipe()) == Classify(THREE, several_labels=True)
    batch = Batch(torch.zeros(2, 1, 1, 1, dtype=torch.uint8), np.array([1, 0]))
    assert Classify.of(several, Recipe()).targets(several, batch, SHOWN)["label"].tolist() == [[0, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize("task", [Classify(THREE), Classify(THREE, several_labels=True)])
def test_blank_targets_are_such_as_the_loss_takes(task: Classify) -> None:
    loss, _ = task.objective(nn.Identity())(numbers(4, 3), task.blank_targets(4, (3, 8, 8)))
    assert loss.isfinite()


@pytest.mark.parametrize("weighted", [False, True])
def test_the_mass_of_parts_adds_up_to_that_of_the_batch_and_weighs_their_means(weighted: bool) -> None:
    logits, labels = numbers(5, 3), torch.tensor([0, 2, 1, 1, 0])
    weight = torch.tensor([0.5, 1.0, 2.0]) if weighted else None
    for wanted in (labels, torch.eye(3)[labels] * 0.7 + 0.1):
        objective = Classify(THREE).cross_entropy(nn.Identity(), 0.1, weight)
        whole = objective.mass({"label": wanted})
        parts = [(logits[some], {"label": wanted[some]}) for some in (slice(0, 2), slice(2, 5))]
        assert sum(objective.mass(targets) for _, targets in parts) == pytest.approx(whole)
        mean = sum(objective(some, targets)[0].item() * objective.mass(targets) / whole for some, targets in parts)
        assert mean == pytest.approx(objective(logits, {"label": wanted})[0].item(), rel=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_loss_of_several_labels_takes_each_class_alone(weighted: bool) -> None:
    logits, labels = numbers(4, 3), torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]).float()
    weight = torch.tensor([0.5, 1.0, 2.0]) if weighted else torch.ones(3)
    p = 1 / (1 + (-logits).exp())
    expected = -(weight * labels * p.log() + (1 - labels) * (1 - p).log()).mean()
    task = Classify(THREE, several_labels=True)
    objective = task.cross_entropy(nn.Identity(), 0.1, weight if weighted else None)  # smoothing is for one label
    loss, _ = objective(logits, {"label": labels})
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_loss_is_in_float32_whatever_the_net_gives() -> None:
    loss, outputs = Classify(THREE).objective(nn.Identity())(numbers(2, 3).bfloat16(), {"label": torch.tensor([0, 1])})
    assert loss.dtype == outputs.dtype == torch.float32


def test_the_objective_s_weight_moves_with_it_and_is_not_saved() -> None:
    objective = Classify(THREE).cross_entropy(nn.Linear(2, 3), weight=torch.ones(3))
    assert "weight" in dict(objective.named_buffers())
    assert objective.state_dict().keys() == {"net.weight", "net.bias"}


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=6))
def test_balanced_weights_give_each_class_the_same_share(counts: list[int]) -> None:
    weight = Classify(tuple(map(str, counts))).balanced_weight(counts, sum(counts))
    shares = weight.double() * torch.tensor(counts)
    assert torch.allclose(shares, torch.full_like(shares, sum(counts) / len(counts)), rtol=1e-5)


def test_balanced_weights_of_several_labels_raise_those_with_few_images() -> None:
    weight = Classify(THREE, several_labels=True).balanced_weight([1, 5, 10], 10)
    assert weight.tolist() == pytest.approx([9, 1, 0.1])  # without / with; at least one without


def test_balanced_weights_of_a_class_without_images_are_finite() -> None:
    assert Classify(("a", "b")).balanced_weight([4, 0], 4).tolist() == [0.5, 2.0]
    assert Classify(("a", "b"), several_labels=True).balanced_weight([4, 0], 4).tolist() == [0.25, 3.0]


# Metrics


@given(st.integers(0, 40), st.integers(1, 40))
def test_accuracy_and_its_wilson_interval(right: int, count: int) -> None:
    right = min(right, count)
    labels = torch.zeros(count, dtype=torch.int64)
    logits = torch.tensor([[1.0, 0.0]] * right + [[0.0, 1.0]] * (count - right))
    scores = metrics(Classify(("a", "b")), logits, labels)
    p = right / count
    middle = (p + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * math.sqrt(p * (1 - p) / count + Z**2 / (4 * count**2))
    assert scores["count"] == count
    assert scores["accuracy"] == p
    assert scores["accuracy_low"] == pytest.approx(middle - half, abs=1e-9)
    assert scores["accuracy_high"] == pytest.approx(middle + half, abs=1e-9)
    assert scores["accuracy_low"] <= p <= scores["accuracy_high"]


def test_metrics_of_one_label() -> None:
    task, logits, labels = Classify(THREE), numbers(7, 3), torch.tensor([0, 1, 2, 2, 1, 0, 0])
    scores = metrics(task, logits, labels)
    assert scores.keys() == {"count", "accuracy", "accuracy_low", "accuracy_high", "loss"}
    assert scores["loss"] == pytest.approx(-log_softmax(logits)[range(7), labels].mean().item(), rel=1e-6)
    assert all(isinstance(value, (int, float)) for value in scores.values())


def test_top5_accuracy_with_more_than_five_classes() -> None:
    logits, labels = numbers(40, 8), torch.arange(40) % 8
    scores = metrics(Classify(tuple("abcdefgh")), logits, labels)
    expected = top_k_accuracy_score(labels.numpy(), logits.numpy(), k=5)
    assert 0 < expected < 1
    assert scores["top5_accuracy"] == pytest.approx(expected)
    assert "top5_accuracy" not in metrics(Classify(tuple("abcde")), logits[:, :5], labels % 5)


def test_mean_average_precision_by_hand() -> None:
    task = Classify(("a", "b"), several_labels=True)
    labels = torch.tensor([[1, 0], [0, 1], [1, 0]]).float()
    logits = torch.tensor([[3.0, 0.0], [2.0, -1.0], [1.0, -2.0]])
    # a: right at places 1 and 3, precision 1 and 2/3; b: right at place 2, precision 1/2
    assert metrics(task, logits, labels)["mean_average_precision"] == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)


def test_f1_and_accuracy_of_several_labels_by_hand() -> None:
    task = Classify(("a", "b"), several_labels=True)
    labels = torch.tensor([[1, 0], [0, 1], [1, 1], [0, 0]]).float()
    logits = torch.tensor([[1.0, -1.0], [1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    scores = metrics(task, logits, labels)
    # a: 2 right, 1 wrong, 0 missed: 4/5; b: 1 right, 0 wrong, 1 missed: 2/3
    assert scores["f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert scores["accuracy"] == 0.5  # of the first and the last image, all labels are right


def test_metrics_of_several_labels_agree_with_scikit_learn() -> None:
    task = Classify(tuple("abcd"), several_labels=True)
    logits, labels = numbers(30, 4), (numbers(30, 4, seed=1) > 0).float()
    scores, truth, values = metrics(task, logits, labels), labels.numpy(), logits.numpy()
    names = {"accuracy", "loss", "mean_average_precision", "f1"}
    assert scores.keys() == {"count"} | {f"{name}{end}" for name in names for end in ("", "_low", "_high")}
    for name in names:
        assert scores[f"{name}_low"] < scores[name] < scores[f"{name}_high"]
    assert scores["mean_average_precision"] == pytest.approx(average_precision_score(truth, values))
    assert scores["f1"] == pytest.approx(f1_score(truth, values > 0, average="macro"))
    p = 1 / (1 + np.exp(-values.astype(float)))
    assert scores["loss"] == pytest.approx(-(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean(), rel=1e-5)


def test_classes_that_do_not_occur_are_left_out_of_the_mean() -> None:
    labels, logits = torch.tensor([[1, 0], [0, 0]]).float(), torch.tensor([[1.0, 5.0], [-1.0, 5.0]])
    scores = metrics(Classify(("a", "b"), several_labels=True), logits, labels)
    assert (scores["mean_average_precision"], scores["f1"]) == (1.0, 1.0)
    none = metrics(Classify(("a", "b"), several_labels=True), logits, torch.zeros(2, 2))
    assert (none["mean_average_precision"], none["f1"]) == (0.0, 0.0)


def test_the_score_that_chooses_the_best_epoch_is_among_the_metrics() -> None:
    assert Classify(THREE).score == "accuracy"
    several = Classify(THREE, several_labels=True)
    assert several.score == "mean_average_precision"
    assert several.score in metrics(several, numbers(2, 3), torch.ones(2, 3))


def test_the_score_of_an_image_is_whether_it_is_answered_right() -> None:
    one = Classify(THREE).image_scores(torch.tensor([[0.0, 2, 1], [0, 2, 1]]), {"label": torch.tensor([1, 2])})
    assert one.tolist() == [True, False]
    logits = torch.tensor([[1.0, -1, 1], [1, -1, 1], [-1, -1, -1]])
    labels = torch.tensor([[1.0, 0, 1], [1, 1, 1], [0, 0, 0]])
    assert Classify(THREE, several_labels=True).image_scores(logits, {"label": labels}).tolist() == [True, False, True]


def test_confusion_has_a_row_for_each_true_class() -> None:
    logits = torch.eye(3)[[0, 1, 1, 0]]  # answers
    task = Classify(THREE)
    records = observe(task, logits, torch.tensor([0, 0, 0, 1]))
    confusion = task.confusion(records)
    assert confusion is not None
    assert task.answers(records).tolist() == [0, 1, 1, 0]
    assert confusion.tolist() == [[1, 2, 0], [1, 0, 0], [0, 0, 0]]
    assert confusion.dtype == np.int64


# Predictions


def test_the_most_probable_class_comes_first() -> None:
    first, second = decode(Classify(THREE), torch.tensor([[0.0, 2.0, 1.0], [9.0, 0.0, 0.0]]), ["x.png", "y.png"])
    assert first.path == "x.png"
    assert list(first.probabilities) == ["b", "c", "a"]
    total = 1 + math.exp(1) + math.exp(2)
    assert first.probabilities == pytest.approx({"a": 1 / total, "b": math.exp(2) / total, "c": math.exp(1) / total})
    assert first.labels == ("b",)
    assert first.label == "b"
    assert first.probability == first.probabilities["b"]
    assert first.top(2) == [("b", first.probabilities["b"]), ("c", first.probabilities["c"])]
    assert len(first.top(9)) == 3
    assert first.error == ""
    assert list(second.probabilities) == ["a", "b", "c"]  # equal ones in the order of the classes


def test_with_several_labels_all_that_are_at_least_even_are_named() -> None:
    task = Classify(THREE, several_labels=True)
    first, second = decode(task, torch.tensor([[0.0, -0.1, 1.0], [-1.0, -2.0, -3.0]]), ["x.png", "y.png"])
    assert first.labels == ("c", "a")
    assert first.probabilities["c"] == pytest.approx(1 / (1 + math.exp(-1)))
    assert second.labels == ()
    assert second.label == "a"


def test_probabilities_of_one_label_add_up_to_1_however_large_the_logits() -> None:
    (prediction,) = decode(Classify(THREE), torch.tensor([[1e4, -1e4, 0.0]]), ["x.png"])
    assert sum(prediction.probabilities.values()) == pytest.approx(1)


def test_a_prediction_that_failed() -> None:
    failed = Prediction("x.png", {}, error="the file is empty")
    assert (failed.label, failed.labels, failed.top(3)) == ("", (), [])
    assert math.isnan(failed.probability)


def test_what_a_file_keeps_of_the_task() -> None:
    assert Classify(THREE).to_dict() == {"name": "classify", "several_labels": False}
    assert Classify(THREE, several_labels=True).to_dict() == {"name": "classify", "several_labels": True}
    assert Classify(THREE).outputs == 3


def test_one_class_alone_cannot_be_told_apart(tmp_path: Path) -> None:
    index = build(tmp_path, ("ant",), ["x", "y"], label=[0, 0])
    with pytest.raises(DataError) as caught:
        Classify(("ant",)).require_trainable(index)
    assert str(caught.value) == (
        "train: expected at least two classes to tell apart; got ant alone. Try it with images of something else, "
        "in a folder or with a label of their own."
    )
    Classify(("ant", "bee")).require_trainable(index)
    Classify(("ant",), several_labels=True).require_trainable(index)
