"""The report as a page, from real runs of every task and from hostile names."""

import base64
import io
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pages import require_good
from PIL import Image

from striate.data import Index, Preprocessing, build, read
from striate.data.index_file import load_index
from striate.evaluation import evaluate
from striate.model import Model, load
from striate.nets import create
from striate.report.build import SHOWN, Report, report
from striate.report.cost import measure
from striate.report.gallery import SIDE, gallery
from striate.report.history import history
from striate.report.run_page import MOST_CLASSES, page
from striate.report.write import write_report
from striate.tasks.classify import Classify
from striate.training import RunFolder

Untrained = Callable[..., Model]
EVIL = "<img src=x onerror=alert(1)>\x1b[31m\u202e"


@pytest.fixture(scope="module")
def found(finished: RunFolder) -> Report:
    index = load_index(finished.index)
    return report(evaluate(load(finished.model), index, workers=1), finished.model, finished, 1)


def test_the_page_of_a_run_has_all_its_parts_in_order(found: Report) -> None:
    html = page(found)
    shown = require_good(html)
    parts = [values["id"] for values in shown.all("section")]
    assert parts == [
        "verdict", "trained", "learning", "scores", "probabilities", "confusions", "worst", "cost", "next", "use",
    ]  # fmt: skip
    assert found.verdict.headline.replace("\N{NO-BREAK SPACE}", " ") in shown.words
    assert "lenet5" in shown.words
    assert "adamw, 3 epochs, batches of 8" in shown.words
    assert len([values for values in shown.all("svg") if values.get("role") == "img"]) == 3  # loss, score, reliability


def test_the_curves_are_those_of_metrics_csv(found: Report) -> None:
    assert [row["epoch"] for row in found.facts.history.epochs] == [1, 2, 3]
    curve = found.facts.history.curve("val_accuracy", "val")
    assert curve is not None
    assert len(curve.low) == 3
    assert found.facts.history.curve("no_such_column", "x") is None


def test_images_that_were_left_out_are_said_once(found: Report) -> None:
    findings = (("left-out", 16, False), ("leak", 2, True))
    shown = page(replace(found, facts=replace(found.facts, history=replace(found.facts.history, findings=findings))))
    assert "<li>left out: 16</li>" in shown


@pytest.mark.parametrize(("temperature", "said"), [(1.001, False), (1.2, True)])
def test_a_temperature_that_rounds_to_1_is_not_spoken_of(found: Report, temperature: float, said: bool) -> None:
    evaluation = found.evaluation
    changed = replace(evaluation, temperature=temperature, uncalibrated=evaluation.calibration, split="test")
    shown = page(replace(found, facts=replace(found.facts, evaluation=changed)))
    assert ("Before its temperature of 1.20" in shown) == said
    assert "temperature of 1.00" not in shown


def test_what_was_planned_is_read_from_the_log(tmp_path: Path, finished: RunFolder) -> None:
    folder = RunFolder(tmp_path)
    model, index = load(finished.model), load_index(finished.index)
    assert history(model, folder, index).planned == ""
    folder.log.write_text("2026-01-01 10:00:00 --freeze auto: freeze all: accuracy 0.9\n2026-01-01 10:00:01 done\n")
    assert history(model, folder, index).planned == "freeze all: accuracy 0.9"


def test_names_from_outside_are_text(tmp_path: Path, untrained: Untrained) -> None:
    classes = (EVIL, "b|c\n# d")
    for number in range(4):
        Image.new("RGB", (40, 40), (60 * number, 0, 0)).save(tmp_path / f"{number}.png")
    odd = tmp_path / "<b>é.png"
    Image.new("RGB", (40, 40)).save(odd)
    paths = [f"{number}.png" for number in range(4)] + [odd.name]
    index = build(tmp_path, classes, paths, label=[0, 1, 0, 1, 0], split=["test"] * 5, notes=[f"read as: {EVIL}"])
    html = page(report(evaluate(untrained(classes), index, workers=1), Path(f"{EVIL}.safetensors"), workers=1))
    shown = require_good(html)
    assert all(values["src"].startswith("data:image/jpeg") for values in shown.all("img"))
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "<img src=x onerror" in shown.words  # as text


def test_names_that_are_not_utf8_and_images_that_have_gone(tmp_path: Path, untrained: Untrained) -> None:
    for folder, grey in (("dark", 250), ("light", 5)):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (32, 32), (grey,) * 3).save(tmp_path / folder / "a.png")
    (tmp_path / "dark" / "a.png").rename(tmp_path / "dark" / os.fsdecode(b"caf\xe9.png"))
    scored = evaluate(untrained(), read(tmp_path), "all", workers=1)
    shown = require_good(page(report(scored, Path("m.safetensors"), workers=1)))
    assert "caf" in shown.words
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    gone = require_good(page(report(scored, Path("m.safetensors"), workers=1)))
    assert "The image can no longer be read." in gone.words


