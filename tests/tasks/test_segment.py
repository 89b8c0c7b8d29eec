from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import cross_entropy, interpolate

from striate.data import Batch, Index, Preprocessing, UnreadableError, build
from striate.errors import DataError, UsageError
from striate.recipe import Recipe, from_dict, with_values
from striate.tasks import settled, task_of
from striate.tasks.segment import NO_MASK, Segment, Segmented
from striate.tasks.segment_loss import median_frequency
from striate.tasks.segment_metrics import record

SHOWN = Preprocessing((3, 8, 10), (0.5,) * 3, (0.5,) * 3, 1.0, "squash")
NAMES = ("background", "cat", "dog")


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Three images, two with masks: of 30 x 20 and of 9 x 7 pixels."""
    rng = np.random.default_rng(0)
    for number, size in enumerate(((20, 30), (7, 9))):
        mask = rng.integers(0, 3, size).astype(np.uint8)
        mask[0] = 255
        Image.fromarray(mask).save(tmp_path / f"{number}.png")
    return build(
        tmp_path,
        (),
        ["0.jpg", "1.jpg", "2.jpg"],
        mask=["0.png", "1.png", None],
        mask_classes=NAMES,
        mask_values={0: 0, 1: 1, 2: 2, 255: 255},
    )


def recipe(**tables: Any) -> Recipe:
    return from_dict(tables)


def test_data_with_masks_are_segmented_by_themselves(index: Index) -> None:
    assert settled(Recipe(), index).network.task == "segment"
    assert task_of(index, Recipe()) == Segment(NAMES)


def test_images_without_a_mask_are_left_out(index: Index) -> None:
    matched = Segment(NAMES).match(index)
    assert matched.table["reason"].to_pylist() == [None, None, NO_MASK]
    assert matched.labels(np.arange(3)).tolist() == [0, 0, -1]


def test_masks_are_held_to_the_limit_of_the_recipe_and_of_the_model_file(index: Index) -> None:
    with Image.open(index.root / "0.png") as mask:
        pixels = mask.width * mask.height
    for limit, is_read in ((pixels, True), (pixels - 1, False)):
        made = task_of(index, recipe(data={"max_pixels": limit}))
        for task in (made, Segment.from_dict(made.classes, made.to_dict())):
            load = task.annotations(task.match(index))["masks"]
            with nullcontext() if is_read else pytest.raises(UnreadableError, match=f"--max-pixels {pixels}"):
                load(0)


@pytest.mark.parametrize("limit", ["all", 0, 1_000_000_001])
def test_a_limit_of_pixels_that_cannot_be(limit: object) -> None:
    with pytest.raises(TypeError, match="max_pixels: expected a whole number from 1 to 1,000,000,000; got "):
        Segment.from_dict(NAMES, {"name": "segment", "max_pixels": limit})


def test_classes_are_matched_by_name(index: Index) -> None:
    task = Segment(("dog", "background", "horse", "cat"))
    matched = task.match(index)
    assert matched.mask_classes == task.classes
    assert matched.mask_values == {0: 1, 1: 3, 2: 0, 255: 255}
    assert task.match(matched).mask_values == matched.mask_values
    with pytest.raises(DataError) as caught:
        Segment(("background", "horse")).match(index)
    assert str(caught.value) == (
        "masks: expected only classes that the model knows (background, horse); got also cat, dog. Try --mask-classes."
    )


@pytest.mark.parametrize(("classes", "got"), [((), "none"), (("cat",), "classes cat")])
def test_masks_of_less_than_two_classes_are_refused(classes: tuple[str, ...], got: str) -> None:
    index = build(Path(), (), ["x"], mask_classes=classes, mask=["m.png"])
    with pytest.raises(DataError) as caught:
        Segment.of(index, Recipe())
    assert str(caught.value) == f"masks: expected images with masks of two classes or more; got {got}."


def test_all_of_an_image_is_shown_and_none_are_mixed(index: Index) -> None:
    resolved = settled(recipe(augment={"augment": "heavy"}), index)
    assert (resolved.data.crop_mode, resolved.data.crop_pct) == ("squash", 1.0)
    assert (resolved.augment.mixup, resolved.augment.cutmix) == (0, 0)
    with pytest.raises(UsageError) as caught:
        Segment.resolve(recipe(augment={"cutmix": 1.0}))
    assert str(caught.value) == (
        "`cutmix`: expected 0 with the task segment, whose pixels have one class each; got 1.0. Try without it."
    )
    with pytest.raises(UsageError, match=r"`task_args\.loss`: expected ce, dice, ce\+dice; got 'focal'"):
        Segment.resolve(recipe(network={"task_args": {"loss": "focal"}}))


def test_a_net_that_names_images_becomes_the_way_down_of_a_unet() -> None:
    task = Segment(NAMES)
    assert task.net("resnet18", {"in_channels": 3}) == ("unet_resnet18", {"in_channels": 3, "num_classes": 3})
    for name in ("fcn8s", "segnet", "unet", "unet_mobilenet_v2"):
        assert task.net(name, {}) == (name, {"num_classes": 3})


def test_class_weights_are_by_median_frequency(index: Index) -> None:
    task = Segment(NAMES)
    matched = task.match(index).with_column("split", ["train"] * 3)
    found = task.class_weight(matched, recipe(training={"class_weights": "balanced"}))
    masks = [np.asarray(Image.open(index.root / f"{number}.png")) for number in range(2)]
    pixels = sum(np.bincount(mask[mask != 255], minlength=3) for mask in masks)
    known = sum((mask != 255).sum() for mask in masks)  # each class is in both
    assert found is not None
    torch.testing.assert_close(found, median_frequency(torch.tensor(pixels), torch.full((3,), int(known))))
    assert task.class_weight(matched, Recipe()) is None


def test_each_mask_is_answered_at_its_own_size(index: Index) -> None:
    task = Segment(NAMES)
    logits = torch.randn(2, 3, 8, 10, generator=torch.Generator().manual_seed(0))
    batch = Batch(torch.zeros(2, 8, 10, 3, dtype=torch.uint8), np.arange(2))
    records = task.observe(logits, task.match(index), batch, SHOWN)
    for number in range(2):
        truth = np.array(Image.open(index.root / f"{number}.png"))
        large = interpolate(logits[number : number + 1], truth.shape, mode="bilinear")
        loss = cross_entropy(large, torch.from_numpy(truth).long()[None], ignore_index=255, reduction="sum")
        expected = record(large[0].argmax(dim=0).numpy().astype(np.uint8), truth, 3, float(loss))
        assert records[number].numpy() == pytest.approx(expected, rel=1e-5)
    line = task.line(task.metrics(records))
    assert line.startswith("mean IoU 0.")
    assert "over" not in line


def test_classes_that_do_not_occur_are_said(index: Index) -> None:
    task = Segment((*NAMES, "horse"))
    logits = torch.full((2, 4, 8, 10), -9.0)
    logits[:, 0] = 9
    batch = Batch(torch.zeros(2, 8, 10, 3, dtype=torch.uint8), np.arange(2))
    metrics = task.metrics(task.observe(logits, task.match(index), batch, SHOWN))
    assert np.isnan(metrics["iou_horse"])
    assert "] over 3 of 4 classes, pixel accuracy" in task.line(metrics)


def test_predictions_have_the_size_of_the_original() -> None:
    task = Segment(NAMES)
    logits = torch.zeros(1, 3, 8, 10)
    logits[0, 1, :, 5:] = 1
    [prediction] = task.decode(logits, ["a.jpg"], [(400, 200)], SHOWN)
    assert isinstance(prediction, Segmented)
    assert prediction.mask is not None
    assert prediction.mask.shape == (200, 400)
    assert set(np.unique(prediction.mask).tolist()) == {0, 1}
    assert prediction.mask[:, :180].max() == 0
    assert prediction.mask[:, 220:].min() == 1
    assert prediction.probabilities["cat"] == pytest.approx(0.5, abs=0.06)
    assert list(prediction.row(2)) == ["path", "class_1", "share_1", "class_2", "share_2", "error"]
    assert list(task.unread("a", "empty").row(2)) == list(prediction.row(2))


def test_the_worst_images_are_those_of_least_iou() -> None:
    truth = np.array([[0, 0, 1, 1]], np.uint8)
    blank = np.full((1, 4), 255, np.uint8)
    records = [
        record(answer, true, 3, 0.0)
        for answer, true in ((truth, truth), (1 - truth, truth), (np.zeros_like(truth), truth), (truth, blank))
    ]
    found = Segment(NAMES).record_scores(torch.from_numpy(np.stack(records)))
    assert found.tolist() == pytest.approx([1, 0, 0.25, np.nan], nan_ok=True)


def test_without_a_recipe_the_loss_is_plain() -> None:
    objective = Segment(NAMES).objective(nn.Identity())
    logits, masks = torch.randn(2, 3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.uint8)
    assert objective(logits, {"mask": masks})[0].item() == pytest.approx(float(cross_entropy(logits, masks.long())))


def test_the_pixels_of_mirror_images_are_turned_back() -> None:
    logits = torch.arange(12.0).reshape(1, 2, 2, 3)
    torch.testing.assert_close(
        Segment(("a", "b")).unmirror(logits)[0, 0], torch.tensor([[2.0, 1.0, 0.0], [5.0, 4.0, 3.0]])
    )


def test_batches_are_small_unless_asked_for() -> None:
    for given, expected in ((None, 8), (64, 64), (3, 3)):
        asked = with_values(Recipe(), {"batch_size": given} if given else {})
        assert Segment.resolve(asked).training.images_a_step == expected
    assert Recipe().training.images_a_step == 64
