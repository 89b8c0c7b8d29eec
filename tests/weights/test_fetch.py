"""Fetching published weights from a server of this machine: what is kept, pinned, continued and refused."""

import errno
import hashlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from file_server import Plan, serving
from filelock import FileLock
from manifests import manifest_fields
from safetensors.torch import load_file, save

from striate.errors import UsageError, WeightsError
from striate.weights import Manifest, digest, fetch, read_pin
from striate.weights.manifest import Hub

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3)}
CONTENT = save(TENSORS)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GOOD = manifest_fields(CONTENT)


def manifest(**values: Any) -> Manifest:
    return Manifest(**(GOOD | values))


def pickled(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


@pytest.fixture
def plan() -> Plan:
    return Plan({"/mine": CONTENT})


@pytest.fixture
def address(plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(plan) as address:
        yield address


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_comes_once(plan: Plan, address: str, tmp_path: Path) -> None:
    seen: list[int] = []
    folder = tmp_path / "a" / "b"
    path = fetch(manifest(url=f"{address}/mine"), folder, seen.append)
    assert path.read_bytes() == CONTENT
    assert seen[-1] == len(CONTENT)
    assert names(folder) == ["mine.safetensors"]
    assert fetch(manifest(url=f"{address}/mine"), folder) == path
    assert len(plan.asked) == 1


@pytest.mark.parametrize("digits", [64, 8, 0])
def test_a_pickle_is_kept_as_safetensors_and_pinned(plan: Plan, address: str, tmp_path: Path, digits: int) -> None:
    content = plan.files["/p"] = pickled({"state_dict": TENSORS, "epoch": 3})
    whole = hashlib.sha256(content).hexdigest()
    published = manifest(file="mine-1.pth", sha256=whole[:digits], size=0, url=f"{address}/p")
    kept = fetch(published, tmp_path / "here")
    assert names(tmp_path / "here") == ["mine-1.safetensors", "mine-1.safetensors.pin.json"]
    assert torch.equal(load_file(kept)["a.weight"], TENSORS["a.weight"])
    pin = read_pin(published, tmp_path / "here")
    assert pin is not None
    assert (pin.sha256, pin.size, pin.kept_sha256) == (whole, len(content), digest(kept))


def test_an_md5_is_checked_and_the_sha256_pinned(plan: Plan, address: str, tmp_path: Path) -> None:
    content = plan.files["/p"] = pickled(TENSORS)
    fields = {"file": "mine-1.pth", "sha256": "", "size": 0, "url": f"{address}/p"}
    md5 = hashlib.md5(content).hexdigest()
    with pytest.raises(WeightsError) as caught:
        fetch(manifest(**fields, md5="0" * 32), tmp_path / "here")
    assert str(caught.value) == (
        f"{address}/p: expected lenet5.mine, with md5 {'0' * 32}; got {md5}. It is another file, and was not kept."
    )
    assert names(tmp_path / "here") == []
    published = manifest(**fields, md5=md5)
    kept = fetch(published, tmp_path / "here")
    pin = read_pin(published, tmp_path / "here")
    assert pin is not None
    assert pin.sha256 == hashlib.sha256(content).hexdigest()
    assert fetch(published, tmp_path / "here") == kept


def test_a_safetensors_file_without_a_whole_digest_is_pinned(plan: Plan, address: str, tmp_path: Path) -> None:
    published = manifest(sha256=SHA256[:8], url=f"{address}/mine")
    kept = fetch(published, tmp_path / "here")
    pin = read_pin(published, tmp_path / "here")
    assert pin is not None
    assert pin.sha256 == pin.kept_sha256 == SHA256
    kept.unlink()
    plan.files["/mine"] = other = save({"a.weight": torch.zeros(6).reshape(2, 3)})
    with pytest.raises(WeightsError) as caught:  # the address gives another file than the first time
        fetch(manifest(sha256="", url=f"{address}/mine"), tmp_path / "here")
    assert str(caught.value) == (
        f"{address}/mine: expected lenet5.mine, with sha256 {SHA256}; got {hashlib.sha256(other).hexdigest()}. "
        "It is another file, and was not kept."
    )


def test_what_broke_off_is_gone_on_with_by_the_next_call(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.breaks = [50, 0]
    published = manifest(url=f"{address}/mine")
    with pytest.raises(WeightsError, match=r"50 bytes are kept, and the same command goes on from there\."):
        fetch(published, tmp_path / "here")
    assert names(tmp_path / "here") == ["mine.safetensors.part"]
    fetch(published, tmp_path / "here")
    assert plan.asked[-1] == ("/mine", "bytes=50-")
    assert names(tmp_path / "here") == ["mine.safetensors"]


def test_a_part_of_another_file_is_thrown_away(plan: Plan, address: str, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.safetensors.part").write_bytes(b"x" * 50)
    assert fetch(manifest(url=f"{address}/mine"), tmp_path / "here").read_bytes() == CONTENT
    assert [asked for _, asked in plan.asked] == ["bytes=50-", None]


def test_what_came_stays_where_there_is_no_room_for_its_tensors(
    plan: Plan, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = plan.files["/mine"] = pickled(TENSORS)
    fields = manifest_fields(content) | {"file": "mine.pth", "url": f"{address}/mine"}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("striate.weights.store.save_file", full)
        with pytest.raises(WeightsError, match="No space left on device"):
            fetch(Manifest(**fields), tmp_path / "here")
    assert names(tmp_path / "here") == ["mine.pth.part"]
    fetch(Manifest(**fields), tmp_path / "here")
    assert [start for _, start in plan.asked] == [None, f"bytes={len(content)}-"]
    assert names(tmp_path / "here") == ["mine.safetensors", "mine.safetensors.pin.json"]


def test_parts_of_two_files_are_brought_anew_once(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.breaks, plan.versions = [50], [bytes(len(CONTENT))]
    fetch(manifest(url=f"{address}/mine"), tmp_path)
    assert names(tmp_path) == ["mine.safetensors"]
    plan.breaks, plan.versions = [50, len(CONTENT), 50], [bytes(len(CONTENT))] * 4
    with pytest.raises(WeightsError, match="It is another file, and was not kept"):
        fetch(manifest(url=f"{address}/mine"), tmp_path / "again")
    assert names(tmp_path / "again") == []


@pytest.mark.parametrize(
    ("what", "values", "sentence"),
    [
        (
            "mine",
            {"sha256": "0" * 64},
            f"expected lenet5.mine, with sha256 {'0' * 64}; got {SHA256}. It is another file",
        ),
        ("mine", {"sha256": "0" * 8}, f"with a sha256 that begins with 00000000; got {SHA256}. It is another file"),
        ("mine", {"size": 90}, f"expected at most 90 bytes; the server offers {len(CONTENT)}."),
        ("mine", {"size": len(CONTENT) + 9}, f"with {len(CONTENT) + 9} bytes; got {len(CONTENT)}. It is another file"),
        ("none", {}, "the server answers 404 Not Found."),
    ],
)
def test_what_is_not_as_published_leaves_nothing(
    address: str, tmp_path: Path, what: str, values: dict[str, Any], sentence: str
) -> None:
    folder = tmp_path / "folder"
    with pytest.raises(WeightsError) as caught:
        fetch(manifest(url=f"{address}/{what}", **values), folder)
    assert sentence in str(caught.value)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"no file of weights", pickled({"epoch": 3}), pickled({"a": torch.eye(3).to_sparse()})]
)
def test_what_is_published_and_holds_no_weights_leaves_nothing(
    plan: Plan, address: str, tmp_path: Path, content: bytes
) -> None:
    plan.files["/p"] = content
    sha256 = hashlib.sha256(content).hexdigest()
    with pytest.raises(WeightsError, match="expected "):
        fetch(manifest(file="mine.pth", sha256=sha256, size=0, url=f"{address}/p"), tmp_path / "here")
    assert names(tmp_path / "here") == []


def test_a_file_of_keras_is_not_fetched_in_vain(
    plan: Plan, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(
        WeightsError, match=r"mine\.h5: a file of Keras; expected h5py to be installed; .*striate\[keras\]"
    ):
        fetch(manifest(file="mine.h5", url=f"{address}/mine"), tmp_path / "here")
    assert plan.asked == []


def test_another_process_is_not_waited_for(plan: Plan, address: str, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with FileLock(tmp_path / "here" / ".mine.safetensors.lock"):
        with pytest.raises(WeightsError, match=r"lenet5\.mine: another process is fetching it into "):
            fetch(manifest(url=f"{address}/mine"), tmp_path / "here")
        assert (tmp_path / "here" / ".mine.safetensors.lock").exists()


def test_a_folder_that_cannot_be_made(plan: Plan, address: str, tmp_path: Path) -> None:
    (tmp_path / "here").write_text("no folder")
    with pytest.raises(WeightsError) as caught:
        fetch(manifest(url=f"{address}/mine"), tmp_path / "here")
    assert str(caught.value) == f"lenet5.mine: expected a folder that can be written, {tmp_path / 'here'}; File exists."


def test_without_a_home_nothing_is_fetched(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("STRIATE_CACHE", "STRIATE_WEIGHTS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(WeightsError) as caught:
        fetch(manifest(url=f"{address}/mine"))
    assert str(caught.value) == (
        "lenet5.mine: expected a folder to keep it in; got none, because there is no home folder. "
        "Try STRIATE_WEIGHTS=FOLDER."
    )


def test_no_address(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        fetch(manifest(), tmp_path)
    assert str(caught.value) == (
        "lenet5.mine: no address to fetch it from is known; expected a copy of mine.safetensors (from here) "
        f"in {tmp_path}."
    )


def test_what_is_there_and_wrong_is_not_replaced(address: str, tmp_path: Path) -> None:
    (tmp_path / "mine.safetensors").write_bytes(b"other")
    with pytest.raises(WeightsError, match="remove it and get it anew"):
        fetch(manifest(url=f"{address}/mine"), tmp_path)
    assert (tmp_path / "mine.safetensors").read_bytes() == b"other"


def test_the_hub(plan: Plan, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"{address}/")
    plan.files["/a/b/resolve/c0ffee/x/mine"] = CONTENT
    published = manifest(hub=Hub(repo="a/b", revision="c0ffee", file="x/mine"))
    assert fetch(published, tmp_path / "here").read_bytes() == CONTENT
    monkeypatch.delenv("HF_ENDPOINT")
    assert published.address == "https://huggingface.co/a/b/resolve/c0ffee/x/mine"


def test_a_mirror_without_https_needs_a_whole_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example")
    hub = Hub(repo="a/b", revision="main", file="x")
    assert manifest(hub=hub).address == "http://mirror.example/a/b/resolve/main/x"
    with pytest.raises(UsageError, match="expected an address that starts with https://, since no whole sha256 is"):
        manifest(hub=hub, sha256="")
