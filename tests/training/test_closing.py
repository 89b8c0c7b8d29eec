"""What a run says of its model is what its file does, to the digit, for every kind of run."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from base_weights import save_base

import striate
from striate.cli.app import main
from striate.console import Reporter
from striate.data.index_file import load_index
from striate.errors import ModelFileError
from striate.evaluation import Scored, evaluate
from striate.model import Model, load
from striate.report import build, write
from striate.training import RunFolder

WritePictures = Callable[[Path, Mapping[str, int]], Path]
SAID = re.compile(r"val, as the model file answers: (.*)$", re.MULTILINE)
KINDS: dict[str, dict[str, Any]] = {
    "scratch": {"weights": "none", "model": "resnet20_cifar", "epochs": 2, "ema_decay": 0.9},
    "all": {"freeze": "all"},
    "stage": {"freeze": "layer2", "epochs": 2},
    "none": {"freeze": "none", "epochs": 2},
    "labels": {"freeze": "all", "label_separator": ";"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, write_pictures: WritePictures) -> Path:
    """Three classes that are hard to tell apart, and a table that gives some images two labels."""
    root = write_pictures(tmp_path_factory.mktemp("data") / "three", {"a": 16, "b": 16, "c": 16})
    lines = ["path,label"]
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        lines.append(f"{path.relative_to(root)},{path.parent.name}{';odd' if number % 3 else ''}")
    (root.parent / "several.csv").write_text("\n".join(lines).replace("\n", "\nthree/").replace("three/path", "path"))
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file whose batch norms are far from the identity, so that bfloat16 rounds much away."""
    return save_base(tmp_path_factory.mktemp("weights") / "base.safetensors", mean_std=0.5, variance=(0.1, 3.0))


def trained(
    kind: str,
    precision: str,
    data: Path,
    weights: Path,
    output: Path,
    silent: Reporter,
    *,
    report: bool = False,
    **more: Any,
) -> RunFolder:
    values: dict[str, Any] = {
        "img_size": "16",
        "crop_pct": 1.0,
        "batch_size": 8,
        "lr": 1e-3,
        "device": "cpu",
        "workers": 1,
    }
    values |= {"precision": precision, "weights": str(weights), "views": 2, **KINDS[kind], **more}
    source = data.parent / "several.csv" if kind == "labels" else data
    return striate.train(source, output=output, reporter=silent, report=report, **values)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
def test_said_and_done(
    kind: str,
    precision: str,
    data: Path,
    weights: Path,
    silent: Reporter,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = trained(kind, precision, data, weights, tmp_path / "run", silent)
    source = data.parent / "several.csv" if kind == "labels" else data
    separator = ["--label-separator", ";"] if kind == "labels" else []
    with pytest.raises(SystemExit) as left:
        main(["evaluate", str(run.model), str(source), "--split", "val", *separator])
    assert left.value.code in (0, None)
    done = dict(re.findall(r"^(accuracy|loss) ([\d.]+)", capsys.readouterr().out, re.MULTILINE))
    [said] = SAID.findall(run.log.read_text())
    accuracy, loss = re.findall(r"^accuracy ([\d.]+) .*loss ([\d.]+)$", said)[0]
    assert (accuracy, loss) == (done["accuracy"], done["loss"])
    model = load(run.model)
    assert model.machine.precision == precision
    index = load_index(run.index)
    assert model.metrics == evaluate(model, index, "val").metrics


def test_val_is_answered_once_for_trial_temperature_and_scores(
    weights: Path, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_pictures: WritePictures
) -> None:
    data = write_pictures(tmp_path / "data", {"a": 150, "b": 150})  # 90 of val, of which a temperature is fitted
    seen: list[tuple[str, int]] = []
    answered = Model.predict_batch

    def counted(model: Model, images: torch.Tensor, *, mirrored: bool = False) -> torch.Tensor:
        seen.append((model.machine.precision, len(images)))
        return answered(model, images, mirrored=mirrored)

    monkeypatch.setattr(Model, "predict_batch", counted)
    run = trained("all", "bfloat16", data, weights, tmp_path / "run", silent, val_fraction=0.3)
    images = {precision: sum(n for kind, n in seen if kind == precision) for precision in ("bfloat16", "float32")}
    assert images == {"bfloat16": 90, "float32": 90}
    monkeypatch.undo()
    model = load(run.model)
    assert model.task.temperature != 1
    assert model.metrics == evaluate(model, load_index(run.index), "val").metrics


@pytest.mark.parametrize("kind", ["all", "none"])
def test_the_report_is_of_the_answers_that_the_file_gave(
    kind: str,
    weights: Path,
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_pictures: WritePictures,
) -> None:
    data = write_pictures(tmp_path / "data", {"a": 150, "b": 150})
    reported: list[Scored] = []
    passes: list[int] = []
    outputs_of = Model.outputs_of

    def noted(scored: Scored, *given: Any) -> Any:
        reported.append(scored)
        return build.report(scored, *given)

    def counted(model: Model, images: Any, rows: Any, *given: Any, **more: Any) -> Any:
        passes.append(len(rows))
        return outputs_of(model, images, rows, *given, **more)

    monkeypatch.setattr(write, "report", noted)
    monkeypatch.setattr(Model, "outputs_of", counted)
    run = trained(
        kind,
        "float32",
        data,
        weights,
        tmp_path / "run",
        silent,
        report=True,
        val_fraction=0.3,
        test_fraction=0.0,
        epochs=1,
    )
    assert passes == [90]
    [scored] = reported
    read, index = load(run.model), load_index(run.index)
    anew = evaluate(read, index, "val")
    assert scored.metrics == anew.metrics == read.metrics
    assert torch.equal(scored.records, anew.records)
    assert run.report.exists()


def test_a_model_file_that_went_away_is_missed(
    two_classes: Path, tiny_recipe: Callable[..., Any], silent: Reporter, tmp_path: Path
) -> None:
    run = striate.train(two_classes, tiny_recipe(epochs=1), output=tmp_path / "run", reporter=silent)
    run.model.unlink()
    with pytest.raises(ModelFileError, match=r"model\.safetensors: expected a model file; got nothing there"):
        striate.resume(run.path, reporter=silent)


def test_weights_that_change_are_answered_by(untrained: Callable[..., Model]) -> None:
    model = untrained()
    images = torch.randint(0, 255, (2, 32, 32, 1), dtype=torch.uint8)
    before = model.predict_batch(images)
    with torch.no_grad():
        model.net.get_parameter("fc3.bias").add_(1)
    torch.testing.assert_close(model.predict_batch(images), before + 1)
