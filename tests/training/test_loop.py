import csv
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from striate.console import Reporter
from striate.data import Index
from striate.data.index_file import load_index
from striate.errors import DataError, TrainingError
from striate.evaluation import evaluate
from striate.model import Model, load
from striate.recipe import Recipe
from striate.tasks import Targets
from striate.tasks.classify import Classify, CrossEntropy
from striate.training import RunFolder, checkpoint, train

MakeRecipe = Callable[..., Recipe]
WritePictures = Callable[[Path, Mapping[str, int]], Path]


def read(run: RunFolder) -> Model:
    return load(run.model, device="cpu", precision="float32")


def metrics(run: RunFolder) -> list[dict[str, str]]:
    with run.metrics.open(newline="") as file:
        return list(csv.DictReader(file))


# A loss that is no number


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the loss of one step of training a NaN."""

    def poison(at: int) -> None:
        steps = []
        forward = CrossEntropy.forward

        def spoiled(self: CrossEntropy, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
            loss, logits = forward(self, images, targets)
            steps.append(loss)
            return (loss * math.nan if len(steps) == at + 1 else loss), logits

        monkeypatch.setattr(CrossEntropy, "forward", spoiled)

    return poison


def test_a_loss_that_is_no_number_stops_the_run(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, poisoned: Callable[[int], None]
) -> None:
    poisoned(5)  # an epoch has two steps
    with pytest.raises(TrainingError) as caught:
        train(two_classes, tiny_recipe(), tmp_path / "run", silent)
    run = RunFolder(tmp_path / "run")
    text, _, files = str(caught.value).partition(" Images of the batch: ")
    assert text == (
        "step 5: expected a finite loss; got nan. Try a lower --lr, --clip-grad 1 or --precision float32. "
        f"Last good checkpoint: {run.checkpoint / 'step-000000004.safetensors'}."
    )
    index = load_index(run.index)
    named = files.split(", ")
    assert len(named) == 8
    assert set(named) < set(index.paths(index.rows("train")))
    assert caught.value.exit_code == 1
    assert len(metrics(run)) == 2
    assert run.model.exists()


def test_in_the_first_epoch_there_is_no_checkpoint_to_name(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, poisoned: Callable[[int], None]
) -> None:
    poisoned(0)
    with pytest.raises(TrainingError, match=re.escape("step 0: ")) as caught:
        train(two_classes, tiny_recipe(), tmp_path / "run", silent)
    assert "Last good checkpoint: none yet." in str(caught.value)


def test_a_rate_that_is_too_high_stops_the_run(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"step 1: expected a finite loss; got (nan|inf)\."):
        train(two_classes, tiny_recipe(opt="sgd", lr=1e30, warmup_epochs=0), tmp_path / "run", silent)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"lr": 1e30}, "answers on val"),  # finite weights whose sums are not
        ({"lr": 1e30, "val_fraction": 0.0, "lr_of": "inf"}, "weights"),
    ],
)
def test_what_goes_wrong_in_the_last_step_of_an_epoch_is_not_kept(
    two_classes: Path,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    values: dict[str, float | str],
    what: str,
) -> None:
    if values.pop("lr_of", None):
        monkeypatch.setattr("striate.training.loop.lr_at", lambda *arguments: math.inf)
    recipe = tiny_recipe(opt="sgd", warmup_epochs=0, batch_size=64, epochs=1, **values)
    with pytest.raises(TrainingError) as caught:
        train(two_classes, recipe, tmp_path / "run", silent)
    assert str(caught.value) == (
        f"after step 0: expected finite {what}; got some that are not. "
        "Try a lower --lr, --clip-grad 1 or --precision float32. Last good checkpoint: none yet."
    )
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_a_image_that_goes_away_while_training_is_named(
    write_pictures: WritePictures,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    silent: Reporter,
) -> None:
    data = write_pictures(tmp_path / "data", {"dark": 6, "light": 6})
    checked = RunFolder.write_index

    def remove(self: RunFolder, index: Index) -> None:
        checked(self, index)
        (data / index.paths(index.rows("train")[:1])[0]).unlink()

    monkeypatch.setattr(RunFolder, "write_index", remove)
    with pytest.raises(
        DataError, match=r"cannot be read: No such file or directory\. Did it change since the check\?$"
    ):
        train(data, tiny_recipe(), tmp_path / "run", silent)


# Which epoch is kept


def test_without_val_the_last_epoch_is_kept(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(val_fraction=0.0), tmp_path / "run", silent)
    model = read(run)
    assert model.metrics == {}
    assert model.about["epoch"] == 3
    last = load_file(checkpoint.found(run.checkpoint)[0])
    for name, value in model.net.state_dict().items():
        assert torch.equal(value, last[f"net.{name}"]), name
    assert not any(name.startswith("val_") for name in metrics(run)[0])
    assert "waiting for data; 0:00 left" in run.log.read_text()  # the last line has no scores


def test_the_best_epoch_on_val_is_kept_and_of_equals_the_first(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [0.5, 0.9, 0.9, 0.2]
    scores = iter([*given, 0.9])  # the last is asked of the file that was kept
    original = Classify.metrics

    def scripted(self: Classify, records: Tensor) -> dict[str, float]:
        return original(self, records) | {"accuracy": next(scores)}

    monkeypatch.setattr(Classify, "metrics", scripted)
    run = train(two_classes, tiny_recipe(epochs=4), tmp_path / "run", silent)
    model = read(run)
    assert model.about["epoch"] == 2
    assert model.metrics["accuracy"] == 0.9
    assert [float(row["val_accuracy"]) for row in metrics(run)] == given


def test_the_running_average_is_what_is_evaluated_and_kept(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(ema_decay=0.9, val_fraction=0.0), tmp_path / "run", silent)
    last = load_file(checkpoint.found(run.checkpoint)[0])
    kept = load_file(run.model)
    assert all(torch.equal(value, last[f"ema.{name}"]) for name, value in kept.items())
    assert not all(torch.equal(value, last[f"net.{name}"]) for name, value in kept.items())


def test_the_running_average_follows_the_net(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(ema_decay=1e-6, val_fraction=0.0), tmp_path / "run", silent)
    last = load_file(checkpoint.found(run.checkpoint)[0])
    for name, value in load_file(run.model).items():
        assert torch.allclose(value, last[f"net.{name}"], rtol=0, atol=1e-6), name


def test_metrics_of_the_model_are_those_of_its_images(finished: RunFolder) -> None:
    model = read(finished)
    again = evaluate(model, load_index(finished.index), "val")
    assert again.metrics == pytest.approx(model.metrics)


# What a recipe asks for


@pytest.mark.parametrize(
    "values",
    [
        {"label_smoothing": 0.5},
        {"clip_grad": 1e-3},
        {"weight_decay": 0.9},
        {"opt": "momentum"},
        {"schedule": "step", "step_epochs": 1},
        {"warmup_epochs": 3},
        {"mirror": 0.0},
        {"crop_scale": (1.0, 1.0)},
        {"mean": (0.2,)},
        {"std": (0.2,)},
    ],
)
def test_every_setting_changes_the_weights(
    two_classes: Path,
    finished: RunFolder,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    values: dict[str, object],
) -> None:
    run = train(two_classes, tiny_recipe(**values), tmp_path / "run", silent)
    assert not same_weights(run, finished)


def test_the_crop_of_evaluation_changes_no_weights(
    two_classes: Path, finished: RunFolder, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(crop_pct=0.5), tmp_path / "run", silent)
    assert same_weights(run, finished)
    assert [row["val_loss"] for row in metrics(run)] != [row["val_loss"] for row in metrics(finished)]


def same_weights(a: RunFolder, b: RunFolder) -> bool:
    """Whether the nets agree to the bit after the last of three epochs."""
    first, second = (load_file(checkpoint.found(run.checkpoint)[0]) for run in (a, b))
    return all(torch.equal(first[name], value) for name, value in second.items() if name.startswith("net."))


def test_balanced_weights_reach_the_loss(
    write_pictures: WritePictures,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = write_pictures(tmp_path / "data", {"many": 12, "few": 4})
    found: list[Tensor | None] = []
    build = Classify.cross_entropy

    def recorded(self: Classify, net: torch.nn.Module, smoothing: float, weight: Tensor | None) -> CrossEntropy:
        found.append(weight)
        return build(self, net, smoothing, weight)

    monkeypatch.setattr(Classify, "cross_entropy", recorded)
    values = {"epochs": 1, "val_fraction": 0.0, "test_fraction": 0.0}
    train(data, tiny_recipe(class_weights="balanced", **values), tmp_path / "run", silent)
    train(data, tiny_recipe(**values), tmp_path / "run", silent)
    assert found[0] is not None
    assert found[0].tolist() == pytest.approx([16 / 8, 16 / 24])  # few, many
    assert found[1] is None


def test_events_are_written_where_asked_for(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    run = train(two_classes, tiny_recipe(tensorboard=True, epochs=2), tmp_path / "run", silent)
    files = list(run.tensorboard.iterdir())
    content = b"".join(path.read_bytes() for path in files)
    assert len(files) == 2
    assert all(path.name.startswith("events.out.tfevents.") for path in files)
    assert content.count(b"val_accuracy_low") == 2
    assert content.count(b"train_loss") == 2


def test_no_events_are_written_unless_asked_for(finished: RunFolder) -> None:
    assert not finished.tensorboard.exists()


# Several labels


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A CSV of images that are bright on the left, on the right, on both sides or on none."""
    rng = np.random.default_rng(0)
    lines = ["path,label"]
    for number in range(40):
        pixels = rng.normal(60, 10, (32, 32))
        labels = [name for bit, name in enumerate(("left", "right")) if number >> bit & 1]
        for name in labels:
            pixels[:, slice(0, 16) if name == "left" else slice(16, 32)] += 120
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{';'.join(labels)}")
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_several_labels_are_learnt_and_predicted(
    several: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    recipe = tiny_recipe(label_separator=";", epochs=15, mirror=0.0, crop_scale=(1.0, 1.0), class_weights="balanced")
    run = train(several, recipe, tmp_path / "run", silent)
    model = read(run)
    assert model.classes == ("left", "right")
    assert model.task == Classify(("left", "right"), several_labels=True)
    assert {"mean_average_precision", "f1"} <= model.metrics.keys()
    assert "mean average precision" in run.log.read_text()
    found = [model.predict(several.parent / f"{number}.png") for number in range(8)]
    truth = [set(), {"left"}, {"right"}, {"left", "right"}] * 2
    assert sum(set(prediction.labels) == names for prediction, names in zip(found, truth, strict=True)) >= 7
    assert metrics(run)[0].keys() >= {"val_mean_average_precision", "val_f1", "val_accuracy"}
