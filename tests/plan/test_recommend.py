"""A plan, from images to a sentence."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import one_hot

from striate.data import Index, Preprocessing, read, split
from striate.data.index import build
from striate.device import choose
from striate.errors import DataError, UsageError
from striate.features.heads import Fitted
from striate.nets import create
from striate.plan import Plan, recommend
from striate.plan.recommend import decide_by_head, sentence, span
from striate.plan.rule import Decision, Estimate, Evidence
from striate.pretrained import Pretrained, pretrained
from striate.recipe import MachineRecipe, Recipe, TrainingRecipe
from striate.tasks import HeadProblem
from striate.tasks.classify import Classify

SHARED = Path(__file__).parents[3] / "shared"
MACHINE = choose("cpu", "float32")
RECIPE = Recipe(machine=MachineRecipe(workers=1))
SHOWN = Preprocessing((1, 32, 32), (0.5,), (0.5,), crop_pct=1.0)


@pytest.fixture
def base() -> Pretrained:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Pretrained(create("lenet5", activation="relu").eval(), "lenet5", {"activation": "relu"}, SHOWN)


def planned(index: Index, base: Pretrained, recipe: Recipe = RECIPE, *, most: int = 2000) -> Plan:
    return recommend(index, base, base.preprocessing, MACHINE, recipe, most=most, log=pytest.fail)


def parted(data: Path) -> Index:
    return split(read(data), val_fraction=0.2, test_fraction=0.0, seed=0)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty images of each of two classes, brighter and darker, of which one is in the wrong folder."""
    root = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    for name, brightness in (("dark", 100), ("light", 150)):
        (root / name).mkdir()
        for number in range(60):
            level = 180 if (name, number) == ("dark", 7) else brightness
            pixels = rng.normal(level, 25, (32, 32)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number:02d}.png")
    return root


def test_a_plan_has_all_that_it_was_decided_from(many: Path, base: Pretrained) -> None:
    index = parted(many)
    index = index.with_column("split", ["train"] * len(index))
    plan = planned(index, base)
    assert plan.views == 2
    assert plan.freeze == plan.decision.freeze == "all"  # 119 of 120 are right already
    assert [depth.stage for depth in plan.depths] == ["conv1", "conv2", "fc1", "fc2"]
    assert [depth.features for depth in plan.depths] == [6, 400, 120, 84]
    assert [(size.images, size.heads) for size in plan.sizes] == [(15, 8), (30, 4), (60, 2), (120, 1)]
    assert [choice.freeze for choice in plan.choices] == ["all", "fc1", "conv2", "conv1", "none"]
    best = max(depth.accuracy.value for depth in plan.depths)
    assert plan.sizes[-1].accuracy.value == best > 0.95
    assert plan.evidence.accuracy == plan.depths[-1].accuracy
    assert plan.evidence.doubled is not None
    assert math.isclose(plan.evidence.doubled.value, best - plan.sizes[-2].accuracy.value)
    assert plan.sentence.startswith("freeze all: accuracy ")
    assert plan.computed == 120
    assert plan.suspects[0].path == "dark/07.png"
    assert (plan.suspects[0].given, plan.suspects[0].suggested) == ("dark", "light")
    assert index.paths([plan.suspects[0].row]) == ["dark/07.png"]
    assert json.loads(json.dumps(plan.to_dict()))["suspects"][0]["path"] == "dark/07.png"


def test_again_it_is_the_same_and_from_the_cache(two_classes: Path, base: Pretrained) -> None:
    index = parted(two_classes)
    first, second = (planned(index, base) for _ in range(2))
    assert second.computed == 0
    assert (first.depths, first.sizes, first.decision) == (second.depths, second.sizes, second.decision)
    assert (first.freeze, first.suspects, first.evidence) == (second.freeze, second.suspects, second.evidence)


def test_training_images_alone_are_looked_at_and_no_more_than_asked_for(many: Path, base: Pretrained) -> None:
    index = parted(many)
    train = len(index.rows("train"))
    assert planned(index, base).evidence.looked_at == train < len(index)
    evidence = planned(index, base, most=20).evidence
    assert (evidence.looked_at, evidence.images) == (20, train)


def test_too_few_images_to_halve(two_classes: Path, base: Pretrained) -> None:
    plan = planned(parted(two_classes), base, most=10)
    assert plan.evidence.doubled is None
    assert plan.decision.more_images is None
    assert "twice the images" not in plan.sentence
    assert [size.images for size in plan.sizes] == [10]


def test_balanced_weights(many: Path, base: Pretrained) -> None:
    recipe = replace(RECIPE, training=TrainingRecipe(class_weights="balanced"))
    assert planned(parted(many), base, recipe).depths[-1].accuracy.value > 0.9


def test_several_labels_a_image(
    write_pictures: Callable[[Path, Mapping[str, int]], Path], tmp_path: Path, base: Pretrained
) -> None:
    write_pictures(tmp_path, {"dark": 30, "light": 30})
    paths = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    lines = [f"{path},{'dark;old' if path.startswith('dark') else 'light'}" for path in paths]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *lines]), encoding="utf-8")
    index = read(tmp_path / "labels.csv", label_separator=";")
    plan = planned(split(index, val_fraction=0.2, test_fraction=0.0, seed=0), base)
    assert plan.depths[-1].accuracy.value > 0.9
    assert plan.evidence.classes == 3
    assert plan.suspects == ()


