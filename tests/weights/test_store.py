"""Finding and verifying what is published, and what is kept of it."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from manifests import manifest_fields
from safetensors.torch import load_file, save_file

from striate.errors import WeightsError
from striate.weights import (
    Manifest,
    digest,
    digest_with_parts,
    find,
    is_here,
    named,
    read_pin,
    read_tensors,
    recognised,
    weights_folder,
)
from striate.weights.manifest import Package

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GOOD = manifest_fields(CONTENT)
TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2)}


def manifest(**values: Any) -> Manifest:
    return Manifest(**(GOOD | values))


def test_the_folder_is_the_environments_or_a_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STRIATE_CACHE")
    monkeypatch.delenv("STRIATE_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights_folder() == tmp_path / "striate" / "weights"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert weights_folder() == Path.home() / ".cache" / "striate" / "weights"
    monkeypatch.setenv("STRIATE_WEIGHTS", str(tmp_path / "mine"))
    assert weights_folder() == tmp_path / "mine"


def test_a_file_is_found_once_it_is_as_published(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    with pytest.raises(WeightsError) as caught:
        find(manifest(), tmp_path)
    assert str(caught.value) == (
        f"lenet5.mine: expected mine.safetensors in {tmp_path}; got nothing there. "
        "No address to fetch it from is known."
    )
    path.write_bytes(CONTENT)
    assert find(manifest(), tmp_path) == path
    assert recognised(path, [manifest(sha256="0" * 64), manifest(sha256=""), manifest()]) == manifest()
    assert recognised(path, [manifest(sha256="0" * 64)]) is None
    path.write_bytes(CONTENT[:-1])
    other = hashlib.sha256(CONTENT[:-1]).hexdigest()
    with pytest.raises(WeightsError) as caught:
        find(manifest(), tmp_path)
    assert str(caught.value) == (
        f"{path}: expected lenet5.mine, with sha256 {SHA256}; got {other}. "
        "It is another file, or not whole: remove it and get it anew."
    )


def test_a_file_is_known_by_its_md5_where_no_sha256_is_published(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    path.write_bytes(CONTENT)
    published = manifest(sha256="", md5=hashlib.md5(CONTENT).hexdigest())
    assert recognised(path, [manifest(sha256="", md5="0" * 32), published]) == published
    path.write_bytes(CONTENT[:-1] + b"x")
    assert recognised(path, [published]) is None


def test_the_digest_of_weights_in_several_files_is_of_them_all(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    parts = {"b.safetensors": b"b", "a.safetensors": b"a"}
    index.write_text(json.dumps({"weight_map": {name[0]: name for name in parts}}), encoding="utf-8")
    for name, content in parts.items():
        (tmp_path / name).write_bytes(content)
    files = [index, tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    listed = "".join(f"{digest(file)}  {file.name}\n" for file in files)
    assert digest_with_parts(index) == hashlib.sha256(listed.encode()).hexdigest()
    (tmp_path / "a.safetensors").write_bytes(b"other")
    assert digest_with_parts(index) != hashlib.sha256(listed.encode()).hexdigest()
    assert digest_with_parts(files[2]) == digest(files[2])


def test_nothing_to_digest(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        digest(tmp_path)
    assert str(caught.value) == f"{tmp_path}: expected a file of weights; expected a regular file; got a folder."
    with pytest.raises(WeightsError) as caught:
        digest(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path / 'none'}: expected a file of weights; got nothing there."


def test_what_can_be_fetched_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"got nothing there\. Try `striate weights fetch lenet5\.mine`\."):
        find(manifest(url="https://example.org/x"), tmp_path)


def test_what_a_package_brings_is_installed_by_pip(tmp_path: Path) -> None:
    package = Package(name="no-such-package", file="no_such_package/mine.pth")
    with pytest.raises(WeightsError) as caught:
        find(manifest(package=package), tmp_path)
    assert str(caught.value) == (
        "lenet5.mine: expected mine.safetensors among the installed packages; got nothing there. "
        "Try `pip install no-such-package`."
    )


@pytest.fixture
def pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A published pickle where torch.hub keeps it; caches of this test alone."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "torch" / "hub" / "checkpoints" / "mine-1.pth"
    path.parent.mkdir(parents=True)
    torch.save({"state_dict": TENSORS}, path)
    return path


def of(path: Path, digits: int = 64, **values: Any) -> Manifest:
    """The manifest of a file, with so many digits of its sha256."""
    about = {"file": path.name, "sha256": digest(path)[:digits], "size": path.stat().st_size}
    return manifest(**(about | values))


def test_what_keras_has_downloaded_is_found_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    path = tmp_path / "keras" / "models" / "mine.h5"
    path.parent.mkdir(parents=True)
    save_file(TENSORS, path)
    assert is_here(of(path), tmp_path)
    assert read_tensors(find(of(path), tmp_path)).keys() == TENSORS.keys()
    assert not is_here(of(path, size=path.stat().st_size + 1), tmp_path / "other")


@pytest.mark.parametrize("digits", [64, 8, 0])
def test_a_pickle_is_kept_as_safetensors_and_its_whole_digest_pinned(pickle: Path, tmp_path: Path, digits: int) -> None:
    published, folder = of(pickle, digits), tmp_path / "folder"
    assert is_here(published, folder)
    assert read_pin(published, folder) is None
    kept = find(published, folder)
    assert kept == folder / "mine-1.safetensors"
    assert torch.equal(load_file(kept)["a.weight"], TENSORS["a.weight"])
    pin = read_pin(published, folder)
    assert pin is not None
    assert (pin.sha256, pin.size, pin.kept_sha256) == (digest(pickle), pickle.stat().st_size, digest(kept))
    assert recognised(kept, [manifest(), published]) == published
    pickle.unlink()
    assert is_here(published, folder)
    assert find(published, folder) == kept


def test_what_comes_later_is_held_against_the_pin(pickle: Path, tmp_path: Path) -> None:
    published, folder = of(pickle, 0), tmp_path / "folder"
    first = digest(pickle)
    find(published, folder).unlink()
    torch.save({name: tensor + 1 for name, tensor in TENSORS.items()}, pickle)
    with pytest.raises(WeightsError) as caught:
        find(of(pickle, 0), folder)
    assert str(caught.value) == (
        f"{pickle}: expected lenet5.mine, with sha256 {first}; got {digest(pickle)}. "
        "It is another file, or not whole: remove it and get it anew."
    )


def test_a_kept_file_that_was_changed_is_made_anew_or_refused(pickle: Path, tmp_path: Path) -> None:
    published, folder = of(pickle), tmp_path / "folder"
    kept = find(published, folder)
    before = digest(kept)
    save_file({"a": torch.zeros(1)}, kept)
    assert digest(find(published, folder)) == before  # it was converted anew
    save_file({"a": torch.zeros(1)}, kept)
    pickle.unlink()
    with pytest.raises(WeightsError, match=f"{kept}: expected lenet5.mine, with sha256 {before}; got {digest(kept)}"):
        find(published, folder)


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"name": 1}', "[" * 20_000])
def test_a_pin_that_is_none_is_made_anew(pickle: Path, tmp_path: Path, content: str) -> None:
    published, folder = of(pickle), tmp_path / "folder"
    kept = find(published, folder)
    pin = kept.with_name("mine-1.safetensors.pin.json")
    before = pin.read_text()
    pin.write_text(content)
    assert find(published, folder) == kept
    assert json.loads(pin.read_text()) == json.loads(before)


def test_the_pin_of_another_file_counts_for_nothing(pickle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    find(of(pickle), folder)
    assert read_pin(of(pickle, name="lenet5.other"), folder) is None
    assert read_pin(of(pickle, sha256="0" * 8), folder) is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes into any folder")
def test_a_folder_that_cannot_be_written_is_left_for_the_cache(pickle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o500)
    assert find(of(pickle), folder) == tmp_path / "cache" / "weights" / "mine-1.safetensors"


def test_where_nothing_can_be_kept_the_published_file_is_read(pickle: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    (tmp_path / "folder").write_text("no folder")
    path = find(of(pickle), tmp_path / "folder")
    assert path == pickle
    assert read_tensors(path).keys() == TENSORS.keys()


def test_a_size_that_was_rounded_is_taken_for_what_it_is(pickle: Path, tmp_path: Path) -> None:
    size = pickle.stat().st_size
    assert find(of(pickle, size=size + 9, size_within=9), tmp_path / "a").is_file()
    with pytest.raises(WeightsError, match=rf"expected lenet5\.mine, with {size + 10:,} bytes; got {size:,}\. It is"):
        find(of(pickle, size=size + 10, size_within=9), tmp_path / "b")


def test_a_net_stands_for_the_first_of_its_weights_that_are_here(pickle: Path, tmp_path: Path) -> None:
    absent = manifest(name="lenet5.absent", file="absent.safetensors")
    known = {each.name: each for each in (absent, of(pickle), manifest(name="lenet5.last", file="last.safetensors"))}
    assert named("lenet5.absent", known, tmp_path) == absent
    assert named("lenet5", known, tmp_path) == known["lenet5.mine"]
    pickle.unlink()
    assert named("lenet5", known, tmp_path) == absent
    assert named("lenet", known, tmp_path) is None
