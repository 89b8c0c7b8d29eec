"""Runs of every task that begin with weights: what is new in their networks, and that they go on as any run does."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from base_weights import save_base
from killed import stopping
from process_child import Job, launch
from safetensors.torch import load_file
from task_table import ROWS, Row, boxed, labelled, masked
from torch import Tensor

import striate
from striate.console import Reporter
from striate.data import Index
from striate.data.index_file import save_index
from striate.errors import UsageError
from striate.recipe import Recipe, dumps
from striate.training import RunFolder, checkpoint, loop
from striate.training.folder import TIMED
from striate.training.signals import Interrupted
from striate.transfer import resume, train

MakeRecipe = Callable[..., Recipe]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of a net of five classes, whose batch norms do something."""
    return save_base(tmp_path_factory.mktemp("weights") / "base.safetensors", (1, 32, 32))


@pytest.fixture
def recipe(weights: Path, tiny_recipe: MakeRecipe) -> MakeRecipe:
    """Keyword arguments are keys of any of its tables."""

    def build(**values: Any) -> Recipe:
        given: dict[str, Any] = {
            "model": None,
            "model_args": {},
            "crop_pct": None,
            "weights": str(weights),
            "freeze": "none",
        }
        return tiny_recipe(**given | {"lr": 1e-3, "epochs": 2, "batch_size": 4} | values)

    return build


def rows(run: RunFolder) -> list[dict[str, str]]:
    """The rows of metrics.csv without what the clock decides."""
    with run.metrics.open(newline="") as file:
        return [{name: value for name, value in row.items() if name not in TIMED} for row in csv.DictReader(file)]


def test_what_is_new_learns_its_own_statistics_at_a_rate_of_its_own(
    recipe: MakeRecipe, weights: Path, silent: Reporter, tmp_path: Path
) -> None:
    index = masked(tmp_path / "data")
    runs = [train(index, recipe(lr=1e-8, drawn_lr_scale=scale), tmp_path / str(scale), silent) for scale in (1.0, 1e6)]
    before, (slow, fast) = load_file(weights), (load_file(run.model) for run in runs)
    for after in (slow, fast):
        assert torch.equal(after["encoder.layer1.0.bn1.running_mean"], before["layer1.0.bn1.running_mean"])
        assert after["decoder.0.convs.1.running_mean"].any()
        kernel = before["layer1.0.conv1.weight"]
        torch.testing.assert_close(after["encoder.layer1.0.conv1.weight"], kernel, rtol=0, atol=1e-6)
    for name in ("decoder.0.convs.0.weight", "classifier.weight"):
        assert (fast[name] - slow[name]).abs().max() > 1e-3


@pytest.mark.parametrize("upsampling", ["nearest", "unpool", "transposed"])
def test_the_network_over_that_of_the_weights_may_be_named_with_its_arguments(
    recipe: MakeRecipe, silent: Reporter, tmp_path: Path, upsampling: str
) -> None:
    index = masked(tmp_path / "data")
    asked = recipe(model="unet_resnet20_cifar", model_args={"upsampling": upsampling}, epochs=1)
    run = train(index, asked, tmp_path / "run", silent)
    model = striate.load(run.model, device="cpu", precision="float32")
    assert (model.name, model.arguments["upsampling"]) == ("unet_resnet20_cifar", upsampling)
    again = train(index, recipe(weights=str(run.model), epochs=1, freeze="all"), tmp_path / "again", silent)
    assert striate.load(again.model).arguments == model.arguments


@pytest.mark.parametrize(
    ("make", "asked", "sentence"),
    [
        (
            masked,
            {"model": "unet_lenet5"},
            "`model`: expected that of `--weights`, resnet20_cifar or unet_resnet20_cif",
        ),
        (labelled, {"model": "unet_resnet20_cifar"}, "`model`: expected that of `--weights`, resnet20_cifar; got unet"),
        (
            masked,
            {"model_args": {"shortcut": "zero"}},
            "`model_args`: expected those of `--weights`, none; got {'short",
        ),
        (labelled, {"model_args": {"upsampling": "unpool"}}, "`model_args`: expected those of `--weights`, none; got "),
        (boxed, {"model_args": {"gird": 2}}, "`resnet20_cifar`: expected an argument that it takes; got `gird`."),
    ],
)
def test_what_is_of_another_network_is_refused(
    recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    make: Callable[[Path], Index],
    asked: dict[str, Any],
    sentence: str,
) -> None:
    with pytest.raises(UsageError) as caught:
        train(make(tmp_path / "data"), recipe(**asked), tmp_path / "run", silent)
    assert str(caught.value).startswith(sentence)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("row", ROWS[1:], ids=lambda row: row.name)
@pytest.mark.parametrize("freeze", ["none", "layer2"])
def test_a_run_that_is_stopped_goes_on_to_the_same_bits(
    recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Row, freeze: str
) -> None:
    values: dict[str, Any] = row.settings | {
        "freeze": freeze,
        "epochs": 3,
        "augment": "medium",
        "erase": 0.0,
        "ema_decay": 0.9,
    }
    asked = recipe(**values | {"class_weights": "balanced", "pixel_cache": "on", "clip_grad": 1.0})
    index = row.make(tmp_path / "data")
    whole = train(index, asked, tmp_path / "whole", silent)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", stopping(loop.take_step, after=3))  # amid the second epoch
        with pytest.raises(Interrupted):
            train(index, asked, tmp_path / "broken", silent)
    broken = resume(tmp_path / "broken", reporter=silent)
    for a, b in ((last_state(whole), last_state(broken)), (load_file(whole.model), load_file(broken.model))):
        assert a.keys() == b.keys()
        assert [name for name, value in a.items() if not torch.equal(value, b[name])] == []
    assert rows(whole) == rows(broken)


@pytest.mark.parametrize("row", ROWS[1:], ids=lambda row: row.name)
def test_two_processes_train_as_one_does(recipe: MakeRecipe, silent: Reporter, tmp_path: Path, row: Row) -> None:
    """Batch norm keeps the statistics of the weights, so that gradients of shares add up to that of the batch."""
    index = row.make(tmp_path / "data")
    save_index(index, tmp_path / "data" / "index.parquet")
    values: dict[str, Any] = row.settings | {"opt": "momentum", "lr": 1e-6, "augment": "none", "fit_head": False}
    asked = recipe(**values | {"class_weights": "balanced", "batch_size": 5, "sync_batch_norm": True})
    alone = train(tmp_path / "data" / "index.parquet", asked, tmp_path / "alone", silent)
    (tmp_path / "recipe.toml").write_text(dumps(asked))
    words = ["train", str(tmp_path / "data" / "index.parquet"), "--recipe", str(tmp_path / "recipe.toml")]
    code, said = launch(Job([[*words, "-o", str(tmp_path / "two")]]), tmp_path)
    assert code == 0, said
    two = RunFolder(tmp_path / "two")
    expected, got = last_state(alone), last_state(two)  # with the optimiser's running sum of gradients
    for name, value in expected.items():
        scale = float(value.double().abs().max())
        torch.testing.assert_close(got[name], value, rtol=0, atol=1e-3 * scale + 1e-9, msg=name)
    for a, b in zip(rows(alone), rows(two), strict=True):
        assert float(a["train_loss"]) == pytest.approx(float(b["train_loss"]), rel=1e-3)


def last_state(run: RunFolder) -> dict[str, Tensor]:
    """Net, average and optimiser after the last epoch."""
    return load_file(checkpoint.found(run.checkpoint)[0])
