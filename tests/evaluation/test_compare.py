"""Two models beside each other where answers are masks, and where classes come in another order."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from striate.data import Index, build, read
from striate.errors import DataError, UsageError
from striate.evaluation.compare import compare
from striate.evaluation.paired import Paired
from striate.evaluation.scores import evaluation_rows
from striate.model import Model
from striate.tasks.classify import Classify
from striate.tasks.segment import Segment

MakeModel = Callable[..., Model]
HALVES = 12


@pytest.fixture
def masked(tmp_path: Path) -> Index:
    """Images of two grey levels, whose masks say where they are light; of each, more is light."""
    for number in range(HALVES):
        mask = (np.arange(16) < 2 + number).astype(np.uint8)[None].repeat(16, axis=0)
        Image.fromarray(mask * 255).save(tmp_path / f"{number:02}.png")
        Image.fromarray(mask).save(tmp_path / f"{number:02}-mask.png")
    paths, masks = ([f"{number:02}{end}.png" for number in range(HALVES)] for end in ("", "-mask"))
    return build(tmp_path, (), paths, mask=masks, mask_classes=("dark", "light"), mask_values={0: 0, 1: 1})


def segmenter(untrained: MakeModel, light: float, bias: float) -> Model:
    """A model whose score of `light` follows the grey level of each pixel."""
    net = torch.nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([0.0, light])[:, None, None, None])
    net.bias = torch.nn.Parameter(torch.tensor([0.0, bias]))
    return replace(untrained(), net=net.eval(), task=Segment(("dark", "light")))


def test_masks_are_compared_by_the_score_of_each_image(untrained: MakeModel, masked: Index) -> None:
    right, never = segmenter(untrained, 9.0, -1.0), segmenter(untrained, 0.0, -1.0)
    found = compare(never, right, masked, "all", workers=1)
    assert found.paired.verdict == "better"
    assert not isinstance(found.paired, Paired)
    assert found.loss_difference is None
    assert found.sentence().startswith("B is better: the mean score of an image of B less that of A is +0.")
    assert "Student's p" in found.sentence()
    assert len(found.gained) == HALVES
    assert found.gained[0] == HALVES - 1  # most is light there, which A never says
    plain = found.to_dict()
    assert plain[plain["score"]]["b"] == pytest.approx(found.means[1])
    assert "loss_difference" not in plain
    assert compare(right, right, masked, "all", workers=1).paired.verdict == "equivalent"


def test_classes_in_another_order_are_matched_by_name(untrained: MakeModel, two_classes: Path) -> None:
    model = untrained()
    turned = replace(model, task=Classify(model.classes[::-1]))  # says the other class
    found = compare(model, turned, read(two_classes), "all", workers=1)
    assert isinstance(found.paired, Paired)
    assert found.paired.both == found.paired.neither == 0
    assert set(found.answers) == {*found.gained.tolist(), *found.lost.tolist()}
    assert all(a != b and (truth == b) == (row in found.gained) for row, (truth, a, b) in found.answers.items())


def trained_on(model: Model, index: Index, seed: int) -> Model:
    """As if it had been trained on data without splits, parted by that seed."""
    data = {"val_fraction": 0.25, "test_fraction": 0.25, "max_bad": 0.0}
    return replace(model, about={"data": index.fingerprint(), "seed": seed, "recipe": {"data": data}})


def test_models_are_compared_on_what_neither_learned_from(untrained: MakeModel, two_classes: Path) -> None:
    index = read(two_classes)
    one, same, other = (trained_on(untrained(), index, seed) for seed in (0, 0, 1))
    together = compare(one, same, index, workers=1)
    assert (together.split, together.why) == ("test", "held out from training")
    apart = compare(one, other, index, workers=1)
    assert 0 < len(apart.rows) < len(together.rows)
    assert set(apart.rows.tolist()) <= set(together.rows.tolist())
    own = len(together.rows)
    assert apart.why.startswith(f"those among both of {own} of A's test and {own} of B's test. Train both with one ")
    stranger = compare(untrained(), one, index, workers=1)  # was trained on other data, so that it may see all of these
    assert stranger.split == "held out"
    assert stranger.rows.tolist() == together.rows.tolist()


def test_models_that_learned_from_all_of_each_others_images_are_refused(
    untrained: MakeModel, two_classes: Path
) -> None:
    index = read(two_classes)
    models = [trained_on(untrained(), index, seed) for seed in range(12)]
    held_out = [set(evaluation_rows(model, index, "auto", 1)[1].tolist()) for model in models]
    apart = next(number for number, rows in enumerate(held_out) if not rows & held_out[0])
    with pytest.raises(DataError, match=r"expected images that neither model learned from; .* Train both with one"):
        compare(models[0], models[apart], index, workers=1)


def test_other_scores_are_refused(untrained: MakeModel, masked: Index) -> None:
    model = untrained(("dark", "light"))
    with pytest.raises(UsageError, match="models: expected two with the same score; got accuracy and mean_iou"):
        compare(model, segmenter(untrained, 1.0, 0.0), masked, "all")
