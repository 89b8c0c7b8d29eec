import csv
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from killed import Killed
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import dropout

from striate.augment.presets import written_out
from striate.console import Reporter
from striate.data.index_file import load_index
from striate.errors import TrainingError, UsageError
from striate.model import load
from striate.nets import CATALOGUE
from striate.nets.lenet import lenet5
from striate.recipe import MachineRecipe, Recipe
from striate.recipe import load as load_recipe
from striate.training import RunFolder, checkpoint, folder, loop, resume, train
from striate.training.saver import Saver

MakeRecipe = Callable[..., Recipe]
WritePictures = Callable[[Path, Mapping[str, int]], Path]


def weights(run: RunFolder) -> str:
    """Names the weights of a run's model, to the bit."""
    tensors = load_file(run.model)
    return hashlib.sha256(b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))).hexdigest()


def last_state(run: RunFolder) -> dict[str, Tensor]:
    """Net, average and optimiser after the last epoch."""
    return load_file(checkpoint.found(run.checkpoint)[0])


def results(run: RunFolder) -> list[dict[str, str]]:
    """The rows of metrics.csv without what the clock decides."""
    with run.metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: value for name, value in row.items() if name not in folder.TIMED} for row in rows]


def assert_same(a: RunFolder, b: RunFolder) -> None:
    """The runs agree to the bit in the model that was kept, in all that the next step would need, and in metrics."""
    first, second = last_state(a), last_state(b)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert weights(a) == weights(b)
    assert results(a) == results(b)


# A whole run


def test_a_run_leaves_the_documented_files(finished: RunFolder) -> None:
    assert {path.name for path in finished.path.iterdir()} == {
        "recipe.toml", "index.parquet", "check.csv", "metrics.csv", "model.safetensors", "checkpoint", "log.txt",
        ".lock",
    }  # fmt: skip
    assert [path.name for path in sorted(finished.checkpoint.iterdir())] == [
        "step-000000004.safetensors",
        "step-000000006.safetensors",
    ]
    assert finished.check.read_text() == "path,used,reason,kind\n"
    index = load_index(finished.index)
    assert {split: len(index.rows(split)) for split in ("train", "val", "test")} == {"train": 16, "val": 4, "test": 4}


def test_metrics_have_a_row_an_epoch(finished: RunFolder) -> None:
    rows = results(finished)
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "2"), ("2", "4"), ("3", "6")]
    assert {"train_loss", "train_accuracy", "val_count", "val_accuracy", "val_accuracy_low", "val_loss"} <= set(rows[0])
    assert all(row["val_count"] == "4" for row in rows)


def test_the_recipe_that_is_kept_is_resolved(finished: RunFolder, tiny_recipe: MakeRecipe) -> None:
    kept, given = load_recipe(finished.recipe), tiny_recipe()
    data = replace(given.data, img_size=32, in_channels=1, mean=(0.5,), std=(0.5,), crop_mode="center")
    network = replace(given.network, task="classify")
    transfer = replace(given.transfer, weights="none")
    machine = replace(given.machine, memory_format="channels_last", runtime="torch", threads=1)
    augment = written_out(given.augment)
    assert kept == replace(given, network=network, data=data, transfer=transfer, augment=augment, machine=machine)


def test_it_learns(finished: RunFolder, two_classes: Path) -> None:
    model = load(finished.model, device="cpu", precision="float32")
    answers = [(Path(prediction.path).parent.name, prediction.label) for prediction in model.predict(two_classes)]
    assert sum(truth == answer for truth, answer in answers) >= 22
    assert model.metrics["accuracy"] == max(float(row["val_accuracy"]) for row in results(finished))


def test_the_log_tells_the_run(finished: RunFolder) -> None:
    log = finished.log.read_text()
    assert "lenet5: 61,026 parameters, 2 classes; images: 16 train, 4 val, 4 test" in log
    assert "cpu, float32, channels_last: float32 as asked" in log
    assert [line for line in log.splitlines() if "epoch 3/3: loss" in line and "val accuracy" in line]
    assert log.endswith(f"model: {finished.model}\n")


