from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from striate.data import Batch, Index, Preprocessing, build
from striate.errors import DataError, UsageError
from striate.recipe import Recipe, from_dict, with_values
from striate.tasks import settled, task_of
from striate.tasks.classify import Classify
from striate.tasks.locate import Locate
from striate.tasks.locate_loss import box_loss
from striate.tasks.locate_rows import NO_OBJECT, NONE, SEVERAL
from striate.tasks.located import Located
from striate.tasks.segment import Segment

SHOWN = Preprocessing((3, 50, 100), (0.5,) * 3, (0.5,) * 3, 1.0, "squash")
BOX = [10.0, 10.0, 50.0, 40.0]
NAN = float("nan")


def index_of(objects: list[list[tuple[int, list[float]]]], classes: tuple[str, ...] = ("cat", "dog")) -> Index:
    """An image for each list of objects, of class number and box."""
    return build(
        Path("/nowhere"),
        classes,
        [f"{number}.jpg" for number in range(len(objects))],
        labels=[[label for label, _ in each] for each in objects],
        boxes=[[box for _, box in each] for each in objects],
    )


ONE = index_of([[(0, BOX)], [(1, BOX)]])
MIXED = index_of([[(0, BOX)], [(1, BOX), (0, [0.0, 0.0, 90.0, 90.0])], [], [(1, BOX)]])
CROWDS = index_of([[(0, BOX)], [(1, BOX), (0, BOX)], [(1, BOX), (0, BOX), (0, BOX)]])


def recipe(**tables: Any) -> Recipe:
    return from_dict(tables)


def batch_of(index: Index, boxes: Tensor) -> Batch:
    return Batch(torch.zeros(len(boxes), 50, 100, 3, dtype=torch.uint8), np.arange(len(boxes)), boxes=boxes)


# Which data, and which images of them


def test_data_of_one_box_an_image_are_located_in_by_themselves() -> None:
    assert settled(Recipe(), ONE).network.task == "locate"
    assert task_of(ONE, Recipe()) == Locate(("cat", "dog"))
    assert settled(recipe(network={"task": "classify"}), ONE).network.task == "classify"
    assert settled(Recipe(), build(Path(), ("a", "b"), ["x"], label=[0])).network.task == "classify"


def test_images_of_several_objects_or_none_are_left_out_for_a_reason() -> None:
    task = Locate.of(MIXED, Recipe())
    matched = task.match(MIXED)
    assert matched.table["reason"].to_pylist() == [None, SEVERAL, NONE, None]
    assert matched.notes == MIXED.notes
    assert task.match(matched).table.equals(matched.table)


def test_the_largest_object_is_used_where_that_is_asked_for() -> None:
    asked = recipe(data={"boxes": "largest"})
    task = task_of(MIXED, settled(asked, MIXED))
    assert task == Locate(("cat", "dog"), largest=True)
    matched = task.match(MIXED)
    assert matched.usable().tolist() == [True, True, False, True]
    assert matched.labels(np.array([1])).tolist() == [0]
    assert task.annotations(matched)["boxes"][1].tolist() == [0, 0, 90, 90]
    assert matched.notes[-1] == "used by their largest object, images of several: 1."
    assert task.match(matched).notes == matched.notes


def test_images_without_an_object_are_a_class_where_that_is_asked_for() -> None:
    asked = recipe(network={"task_args": {"no-object": True}}, data={"boxes": "largest"})
    task = task_of(MIXED, asked)
    assert task == Locate(("cat", "dog", NO_OBJECT), largest=True)
    matched = task.match(MIXED)
    assert matched.usable().all()
    assert matched.labels(np.arange(4)).tolist() == [0, 0, 2, 1]
    assert task_of(matched, asked) == task
    assert task.match(matched).table.equals(matched.table)
    assert (task.number_of_boxes, task.outputs) == (1, 7)


def test_many_objects_an_image_are_refused_in_one_sentence_with_counts() -> None:
    sentence = (
        "boxes: expected images of one object each, to locate it; got 2 of 3 images with several. To find all of them "
        "is detection, which striate does not do. Try --boxes largest, or --task classify, or --task segment where "
        "there are masks."
    )
    with pytest.raises(DataError) as caught:
        settled(Recipe(), CROWDS)
    assert str(caught.value) == sentence
    assert settled(recipe(data={"boxes": "largest"}), CROWDS).network.task == "locate"
    assert settled(recipe(network={"task": "classify"}), CROWDS).network.task == "classify"
    alone = index_of([[(0, BOX), (1, BOX)]] * 2)
    with pytest.raises(DataError, match="got 2 of 2 images with several"):
        Locate.of(alone, Recipe())


