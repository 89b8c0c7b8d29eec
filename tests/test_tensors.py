from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from striate.tensors import not_finite, read, unsound


def test_tensors_and_metadata(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(7)}
    save_file(tensors, tmp_path / "a.safetensors", {"key": "value"})
    found, metadata = read(tmp_path / "a.safetensors")
    assert metadata == {"key": "value"}
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"\x05\0\0\0\0\0\0\0[1,2]", b"\x02\0\0\0\0\0\0\0{}more"])
def test_what_is_no_safetensors_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"\w"):
        read(path)


def test_complex_tensors_of_safetensors_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2, dtype=torch.complex64)}, tmp_path / "a")
    with pytest.raises(ValueError, match="expected plain tensors; got a complex tensor, a"):
        read(tmp_path / "a")


def test_two_names_may_share_a_tensor() -> None:
    tensor = torch.zeros(100)
    assert unsound({"a": tensor, "b": tensor}, 400) == ""
    assert unsound({"a": tensor, "b": tensor, "c": tensor}, 400) == (
        "expected tensors of no more than the 400 bytes of their file; got c of 400 bytes"
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_not_finite(dtype: torch.dtype, value: float) -> None:
    good, bad = torch.ones(3, dtype=dtype), torch.tensor([1.0, value, 2.0], dtype=dtype)
    assert not_finite([("good", good), ("empty", torch.zeros(0, dtype=dtype)), ("count", torch.tensor(3))]) == ""
    assert not_finite([("bad", bad), ("good", good)]) == "expected finite values; got NaN or infinity in bad"
