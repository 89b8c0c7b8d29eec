"""Disks that are full, and outputs that are no files: one sentence, and nothing that stood there is lost."""

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from striate.cli.app import main
from striate.console import Reporter
from striate.errors import ModelFileError
from striate.files import write_whole
from striate.model import Model, load
from striate.recipe import Recipe
from striate.tensors import save_file
from striate.training import RunFolder, resume, train

Refusal = Callable[..., str]
DEV_FULL = Path("/dev/full")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_full_leaves_the_model_that_was_there(
    small_disk: Path, untrained: Callable[..., Model], refusal: Refusal, tmp_path: Path
) -> None:
    untrained().save(tmp_path / "small.safetensors")
    path = small_disk / "model.safetensors"
    (small_disk / "filler").write_bytes(bytes(200_000))
    path.write_bytes(b"before")
    with pytest.raises(OSError, match="No space left on device") as caught:
        untrained().save(path)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"before"
    assert sorted(each.name for each in small_disk.iterdir()) == ["filler", "model.safetensors"]
    sentence = refusal("weights", "convert", tmp_path / "small.safetensors", path, code=1)
    assert sentence == f"{path}: No space left on device."


@pytest.mark.skipif(not DEV_FULL.exists(), reason="this system has no /dev/full")
def test_a_device_that_is_full_is_a_sentence() -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_whole(DEV_FULL, lambda aside: save_file({"a": torch.zeros(100)}, aside, {}))
    assert caught.value.filename == str(DEV_FULL)
    assert stat.S_ISCHR(DEV_FULL.stat().st_mode)


@pytest.mark.parametrize("verb", ["predict", "augment"])
def test_a_device_stays_one(
    tmp_path: Path, untrained: Callable[..., Model], two_classes: Path, capfd: pytest.CaptureFixture[str], verb: str
) -> None:
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except OSError:
        pytest.skip("only root may make a device")
    untrained().save(tmp_path / "model.safetensors")
    words: dict[str, list[object]] = {
        "predict": ["predict", tmp_path / "model.safetensors", two_classes, "-o", device],
        "augment": ["augment", two_classes, "--count", 1, "--epochs", 1, "-o", device],
    }
    with pytest.raises(SystemExit):
        main([str(word) for word in words[verb]])
    assert "Traceback" not in capfd.readouterr().err
    assert stat.S_ISCHR(device.stat().st_mode)


def test_a_run_that_is_done_and_has_no_model_says_so(
    two_classes: Path, tiny_recipe: Callable[..., Recipe], silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(epochs=1), tmp_path / "run", silent)
    resume(run.path, reporter=silent)
    assert run.log.read_text().endswith(f"model: {run.model}\n")
    run.model.unlink()
    with pytest.raises(ModelFileError, match="expected a model file; got nothing there"):
        resume(run.path, reporter=silent)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["log.txt", "check.csv", ".lock"])
def test_a_pipe_in_a_run_folder_holds_nobody(
    two_classes: Path, tiny_recipe: Callable[..., Recipe], silent: Reporter, tmp_path: Path, name: str
) -> None:
    run = train(two_classes, tiny_recipe(epochs=1), tmp_path / "run", silent)
    (run.path / name).unlink(missing_ok=True)
    os.mkfifo(run.path / name)
    resume(run.path, tiny_recipe(epochs=2), silent)
    assert load(run.model).classes == ("dark", "light")


def test_a_run_folder_of_another_user_names_no_folder_of_yours(
    two_classes: Path,
    tiny_recipe: Callable[..., Recipe],
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Refusal,
) -> None:
    run = train(two_classes, tiny_recipe(epochs=1), tmp_path / "run", silent)
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "another user's"))
    sentence = refusal("train", "--resume", run.path, "--epochs", "2", code=3)
    assert "expected images in the folder of the index, because it was not made by you on this machine" in sentence
    with pytest.raises(SystemExit) as left:
        main(["train", "--resume", str(run.path), "--epochs", "2", "--image-root", str(two_classes)])
    assert left.value.code == 0
    resume(RunFolder(run.path).path, tiny_recipe(epochs=3, image_root=str(two_classes)), silent)