def test_data_without_boxes_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        Locate.of(build(Path(), ("a", "b"), ["x", "y"], label=[0, 1]), Recipe())
    assert str(caught.value) == "boxes: expected images with a box, to locate objects in; got none in 2."


def test_a_box_without_area_is_none() -> None:
    index = build(Path(), ("a", "b"), ["x", "y"], label=[0, 1], box=[[5, 5, 5, 9], [1, 1, 2, 2]])
    assert Locate(("a", "b")).match(index).usable().tolist() == [False, True]


def test_of_a_single_class_nothing_is_said_but_how_well_it_is_found(tmp_path: Path) -> None:
    task, two = Locate(("cat",)), Locate(("cat", "dog"))
    assert (task.score, task.image_score, two.score) == ("mean_iou", "mean_iou", "right_iou")
    index = index_of([[(0, BOX)], [(0, BOX)]], ("cat",))
    batch = batch_of(index, torch.tensor([BOX, BOX]))
    records = task.observe(torch.tensor([[0.3, 0.1, 0.2, 0.5, 0.8]] * 2), task.match(index), batch, SHOWN)
    metrics = task.metrics(records)
    assert task.line(metrics) == "mean IoU 1.0000 [1.0000, 1.0000], IoU of 0.5 or more 1.0000 [0.3424, 1.0000]"
    assert task.score in metrics
    assert task.graded(records) is None


@pytest.mark.parametrize(("loss", "weight"), [("mse", 100), ("smooth_l1", 100), ("giou", 10)])
def test_each_loss_of_the_box_has_a_weight_of_its_own(loss: str, weight: float) -> None:
    task, logits, truth = Locate(("cat", "dog")), torch.tensor([[1.0, 2.0]]), torch.tensor([[0.2, 0.2, 0.7, 0.7]])
    outputs = torch.cat([logits, truth + 0.1], dim=1)
    asked = recipe(network={"task_args": {"box_loss": loss}}, training={"label_smoothing": 0.0})
    found, _ = task.objective(nn.Identity(), asked)(outputs, {"label": torch.tensor([0]), "box": truth})
    of_class = cross_entropy(logits, torch.tensor([0]))
    torch.testing.assert_close(found, of_class + weight * box_loss(loss, truth + 0.1, truth).mean())  # type: ignore[arg-type]


# What a recipe may ask for


