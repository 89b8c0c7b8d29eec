import errno
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from striate.device import choose
from striate.errors import TrainingError
from striate.recipe import Recipe, TrainingRecipe
from striate.training import checkpoint, optimizer
from striate.training.checkpoint import Checkpoint
from striate.training.ema import Ema
from striate.training.state import Progress, State, Totals

Opt = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"]
OPTIMISERS: tuple[Opt, ...] = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")


def new_state(opt: Opt, memory_format: str = "contiguous", seed: int = 0, channels: int = 4) -> State:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels), nn.Conv2d(channels, 5, 3))
    net = choose("cpu", "float32", memory_format).place(net)
    return State(net, optimizer.build(net, TrainingRecipe(opt=opt, lr=0.01)), Ema(net, 0.9))


def take_steps(state: State, count: int) -> None:
    """Steps whose images depend on the number of the step alone."""
    for _ in range(count):
        images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(state.progress.step))
        state.net(images).square().mean().backward()
        state.optimizer.step()
        state.optimizer.zero_grad()
        if state.ema is not None:
            state.ema.update(state.net, state.progress.step)
        state.progress.step += 1


def tensors(state: State) -> dict[str, Tensor]:
    """Everything that the next step depends on."""
    found = {f"net {name}": value for name, value in state.net.state_dict().items()}
    if state.ema is not None:
        found |= {f"ema {name}": value for name, value in state.ema.net.state_dict().items()}
    for number, values in state.optimizer.state_dict()["state"].items():
        found |= {f"{number} {name}": value for name, value in values.items() if isinstance(value, Tensor)}
    return {name: value.clone() for name, value in found.items()}


def assert_same(a: State, b: State) -> None:
    first, second = tensors(a), tensors(b)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def save(folder: Path, state: State) -> Path:
    return checkpoint.write(folder, checkpoint.freeze(state, Recipe()))


def nothing(text: str) -> None:
    raise AssertionError(f"nothing should be said; got {text}")


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize("opt", OPTIMISERS)
def test_what_is_restored_goes_on_as_if_nothing_had_happened(tmp_path: Path, opt: Opt, memory_format: str) -> None:
    state = new_state(opt, memory_format)
    take_steps(state, 3)
    row: dict[str, int | float | None] = {"epoch": 1, "train_loss": 0.1, "val_loss": float("nan")}
    state.progress = Progress(1, 3, Totals(5, 1 / 3, 4.0, 0.1, 0.2), 0.25, [row], skipped=1, part_size=16)
    path = save(tmp_path / "checkpoint", state)
    restored = new_state(opt, memory_format, seed=1)
    found = checkpoint.last_whole(tmp_path / "checkpoint", nothing)
    assert found is not None
    assert found.path == path == tmp_path / "checkpoint" / "step-000000003.safetensors"
    assert found.recipe == Recipe()
    checkpoint.restore(found, restored)
    assert repr(restored.progress) == repr(state.progress)  # a nan is not equal to itself
    assert_same(restored, state)
    take_steps(state, 2)
    take_steps(restored, 2)
    assert_same(restored, state)


def test_what_is_frozen_stays_while_the_run_goes_on() -> None:
    state = new_state("adamw")
    take_steps(state, 1)
    frozen = checkpoint.freeze(state, Recipe())
    before, progress = checkpoint.digest(frozen.tensors), repr(frozen.progress)
    take_steps(state, 1)
    state.progress.rows.append({})
    state.progress.totals.images += 1
    assert (checkpoint.digest(frozen.tensors), repr(frozen.progress)) == (before, progress)
    assert before != checkpoint.digest(checkpoint.freeze(state, Recipe()).tensors)


def test_two_are_kept_and_the_newest_is_the_last(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    assert checkpoint.found(folder) == []
    assert checkpoint.last_whole(folder, nothing) is None
    state = new_state("sgd")
    for state.progress.step in (1, 2, 9, 10):
        save(folder, state)
    assert [path.name for path in checkpoint.found(folder)] == [
        "step-000000010.safetensors",
        "step-000000009.safetensors",
    ]


def test_a_later_one_that_was_given_up_does_not_outlive_the_next(tmp_path: Path) -> None:
    state = new_state("sgd")
    for state.progress.step in (5, 12, 7):
        save(tmp_path, state)
    assert [path.name for path in checkpoint.found(tmp_path)] == [
        "step-000000007.safetensors",
        "step-000000005.safetensors",
    ]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_the_ones_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    state = new_state("adamw")
    for state.progress.step in (1, 2):
        save(tmp_path, state)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def stop_halfway(tensors: object, aside: Path, metadata: object) -> None:
        aside.write_bytes(b"half")
        raise error

    monkeypatch.setattr("striate.training.checkpoint.save_file", stop_halfway)
    state.progress.step = 3
    with pytest.raises(type(error)):
        save(tmp_path, state)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    state = new_state("sgd")
    state.progress.step = 3
    state.net.state_dict()["0.weight"][0, 0, 0, 0] = float("nan")
    with pytest.raises(TrainingError) as caught:
        save(tmp_path, state)
    assert str(caught.value) == (
        "after step 2: expected finite weights; got some that are not. "
        "Try a lower --lr, --clip-grad 1 or --precision float32."
    )
    assert list(tmp_path.iterdir()) == []


# What cannot be read


def refusal(path: Path) -> str:
    with pytest.raises(TrainingError) as caught:
        checkpoint.read(path)
    start = f"{path}: expected "
    assert str(caught.value).startswith(start)
    return str(caught.value).removeprefix(start)


def rewrite(path: Path, **changes: Any) -> None:
    """Writes a checkpoint anew with other metadata."""
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["striate"])
    save_file(load_file(path), path, {"striate": json.dumps(about | changes)})


