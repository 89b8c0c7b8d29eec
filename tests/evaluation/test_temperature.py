from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from striate.console import Reporter
from striate.data import read
from striate.evaluation import evaluate, summarise
from striate.evaluation.temperature import calibrated
from striate.model import Model, load
from striate.recipe import Recipe
from striate.training import train

MakeModel = Callable[..., Model]
WritePictures = Callable[[Path, Mapping[str, int]], Path]


def test_the_temperature_lessens_the_loss_and_changes_no_answer(
    untrained: MakeModel, write_pictures: WritePictures, tmp_path: Path
) -> None:
    index = read(write_pictures(tmp_path, {"dark": 40, "light": 30}))
    model = untrained()
    with torch.no_grad():
        for parameter in model.net.parameters():
            parameter.mul_(3)  # much too sure
    index = model.task.match(index)
    before = evaluate(model, index, "all")
    after = evaluate(calibrated(model, index, np.arange(70)), index, "all")
    assert after.answers.tolist() == before.answers.tolist()
    assert after.metrics["loss"] < before.metrics["loss"]
    record = summarise(after)
    assert record.temperature > 1
    assert record.calibration is not None
    assert record.uncalibrated is not None
    assert record.uncalibrated.loss.value == pytest.approx(before.metrics["loss"], rel=1e-5)


def test_too_few_images_decide_nothing(untrained: MakeModel, two_classes: Path) -> None:
    model, index = untrained(), read(two_classes)
    assert calibrated(model, index, np.arange(24)) is model


def test_several_labels_have_one_temperature_too(untrained: MakeModel, tmp_path: Path, two_classes: Path) -> None:
    (tmp_path / "a.png").write_bytes((two_classes / "dark" / "00.png").read_bytes())
    rows = "\n".join(f"a.png,{'dark;light' if number % 3 else 'light'}" for number in range(60))
    (tmp_path / "a.csv").write_text(f"path,label\n{rows}\n")
    model, index = untrained(several_labels=True), read(tmp_path / "a.csv", label_separator=";")
    found = calibrated(model, index, np.arange(60))
    assert found.task.temperature != 1
    outputs = torch.tensor([[1.0, -1.0]])
    before, after = (
        model.task.decode(outputs, "a", [(1, 1)], model.preprocessing),
        found.task.decode(outputs, "a", [(1, 1)], model.preprocessing),
    )
    assert before[0].labels == after[0].labels


def test_the_file_of_a_run_keeps_it(
    write_pictures: WritePictures, tiny_recipe: Callable[..., Recipe], silent: Reporter, tmp_path: Path
) -> None:
    data = write_pictures(tmp_path / "data", {"dark": 60, "light": 60})
    run = train(data, tiny_recipe(epochs=1, val_fraction=0.5, test_fraction=0.1), tmp_path / "run", silent)
    model = load(run.model, device="cpu", precision="float32")
    assert model.task.temperature != 1
    assert evaluate(model, read(data), "val").metrics["loss"] == pytest.approx(model.metrics["loss"], rel=1e-5)