def test_all_of_an_image_is_shown() -> None:
    data = settled(Recipe(), ONE).data
    assert (data.crop_mode, data.crop_pct) == ("squash", 1.0)
    asked = settled(recipe(data={"crop_mode": "border", "crop_pct": 0.9}), ONE).data
    assert (asked.crop_mode, asked.crop_pct) == ("border", 0.9)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_images_are_not_mixed(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        Locate.resolve(recipe(augment={name: 0.2}))
    assert str(caught.value) == (
        f"`{name}`: expected 0 with the task locate, whose images show one object; got 0.2. Try without it."
    )
    assert getattr(Locate.resolve(recipe(augment={"augment": "heavy"})).augment, name) == 0


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (
            {"box_los": "giou"},
            "`task_args`: expected an option of locate: box_loss, box_weight, per_class_boxes, no_object; got box_los. "
            "Did you mean `box_loss`?",
        ),
        ({"box_loss": "iou"}, "`task_args.box_loss`: expected mse, smooth_l1, giou; got 'iou'."),
        ({"box_weight": 0}, "`task_args.box_weight`: expected a number above 0; got 0.0."),
        ({"no_object": "maybe"}, "`task_args.no_object`: expected bool; got 'maybe'."),
    ],
)
def test_options_that_there_are_not(args: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        Locate.resolve(recipe(network={"task_args": args}))
    assert str(caught.value) == sentence


def test_a_net_that_names_pixels_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a network that names an image; got unet"):
        Locate.over("unet", {})


def test_the_net_is_a_locator_over_the_one_that_is_named() -> None:
    own = {"encoder": "resnet18", "in_channels": 3, "boxes": 1, "num_classes": 6}
    assert Locate(("a", "b")).net("resnet18", {"in_channels": 3}) == ("locator", own)
    per_class = Locate(("a", "b", NO_OBJECT), per_class_boxes=True)
    assert per_class.net("resnet18", {})[1] == {"encoder": "resnet18", "boxes": 2, "num_classes": 11}
    again = Locate(("a", "b", "c")).net("locator", {**own, "grid": 2})
    assert again == ("locator", {"encoder": "resnet18", "in_channels": 3, "grid": 2, "boxes": 1, "num_classes": 7})


# Targets, loss and scores


def test_boxes_are_shares_of_what_is_shown() -> None:
    task = Locate(("cat", "dog"))
    boxes = torch.tensor([[25.0, 10, 75, 40], [NAN] * 4])
    targets = task.targets(ONE, batch_of(ONE, boxes), SHOWN)
    assert targets["label"].tolist() == [0, 1]
    assert targets["box"][0].tolist() == pytest.approx([0.25, 0.2, 0.75, 0.8])
    assert targets["box"][1].isnan().all()


def test_an_object_that_a_crop_lost_is_none_where_that_is_a_class() -> None:
    task = Locate(("cat", "dog", NO_OBJECT))
    targets = task.targets(ONE, batch_of(ONE, torch.tensor([[25.0, 10, 75, 40], [NAN] * 4])), SHOWN)
    assert targets["label"].tolist() == [0, 2]


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_the_loss_is_cross_entropy_and_the_weighted_loss_of_the_box(per_class: bool, weights: str) -> None:
    task = Locate(("cat", "dog"), per_class_boxes=per_class)
    index = index_of([[(0, BOX)]] * 3 + [[(1, BOX)]]).with_column("split", ["train"] * 4)
    asked = recipe(
        network={"task_args": {"box_loss": "giou", "box_weight": 3.0}},
        training={"label_smoothing": 0.0, "class_weights": weights},
    )
    outputs = torch.randn(4, task.outputs, generator=torch.Generator().manual_seed(0))
    labels, truth = torch.tensor([0, 0, 0, 1]), torch.tensor([[0.1, 0.1, 0.5, 0.8]] * 3 + [[NAN] * 4])
    loss, given = task.objective(nn.Identity(), asked, index)(outputs, {"label": labels, "box": truth})
    assert torch.equal(given, outputs)
    boxes = outputs[:, 2:6].clone()
    if per_class:
        boxes[3] = outputs[3, 6:10]
    each = cross_entropy(outputs[:, :2], labels, reduction="none") + 3 * box_loss("giou", boxes, truth)
    weight = torch.tensor([4 / 6, 4 / 2])[labels] if weights == "balanced" else torch.ones(4)
    assert loss.item() == pytest.approx(float((each * weight).sum() / weight.sum()), rel=1e-5)


def test_the_box_of_the_class_counts_and_none_has_none() -> None:
    task = Locate(("cat", "dog", NO_OBJECT), per_class_boxes=True)
    outputs = torch.arange(22.0).view(2, 11)
    assert task.boxes(outputs, torch.tensor([0, 1])).tolist() == [[3, 4, 5, 6], [18, 19, 20, 21]]
    assert task.boxes(outputs, torch.tensor([2, 2])).shape == (2, 4)


def test_the_score_of_an_image_is_its_overlap_where_the_class_is_right() -> None:
    task = Locate(("cat", "dog", NO_OBJECT))
    outputs = torch.tensor([[2.0, 0, 0, 0, 0, 0.5, 1], [0, 2, 0, 0, 0, 0.5, 1], [0, 0, 2, 0, 0, 0, 0]])
    truth = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 1], [NAN] * 4])
    scores = task.image_scores(outputs, {"label": torch.tensor([0, 0, 2]), "box": truth})
    assert scores.tolist() == pytest.approx([0.5, 0, 1])


def test_what_a_head_is_fitted_to() -> None:
    task = Locate(("cat", "dog"), per_class_boxes=True)
    view = {"label": torch.tensor([0, 1]), "box": torch.tensor([[0.1, 0.1, 0.5, 0.8], [NAN] * 4])}
    parts = task.head_parts(ONE, np.arange(2), Recipe(), [view, view])
    assert parts.keys() == {"classes", "boxes"}
    assert Locate(("cat",)).head_parts(ONE, np.arange(2), Recipe(), [view]).keys() == {"boxes"}
    assert task.head_problem(ONE, np.arange(2), Recipe()) is None


# Predictions