def test_an_unreadable_image_is_named(
    write_pictures: Callable[[Path, Mapping[str, int]], Path], tmp_path: Path, base: Pretrained
) -> None:
    root = write_pictures(tmp_path / "data", {"dark": 12, "light": 12})
    (root / "dark" / "03.png").write_bytes(b"no image")
    index = read(root)
    index = index.with_column("split", ["train"] * len(index))
    plan = planned(index, base)
    assert list(plan.unreadable) == ["dark/03.png"]
    assert plan.evidence.looked_at == plan.evidence.images == 23


def test_nothing_that_can_be_read(tmp_path: Path, base: Pretrained) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"no image")
    index = read(tmp_path)
    with pytest.raises(DataError) as caught:
        planned(index.with_column("split", ["train"] * len(index)), base)
    assert str(caught.value) == "train: expected at least two images that can be read; got 0."


def test_a_network_without_stages(two_classes: Path) -> None:
    base = Pretrained(torch.nn.Linear(1, 1), "line", {}, SHOWN)
    with pytest.raises(UsageError) as caught:
        planned(parted(two_classes), base)
    assert str(caught.value) == "`line`: expected a network with stages to freeze; got none. Try --freeze none."


EVIDENCE = Evidence(244, 244, 2, Estimate(0.934, 0.896, 0.959), "c", None)
TIMES = (1.2, 7200.0)
GAIN, MORE = Estimate(0.03, 0.007, 0.041), Estimate(0.05, 0.01, 0.09)


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (
            Decision("all", GAIN, None, False),
            "freeze all: accuracy 0.934 [0.896, 0.959] in 1.2 s; --freeze none is expected to add +0.030 [+0.007, "
            "+0.041] in 2.0 h, less than 0.01 a minute",
        ),
        (
            Decision("all", GAIN, MORE, False),
            "freeze all: accuracy 0.934 [0.896, 0.959] in 1.2 s; --freeze none is expected to add +0.030 [+0.007, "
            "+0.041] in 2.0 h, less than 0.01 a minute; twice the images are expected to add +0.050 [+0.010, "
            "+0.090]",
        ),
        (
            Decision("all", Estimate(0.002, -0.001, 0.004), None, False),
            "freeze all: accuracy 0.934 [0.896, 0.959] in 1.2 s; --freeze none is expected to add +0.002 [-0.001, "
            "+0.004] in 2.0 h",
        ),
        (
            Decision("none", GAIN, MORE, True),
            "freeze none: all frozen gives accuracy 0.934 [0.896, 0.959] in 1.2 s; this is expected to add "
            "+0.030 [+0.007, +0.041] in 2.0 h; twice the images would help more: +0.050 [+0.010, +0.090]",
        ),
    ],
)
def test_the_sentence(decision: Decision, expected: str) -> None:
    assert sentence(EVIDENCE, decision, *TIMES) == expected


def test_the_sentence_says_where_not_all_images_were_looked_at() -> None:
    decision = Decision("none", GAIN, MORE, False)
    assert sentence(replace(EVIDENCE, images=42_500), decision, *TIMES) == (
        "freeze none: all frozen gives accuracy 0.934 [0.896, 0.959] with 244 of 42,500 images in 1.2 s; this is "
        "expected to add +0.030 [+0.007, +0.041] in 2.0 h; twice these 244 images are expected to add +0.050 "
        "[+0.010, +0.090]"
    )


@pytest.mark.parametrize(("right", "minutes", "freeze"), [(0.5, 1, "none"), (0.5, 60, "all"), (1.0, None, "all")])
def test_a_fitted_head_decides_and_training_is_timed_only_where_it_may_be_worth_it(
    right: float, minutes: float | None, freeze: str
) -> None:
    labels = torch.arange(400) % 2
    answers = torch.where(torch.arange(400) < right * 400, labels, 1 - labels)
    index = build(Path(), ("a", "b"), [f"{n}.png" for n in range(400)], label=labels.numpy(), split=["train"] * 400)
    fitted = Fitted(torch.nn.Identity(), 1.0, 1.0, {}, one_hot(answers, 2).float(), torch.arange(400))
    asked = []

    def seconds() -> float:
        asked.append(minutes)
        return 60.0 * (minutes or 0)

    decision, said = decide_by_head(index, Classify(("a", "b")), HeadProblem(labels, None, None), fitted, seconds)
    assert decision.freeze == freeze
    assert asked == ([] if minutes is None else [minutes])
    assert ("less than 0.01 a minute" in said) == decision.too_slow
    assert (" in 1.0 " in said) == (minutes is not None)


def test_spans() -> None:
    assert [span(seconds) for seconds in (0.04, 59.9, 60, 3600)] == ["0.0 s", "59.9 s", "1.0 min", "1.0 h"]


@pytest.mark.slow
def test_photos_with_a_published_network() -> None:
    data = SHARED / "data" / "hymenoptera"
    weights = SHARED / "weights" / "mobilenet_v1_100_224.keras-folded.safetensors"
    if not (data.exists() and weights.exists()):
        pytest.skip("needs the images and weights of ../shared")
    found = pretrained(weights)
    plan = planned(read(data), found)
    assert plan.freeze == "all"
    assert plan.depths[-1].accuracy.value >= 0.92
    assert plan.depths[0].accuracy.value < 0.8
    assert "train/ants/466430434_4000737de9.jpg" in [suspect.path for suspect in plan.suspects]  # a dandelion