def many(tmp_path: Path, count: int) -> tuple[Model, Index]:
    """A model of many classes with long names, and images of noise, which JPEG cannot make small."""
    classes = tuple(f"{'long name ' * 60}{number}" for number in range(count))
    arguments = {"num_classes": count, "in_channels": 3}
    torch.manual_seed(0)
    net = create("resnet20_cifar", **arguments).eval()
    rng = np.random.default_rng(0)
    for number in range(60):
        Image.fromarray(rng.integers(0, 256, (200, 200, 3), np.uint8)).save(tmp_path / f"{number}.png")
    labels = [number % count for number in range(600)]
    index = build(tmp_path, classes, [f"{n % 60}.png" for n in range(600)], label=labels, split=["test"] * 600)
    preprocessing = Preprocessing((3, 128, 128), (0.5,) * 3, (0.25,) * 3)
    return Model(net, "resnet20_cifar", arguments, Classify(classes), preprocessing), index


def test_the_page_of_a_thousand_classes_is_bounded(tmp_path: Path) -> None:
    model, index = many(tmp_path, 1000)
    found = report(evaluate(model, index, workers=1), Path("m.safetensors"), workers=1)
    shown = require_good(page(found), 3_000_000)
    assert f"And {600 - MOST_CLASSES} more classes" in shown.words
    assert len(shown.all("img")) == 2 * SHOWN
    assert "taken for" in shown.words
    assert len(found.worst) == SHOWN


def test_a_model_of_no_run_says_what_it_can(tmp_path: Path, untrained: Untrained, two_classes: Path) -> None:
    scored = evaluate(untrained(), read(two_classes), "all", workers=1)
    shown = require_good(page(report(scored, tmp_path / "m.safetensors", workers=1)))
    assert "learning" not in [values["id"] for values in shown.all("section")]
    assert "24 images of all" in shown.words


def test_the_run_that_has_nothing_held_out_is_scored_on_train_and_told_so(tmp_path: Path, finished: RunFolder) -> None:
    index = load_index(finished.index)
    index = index.with_column("split", ["train"] * len(index))
    target = tmp_path / "report.html"
    write_report(load(finished.model), index, finished.model, finished, page=target, workers=1)
    assert "scored on images that it learned from" in target.read_text(encoding="utf-8")


def test_the_maps_lie_beside_the_images_that_they_are_of(untrained: Untrained, two_classes: Path) -> None:
    scored = evaluate(untrained(), read(two_classes), "all", workers=1)
    found = gallery(scored, [5, 17], 1)
    assert list(found.images) == [5, 17]
    image, overlaid = found.images[5]
    assert image.shows == "image"
    assert found.method in ("CAM", "Grad-CAM")
    sizes = {_opened(each.address).size for each in (image, overlaid)}
    assert sizes == {(32, 32)}
    assert max(_opened(image.address).size) <= SIDE


def _opened(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def test_a_network_without_a_last_map_has_a_word_instead(untrained: Untrained, two_classes: Path) -> None:
    model = untrained()
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32 * 32, 2)).eval()
    scored = evaluate(replace(model, net=net), read(two_classes), "all", workers=1)
    found = gallery(scored, [0], 1)
    assert len(found.images[0]) == 1
    assert re.search("no last map", found.no_maps)


def test_images_of_several_labels(untrained: Untrained, two_classes: Path) -> None:
    index = read(two_classes)
    several = build(two_classes, index.classes, index.paths(), labels=[[row % 2] for row in range(len(index))])
    found = report(
        evaluate(untrained(several_labels=True), several, "all", workers=1), Path("m.safetensors"), workers=1
    )
    shown = require_good(page(found))
    assert found.verdict.headline.startswith("Mean average precision 0.")
    assert "Worst images" in shown.words
    assert "confusions" not in [values["id"] for values in shown.all("section")]


def test_what_is_measured_of_a_model(untrained: Untrained, tmp_path: Path) -> None:
    model, path = untrained(), tmp_path / "m.safetensors"
    model.save(path)
    cost = measure(model, path)
    assert cost.parameters == sum(parameter.numel() for parameter in model.net.parameters())
    assert cost.file_bytes == path.stat().st_size
    assert cost.macs is not None
    assert cost.macs > 0
    assert cost.weight_bytes == 4 * cost.parameters
    assert cost.peak_bytes is not None
    assert cost.peak_bytes >= 4 * 32 * 32 * (1 + 6)  # the image and the first maps, which live at once
    assert cost.images_per_second > 0
    assert not model.net.training