def test_predictions_are_in_pixels_of_the_upright_original() -> None:
    task = Locate(("cat", "dog", NO_OBJECT))
    outputs = torch.tensor([[0.0, 2, 0, 0.5, 0.25, 0.1, 2], [0, 0, 3, 0.2, 0.2, 0.4, 0.4]])
    first, second = task.decode(outputs, ["a.jpg", "b.jpg"], [(400, 200), (10, 10)], SHOWN)
    assert isinstance(first, Located)
    assert first.label == "dog"
    assert first.box == pytest.approx((40, 50, 200, 200))
    assert first.size == (400, 200)
    assert second.label == NO_OBJECT
    assert second.box is None
    assert list(first.row(1)) == ["path", "label", "class_1", "probability_1", "x0", "y0", "x1", "y1", "error"]
    assert second.row(1)["x0"] is None
    assert list(task.unread("c.jpg", "empty").row(1)) == list(first.row(1))


def test_what_the_console_says() -> None:
    task = Locate(("cat", "dog"))
    truth = torch.tensor([[0.0, 0, 1, 1]])
    outputs = torch.tensor([[2.0, 0, 0, 0, 0.8, 1]])
    batch = batch_of(ONE, truth * torch.tensor([100, 50, 100, 50]))
    line = task.line(task.metrics(task.observe(outputs, ONE, batch, SHOWN)))
    assert line == (
        "mean IoU 0.8000 [0.8000, 0.8000], IoU of 0.5 or more 1.0000 [0.2065, 1.0000], accuracy 1.0000, "
        "both right 1.0000"
    )


def test_confusion_and_class_weights_are_those_of_classification() -> None:
    task = Locate(("cat", "dog"))
    outputs = torch.tensor([[2.0, 0, 0, 0, 1, 1], [2, 0, 0, 0, 1, 1]])
    records = task.observe(outputs, ONE, batch_of(ONE, torch.tensor([BOX, BOX])), SHOWN)
    confusion = task.confusion(records)
    assert confusion is not None
    assert confusion.tolist() == [[1, 0], [1, 0]]
    assert task.answers(records).tolist() == [0, 0]
    assert Classify(("cat", "dog")).balanced_weight([3, 1], 4).tolist() == pytest.approx([4 / 6, 2])


def test_the_boxes_of_mirror_images_are_turned_back() -> None:
    task = Locate(("cat", "dog"), per_class_boxes=True)
    outputs = torch.tensor([[2.0, -1.0, 0.0, 0.1, 0.25, 0.5, 0.5, 0.2, 1.0, 0.9]])
    expected = torch.tensor([[2.0, -1.0, 0.75, 0.1, 1.0, 0.5, 0.0, 0.2, 0.5, 0.9]])
    torch.testing.assert_close(task.unmirror(outputs), expected)


def test_a_loss_that_a_fitted_head_does_not_have_is_refused() -> None:
    for loss, freeze in (("mse", "all"), ("giou", "none"), ("smooth_l1", "0.5")):
        asked = with_values(Recipe(), {"task_args": {"box_loss": loss}, "freeze": freeze, "weights": "a"})
        assert Locate.resolve_transfer(asked) == asked
    for frozen in ("all", "auto", None):
        asked = with_values(Recipe(), {"task_args": {"box_loss": "giou"}, "freeze": frozen, "weights": "a"})
        with pytest.raises(UsageError) as caught:
            Locate.resolve_transfer(asked)
        assert str(caught.value) == (
            "`task_args.box_loss`: expected mse where all stages are frozen, because boxes are then fitted by least "
            "squares; got giou. Try --freeze none."
        )


@pytest.mark.parametrize(
    "task",
    [
        Classify(("a", "b", "c")),
        Classify(("a", "b", "c"), several_labels=True),
        Locate(("a", "b")),
        Locate(("a",)),
        Locate(("a", "b", NO_OBJECT), per_class_boxes=True),
        Segment(("a", "b")),
    ],
)
def test_outputs_are_right_about_what_they_say(task: Classify | Locate | Segment) -> None:
    rng = torch.Generator().manual_seed(0)
    size = (8, task.outputs, 6, 5) if isinstance(task, Segment) else (8, task.outputs)
    outputs, others = torch.rand(2, *size, generator=rng) - 0.3
    targets = task.as_targets(outputs)
    assert task.image_scores(outputs, targets).tolist() == pytest.approx([1.0] * 8)
    assert task.image_scores(others, targets).mean() < 1