def test_a_file_that_is_not_whole_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, new_state("adamw"))
    path.write_bytes(path.read_bytes()[:-1])
    assert "deserializing" in refusal(path)
    assert "No such file" in refusal(tmp_path / "none.safetensors")


def test_a_bit_that_changed_is_seen(tmp_path: Path) -> None:
    path = save(tmp_path, new_state("adamw"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert refusal(path) == "a checkpoint that is whole; its tensors are not those that were saved."


@pytest.mark.parametrize(
    "metadata", [None, {}, {"striate": "{"}, {"striate": "[]"}, {"striate": '{"format_version": 1}'}]
)
def test_a_file_without_our_metadata_is_named(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = save(tmp_path, new_state("sgd"))
    save_file(load_file(path), path, metadata)
    assert refusal(path).startswith("a checkpoint that is whole; ")


@pytest.mark.parametrize("progress", [{"epoch": "3"}, {"totals": 5}, {"rows": {}}, [], None])
def test_progress_that_cannot_be_meant_is_named(tmp_path: Path, progress: object) -> None:
    path = save(tmp_path, new_state("sgd"))
    rewrite(path, progress=progress)
    assert refusal(path).startswith("a checkpoint that is whole; ")


def test_a_later_format_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, new_state("sgd"))
    rewrite(path, format_version=3)
    assert refusal(path) == "format version 2; got 3. Try the striate that wrote it."


def test_one_of_the_first_format_is_read(tmp_path: Path) -> None:
    state = new_state("sgd")
    state.progress.totals = Totals(images=5, loss=0.5, score=4.0, wait_s=0.1, seconds=2.0)
    state.progress.rows = [{"epoch": 1, "images_per_s": 7.0, "train_accuracy": 0.5}]
    path = save(tmp_path, state)
    progress = asdict(state.progress)
    del progress["totals"]
    progress["tally"] = {"pictures": 5, "loss": 0.5, "right": 4, "wait_s": 0.1, "seconds": 2.0}
    progress["rows"] = [{"epoch": 1, "pictures_per_s": 7.0, "train_accuracy": 0.5}]
    rewrite(path, format_version=1, progress=progress)
    assert checkpoint.read(path).progress == state.progress


def test_the_one_before_takes_the_place_of_a_broken_one(tmp_path: Path) -> None:
    state = new_state("sgd")
    for state.progress.step in (3, 4):
        save(tmp_path, state)
    newest, before = checkpoint.found(tmp_path)
    newest.write_bytes(b"")
    said: list[str] = []
    found = checkpoint.last_whole(tmp_path, said.append)
    assert found is not None
    assert (found.path, found.progress.step) == (before, 3)
    assert said[0].startswith(f"{newest}: expected a checkpoint that is whole; ")
    assert said[0].endswith(f". The one before it takes its place: {before}.")
    before.write_bytes(b"")
    with pytest.raises(TrainingError, match="step-000000003"):
        checkpoint.last_whole(tmp_path, said.append)


def test_checkpoints_of_an_earlier_striate_are_named(tmp_path: Path) -> None:
    path = tmp_path / "epoch-00003.safetensors"
    path.touch()
    with pytest.raises(TrainingError) as caught:
        checkpoint.last_whole(tmp_path, nothing)
    sentence = "expected a checkpoint named step-…; got one of an earlier striate. Start a new run."
    assert str(caught.value) == f"{path}: {sentence}"


def mismatch(frozen: Checkpoint, state: State) -> str:
    with pytest.raises(TrainingError) as caught:
        checkpoint.restore(frozen, state)
    start = "resume: expected a checkpoint of this run's network and optimiser; "
    assert str(caught.value).startswith(start)
    assert state.progress == Progress()
    return str(caught.value)


def test_a_checkpoint_of_another_network_is_named() -> None:
    state = new_state("adamw")
    take_steps(state, 1)
    frozen = checkpoint.freeze(state, Recipe())
    assert "size mismatch for 0.weight" in mismatch(frozen, new_state("adamw", channels=6))


def test_a_run_with_an_average_does_not_go_on_without_it() -> None:
    state = new_state("sgd")
    state.ema = None
    assert "Missing key" in mismatch(checkpoint.freeze(state, Recipe()), new_state("sgd"))