def test_the_folder_is_named_after_data_and_network(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("two-lenet5", "two-lenet5-2"):
        assert train(two_classes, tiny_recipe(epochs=1), reporter=silent).path == Path("runs/classify") / name


# The same bits


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_recipe_gives_the_same_bits_and_another_seed_others(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, precision: str
) -> None:
    recipe = tiny_recipe(precision=precision, ema_decay=0.9)
    first, second = (train(two_classes, recipe, tmp_path / "run", silent) for _ in range(2))
    assert first.path != second.path
    assert_same(first, second)
    other = train(two_classes, tiny_recipe(precision=precision, ema_decay=0.9, seed=1), tmp_path / "run", silent)
    assert weights(other) != weights(first)


def test_the_number_of_workers_changes_no_bit(
    two_classes: Path, finished: RunFolder, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    assert_same(finished, train(two_classes, tiny_recipe(workers=4), tmp_path / "run", silent))


def test_what_is_left_to_the_caller_does_not_change_the_recipe(
    two_classes: Path, finished: RunFolder, silent: Reporter, tmp_path: Path
) -> None:
    again = train(two_classes, load_recipe(finished.recipe), tmp_path / "run", silent)
    assert_same(finished, again)


# Resuming


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize("opt", ["momentum", "adamw"])
def test_a_resumed_run_ends_with_the_bits_of_the_unbroken_one(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, opt: str, memory_format: str
) -> None:
    recipe = tiny_recipe(
        opt=opt, memory_format=memory_format, in_channels=3, epochs=4, ema_decay=0.9, label_smoothing=0.1, clip_grad=1
    )
    unbroken = train(two_classes, recipe, tmp_path / "unbroken", silent)
    with pytest.raises(KeyboardInterrupt):
        train(two_classes, recipe, tmp_path / "broken", Killed(silent.console, at="epoch 2/"))
    resumed = resume(tmp_path / "broken", reporter=silent)
    assert any(name.startswith("ema.") for name in last_state(resumed))
    assert_same(unbroken, resumed)
    assert "resumed from " in resumed.log.read_text()


def test_what_is_dropped_depends_on_the_step_alone(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dropping(*, num_classes: int = 10, in_channels: int = 1) -> nn.Module:
        net = lenet5(num_classes=num_classes, in_channels=in_channels)
        net.fc2.register_forward_pre_hook(lambda module, inputs: dropout(inputs[0], 0.5, module.training))
        return net

    monkeypatch.setitem(CATALOGUE, "dropping", dropping)
    recipe = tiny_recipe(model="dropping", model_args={})
    unbroken = train(two_classes, recipe, tmp_path / "unbroken", silent)
    with pytest.raises(KeyboardInterrupt):
        train(two_classes, recipe, tmp_path / "broken", Killed(silent.console, at="epoch 2/"))
    torch.rand(3)  # whoever draws from PyTorch's generator in between
    assert_same(unbroken, resume(tmp_path / "broken", reporter=silent))
    plain = train(two_classes, tiny_recipe(model_args={}), tmp_path / "plain", silent)
    assert weights(plain) != weights(unbroken)


@pytest.mark.parametrize(
    ("home", "name", "call"),
    [
        (loop, "lr_at", 2),  # in the middle of the first epoch
        (loop, "lr_at", 6),  # and of the last
        (Saver, "keep_model", 1),  # at the end of an epoch, before the model is kept
        (Saver, "after_epoch", 1),  # after that, before the checkpoint is begun
        (Saver, "after_epoch", 3),
        (loop, "clock", 1),  # after both
        (loop, "clock", 3),
    ],
)
def test_a_run_can_be_killed_anywhere_between_two_steps(
    two_classes: Path,
    finished: RunFolder,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    home: object,
    name: str,
    call: int,
) -> None:
    original = getattr(home, name)
    calls = []

    def fatal(*arguments: Any, **named: Any) -> Any:
        calls.append(arguments)
        if len(calls) == call:
            raise KeyboardInterrupt
        return original(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(home, name, fatal)
        with pytest.raises(KeyboardInterrupt):
            train(two_classes, tiny_recipe(), tmp_path / "run", silent)
    assert_same(finished, resume(tmp_path / "run", reporter=silent))


def test_a_first_layer_that_whitens_stays_so_also_when_a_run_is_resumed(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    recipe = tiny_recipe(whiten=True, opt="muon", mirror_alternating=True)
    unbroken = train(two_classes, recipe, tmp_path / "unbroken", silent)
    with pytest.raises(KeyboardInterrupt):
        train(two_classes, recipe, tmp_path / "broken", Killed(silent.console, at="epoch 2/"))
    assert_same(unbroken, resume(tmp_path / "broken", reporter=silent))
    weight = last_state(unbroken)["net.conv1.weight"]
    assert torch.equal(weight[:3], -weight[3:])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch at itself
def test_a_compiled_run_learns_the_same_and_goes_on_to_the_same_bits(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    plain = train(two_classes, tiny_recipe(), tmp_path / "plain", silent)
    compiled = train(two_classes, tiny_recipe(compile=True), tmp_path / "compiled", silent)
    for name, value in load_file(compiled.model).items():
        torch.testing.assert_close(value, load_file(plain.model)[name], atol=1e-4, rtol=1e-3)
    with pytest.raises(KeyboardInterrupt):
        train(two_classes, tiny_recipe(compile=True), tmp_path / "broken", Killed(silent.console, at="epoch 2/"))
    assert_same(compiled, resume(tmp_path / "broken", reporter=silent))


def test_a_finished_run_that_is_resumed_stays_as_it_is(
    two_classes: Path, finished: RunFolder, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(), tmp_path / "run", silent)
    before = {path: path.read_bytes() for path in (run.model, run.metrics, run.recipe, run.index)}
    assert resume(tmp_path / "run", reporter=silent).path == run.path
    assert {path: path.read_bytes() for path in before} == before


def test_more_epochs_and_another_machine_may_be_asked_for(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(schedule="constant", epochs=2), tmp_path / "run", silent)
    longer = tiny_recipe(schedule="constant", epochs=4, workers=3)
    resumed = resume(run.path, longer, silent)
    assert [row["epoch"] for row in results(resumed)] == ["1", "2", "3", "4"]
    pinned = {"precision": "float32", "memory_format": "channels_last", "runtime": "torch", "threads": 1}
    assert load_recipe(resumed.recipe).machine == MachineRecipe(device="cpu", workers=3, **pinned)  # type: ignore[arg-type]
    assert_same(resumed, train(two_classes, longer, tmp_path / "whole", silent))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lr": 0.5}, "expected `lr` as the run began, 0.01; got 0.5."),
        ({"seed": 1}, "expected `seed` as the run began, 0; got 1."),
        ({"crop_pct": 0.5}, "expected `crop_pct` as the run began, 1.0; got 0.5."),
        ({"mirror": 0.0}, "expected `mirror` as the run began, 0.5; got 0.0."),
        ({"model": "lenet5_notes", "model_args": {}}, "expected `model` as the run began, lenet5; got lenet5_notes."),
    ],
)
def test_nothing_else_may_change(
    finished: RunFolder, tiny_recipe: MakeRecipe, silent: Reporter, values: dict[str, Any], sentence: str
) -> None:
    before = finished.recipe.read_bytes()
    with pytest.raises(UsageError) as caught:
        resume(finished.path, tiny_recipe(**values), silent)
    assert str(caught.value) == (
        f"resume: {sentence} Only epochs, skip_bad_steps, image_root and the machine's settings can change; "
        "start a new run for more."
    )
    assert finished.recipe.read_bytes() == before


def test_a_run_that_a_process_is_at_is_left_alone(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    class Intruder(Reporter):
        """Resumes the run that it is to report on."""

        def info(self, text: str) -> None:
            super().info(text)
            if text.startswith("epoch 1/"):
                half_written.touch()
                with pytest.raises(UsageError, match="expected a run that no other process trains; got one that"):
                    resume(tmp_path / "run", reporter=silent)
                tried.append(half_written.exists())

    tried: list[bool] = []
    half_written = tmp_path / "run" / ".metrics.csv.aside"
    train(two_classes, tiny_recipe(), tmp_path / "run", Intruder(silent.console))
    assert tried == [True]
    resume(tmp_path / "run", reporter=silent)
    assert not half_written.exists()


def test_a_broken_checkpoint_stops_the_resume(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(epochs=1), tmp_path / "run", silent)
    path = run.checkpoint / "step-000000002.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TrainingError, match="expected a checkpoint that is whole; "):
        resume(run.path, reporter=silent)
