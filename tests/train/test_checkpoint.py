from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from striate.device import choose
from striate.errors import TrainingError
from striate.recipe import TrainingRecipe
from striate.train import checkpoint, optimizer
from striate.train.checkpoint import Progress, State
from striate.train.ema import Ema

Opt = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"]
OPTIMISERS: tuple[Opt, ...] = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")


def new_state(opt: Opt, memory_format: str = "contiguous", seed: int = 0, channels: int = 4) -> State:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels), nn.Conv2d(channels, 5, 3))
    net = choose("cpu", "float32", memory_format).place(net)
    return State(net, optimizer.build(net, TrainingRecipe(opt=opt, lr=0.01)), Ema(net, 0.9))


def take_steps(state: State, count: int) -> None:
    """Steps whose pictures depend on the number of the step alone."""
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


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize("opt", OPTIMISERS)
def test_what_is_restored_goes_on_as_if_nothing_had_happened(tmp_path: Path, opt: Opt, memory_format: str) -> None:
    state = new_state(opt, memory_format)
    take_steps(state, 3)
    state.progress.epoch, state.progress.best, state.progress.rows = 1, 0.25, [{"epoch": 1, "train_loss": 0.1}]
    checkpoint.save(tmp_path / "checkpoint", state)
    restored = new_state(opt, memory_format, seed=1)
    path = checkpoint.last(tmp_path / "checkpoint")
    assert path is not None
    checkpoint.restore(path, restored)
    assert restored.progress == state.progress
    assert_same(restored, state)
    take_steps(state, 2)
    take_steps(restored, 2)
    assert_same(restored, state)


def test_a_score_that_there_is_not_yet_is_kept(tmp_path: Path) -> None:
    state = new_state("sgd")
    checkpoint.save(tmp_path / "checkpoint", state)
    restored = new_state("sgd")
    restored.progress = Progress(3, 4, 5.0, [{}])
    checkpoint.restore(tmp_path / "checkpoint" / "epoch-00000.safetensors", restored)
    assert restored.progress == Progress(0, 0, float("-inf"), [])


def test_two_are_kept_and_the_newest_is_the_last(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    assert checkpoint.last(folder) is None
    state = new_state("sgd")
    for state.progress.epoch in (1, 2, 9, 10):
        checkpoint.save(folder, state)
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-00009.safetensors", "epoch-00010.safetensors"]
    assert checkpoint.last(folder) == folder / "epoch-00010.safetensors"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_save_that_is_killed_leaves_the_ones_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    state = new_state("adamw")
    for state.progress.epoch in (1, 2):
        checkpoint.save(tmp_path, state)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def stop_halfway(tensors: object, aside: Path, metadata: object) -> None:
        aside.write_bytes(b"half")
        raise error

    monkeypatch.setattr(checkpoint, "save_file", stop_halfway)
    state.progress.epoch = 3
    with pytest.raises(error):
        checkpoint.save(tmp_path, state)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def refusal(path: Path, state: State) -> str:
    with pytest.raises(TrainingError) as caught:
        checkpoint.restore(path, state)
    start = f"{path}: expected a checkpoint of this run's network and optimiser; "
    assert str(caught.value).startswith(start)
    return str(caught.value).removeprefix(start)


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    state = new_state("adamw")
    checkpoint.save(tmp_path, state)
    path = tmp_path / "epoch-00000.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "deserializing" in refusal(path, state)
    assert "No such file" in refusal(tmp_path / "none.safetensors", state)


@pytest.mark.parametrize("metadata", [None, {}, {"progress": "{"}, {"progress": "[]"}, {"progress": '{"epochs": 3}'}])
def test_a_file_without_our_metadata_is_named(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    state = new_state("sgd")
    checkpoint.save(tmp_path, state)
    path = tmp_path / "epoch-00000.safetensors"
    save_file(load_file(path), path, metadata)
    refusal(path, state)
    assert state.progress == Progress()


def test_a_checkpoint_of_another_network_or_optimiser_is_named(tmp_path: Path) -> None:
    state = new_state("adamw")
    take_steps(state, 1)
    checkpoint.save(tmp_path, state)
    path = tmp_path / "epoch-00000.safetensors"
    assert "size mismatch for 0.weight" in refusal(path, new_state("adamw", channels=6))


def test_a_run_with_an_average_does_not_go_on_without_it(tmp_path: Path) -> None:
    state = new_state("sgd")
    state.ema = None
    checkpoint.save(tmp_path, state)
    assert "Missing key" in refusal(tmp_path / "epoch-00000.safetensors", new_state("sgd"))
