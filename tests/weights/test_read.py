import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from striate.errors import WeightsError
from striate.weights import read_pickle, read_safetensors, read_tensors

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


def test_a_file_that_is_not_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(TENSORS, path)
    with pytest.raises(WeightsError) as caught:
        read_safetensors(path)
    assert str(caught.value).startswith(f"{path}: expected a safetensors file that is whole; ")


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
        ([1.0], "a list"),
        ({}, "a dict of nothing"),
        ({"a": 1}, "a dict of a"),
        ({f"{i}\x1b[31m" * 50: i for i in range(100)}, "a dict of 0"),
        ({1: torch.zeros(1)}, "a dict of 1"),
    ],
)
def test_a_checkpoint_without_tensors(tmp_path: Path, content: object, got: str) -> None:
    path = tmp_path / "a.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError) as caught:
        read_pickle(path)
    assert str(caught.value).startswith(
        f"{path}: expected a dict of tensors, or a checkpoint that holds one; got {got}"
    )
    assert len(str(caught.value)) < 500 + len(str(path))
    assert "\x1b" not in str(caught.value)


def test_what_a_file_is_decides_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    torch.save(TENSORS, path)
    assert read_tensors(path).keys() == TENSORS.keys()
    torch.save(TENSORS, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_tensors(path)["a.weight"], TENSORS["a.weight"])
    save_file({f"module._orig_mod.{name}": tensor for name, tensor in TENSORS.items()}, path)
    assert read_tensors(path).keys() == TENSORS.keys()
    for content, kind in (
        (b"", "an empty file"),
        (b"text", "another kind of file"),
        (b"\x00" * 100, "another kind of file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of git-lfs; `git lfs pull` brings the file"),
        (b"\n<!DOCTYPE html>", "a page of HTML, as servers give instead of a file"),
        (b'{"error": "Not found"}', "text in JSON"),
        (b"\x1f\x8b\x08\x00", "a file that gzip has compressed"),
    ):
        path.write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            read_tensors(path)
        assert str(caught.value) == (
            f"{path}: expected a file of weights, of safetensors, torch.save or Keras; got {kind}."
        )


def test_a_folder_names_the_weights_in_it(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        read_tensors(tmp_path)
    assert str(caught.value) == f"{tmp_path}: expected a file of weights; expected a regular file; got a folder."
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(WeightsError, match=r"got a folder\. Try .*model\.safetensors\.$"):
        read_tensors(tmp_path)


def test_an_expanded_tensor_is_read(tmp_path: Path) -> None:
    torch.save({"a.bias": torch.tensor([0.5]).expand(6)}, tmp_path / "a.pth")
    assert read_tensors(tmp_path / "a.pth")["a.bias"].tolist() == [0.5] * 6


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pth")
    for read in (read_tensors, read_pickle, read_safetensors):
        with pytest.raises(WeightsError, match=r"a\.pth: expected .*; expected a regular file; got a named pipe"):
            read(tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="expected a regular file; got a device"):
        read_tensors(Path("/dev/zero"))


def around_itself() -> dict[str, Any]:
    content: dict[str, Any] = {"epoch": 1}
    content["model"] = content["state_dict"] = content
    return content


WHOLE = torch.zeros(1000)
STRANGE: dict[str, tuple[Callable[[], object], str]] = {  # what else torch.save writes: how its message begins
    "sparse": (lambda: {"a": torch.eye(3).to_sparse()}, "expected plain tensors; got a sparse tensor, a."),
    "csr": (lambda: {"a": torch.eye(3).to_sparse_csr()}, "expected plain tensors; got a sparse tensor, a."),
    "quantised": (
        lambda: {"a": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)},
        "expected plain tensors; got a quantised tensor, a.",
    ),
    "meta": (lambda: {"a": torch.zeros(3, device="meta")}, "expected plain tensors; got a meta tensor, a."),
    "nested": (lambda: {"a": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])}, "expected "),
    "complex": (lambda: {"a": torch.zeros(3) * 1j}, "expected plain tensors; got a complex tensor, a."),
    "float8": (lambda: {"a": torch.zeros(3).to(torch.float8_e5m2)}, "expected "),  # the old format cannot read it
    "deep": (lambda: {"a": torch.zeros([1] * 30)}, "expected plain tensors; got a 30-dimensional tensor, a."),
    "itself": (around_itself, "expected a dict of tensors, or a checkpoint that holds one; got a dict of epoch, model"),
    "stride 0": (
        lambda: {"a": torch.zeros(1).expand(100_000, 100_000)},
        "expected tensors of no more than the ",
    ),
    "many views": (
        lambda: {f"a{i}": torch.as_strided(WHOLE, (1000,), (1,)) for i in range(1000)},
        "expected tensors of no more than the ",
    ),
    "name": (lambda: {"\x1b]0;x\x07" + "n" * 9000: torch.eye(3).to_sparse()}, "expected plain tensors; got a sparse"),
}


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_that_no_network_has_are_refused(tmp_path: Path, kind: str, zipped: bool) -> None:
    make, sentence = STRANGE[kind]
    path = tmp_path / "a.pth"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of layouts that are in beta or deprecated
        torch.save(make(), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError) as caught:
        read_tensors(path)
    assert str(caught.value).startswith(f"{path}: {sentence}")
    assert len(str(caught.value)) < 500 + len(str(path))
    assert str(caught.value).isprintable()


def rezipped(path: Path, change: Callable[[str, bytes], bytes], kind: int) -> None:
    """The archive of torch.save with other members, packed in another way."""
    with zipfile.ZipFile(path) as archive:
        members = {name: change(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_archives_that_unpack_to_more_than_themselves_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"a": torch.zeros(1_000_000)}, path)
    rezipped(path, lambda _, content: content, zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsError, match="expected an archive without compression"):
        read_tensors(path)
    torch.save({"a": torch.zeros(1)}, path)
    rezipped(path, lambda name, content: bytes(5_000_000) if name.endswith(".pkl") else content, zipfile.ZIP_STORED)
    with pytest.raises(WeightsError, match="expected at most 4,194,304 bytes beside the tensors'"):
        read_tensors(path)


@pytest.mark.parametrize("size", [0, 1, 8, 9, 50, 1000])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_what_is_cut_short_is_told(tmp_path: Path, size: int, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "safetensors":
        save_file({"a": torch.zeros(1000)}, path)
    else:
        torch.save({"a": torch.zeros(1000)}, path, _use_new_zipfile_serialization=kind == "zip")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(WeightsError, match=r"a: expected a "):
        read_tensors(path)


def test_headers_that_are_too_large_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    length = 17 << 20
    path.write_bytes(length.to_bytes(8, "little") + b"{" + b" " * (length - 2) + b"}")
    with pytest.raises(WeightsError, match="expected a header of at most 16,777,216 bytes; got 17,825,792"):
        read_tensors(path)
    path.write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    with pytest.raises(WeightsError, match="expected a safetensors file that is whole; "):
        read_tensors(path)


def test_more_tensors_than_a_network_has_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({str(i): torch.zeros(0) for i in range(20_001)}, path)
    with pytest.raises(WeightsError, match="expected at most 20,000 tensors; got 20,001"):
        read_tensors(path)


def test_more_tensors_than_a_network_has_are_refused_of_a_pickle_too(tmp_path: Path) -> None:
    one = torch.ones(1)
    torch.save({str(number): one for number in range(20_001)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w.pth: expected at most 20,000 tensors; got 20,001"):
        read_pickle(tmp_path / "w.pth")
