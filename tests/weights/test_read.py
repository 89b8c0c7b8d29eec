import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from striate.errors import WeightsError
from striate.weights import read_pickle, read_safetensors

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2, dtype=torch.float16)}


class Attack:
    """What runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_safetensors(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "a.safetensors")
    read = read_safetensors(tmp_path / "a.safetensors")
    assert all(torch.equal(read[name], tensor) for name, tensor in TENSORS.items())


def test_a_file_that_is_not_safetensors_says_what_to_try(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(TENSORS, path)
    with pytest.raises(WeightsError) as caught:
        read_safetensors(path)
    assert str(caught.value).startswith(f"{path}: expected a safetensors file that is whole; ")
    assert str(caught.value).endswith("If it is PyTorch's, try `striate weights convert FILE OUT.safetensors`.")


@pytest.mark.parametrize("read", [read_safetensors, read_pickle])
def test_a_file_that_is_not_there(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(WeightsError) as caught:
        read(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path / 'none'}: expected a file of weights; got nothing there."


@pytest.mark.parametrize("wrap", [None, "state_dict", "model"])
def test_a_pickle_of_tensors_or_a_checkpoint_with_one(tmp_path: Path, wrap: str | None) -> None:
    path = tmp_path / "a.pth"
    torch.save(TENSORS if wrap is None else {wrap: TENSORS, "epoch": 3, "best": 0.5}, path)
    read = read_pickle(path)
    assert read.keys() == TENSORS.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in TENSORS.items())


def test_tensors_that_share_their_memory_are_parted(tmp_path: Path) -> None:
    whole = torch.arange(4.0)
    torch.save({"a": whole[:2], "b": whole, "c": whole.reshape(2, 2).T}, tmp_path / "a.pth")
    save_file(read_pickle(tmp_path / "a.pth"), tmp_path / "a.safetensors")  # refuses what is shared
    assert read_safetensors(tmp_path / "a.safetensors")["c"].tolist() == [[0, 2], [1, 3]]


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path) -> None:
    path, touched = tmp_path / "a.pth", tmp_path / "touched"
    torch.save({"a": Attack(touched)}, path)
    with pytest.raises(WeightsError) as caught:
        read_pickle(path)
    assert str(caught.value).startswith(f"{path}: expected a file of torch.save with tensors only; ")
    assert not touched.exists()


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps([1], protocol=2)])
def test_what_torch_did_not_write(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"a\.pth: expected a "):
        read_pickle(path)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ({"epoch": 3, "net": {}}, "a dict of epoch, net"),
        ([1.0], "list"),
        ({}, "a dict of nothing"),
        ({"a": 1}, "a dict of a"),
    ],
)
def test_a_checkpoint_without_tensors(tmp_path: Path, content: object, got: str) -> None:
    path = tmp_path / "a.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError) as caught:
        read_pickle(path)
    assert str(caught.value) == (
        f"{path}: expected a dict of tensors, or one under state_dict, model_state_dict, model_ema, model; got {got}."
    )
