from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from striate.model import Model, load
from striate.training import RunFolder

Striate = Callable[..., tuple[int, str, str]]
PLAIN = ("--device", "cpu", "--precision", "float32")


@pytest.fixture
def nearly(finished: RunFolder, tmp_path: Path) -> Path:
    """The model of a run but for a difference that no answer shows, so that what the two say together is known."""
    model = load(finished.model)
    with torch.no_grad():
        list(model.net.parameters())[-1].add_(1e-6)
    path = tmp_path / "nearly.safetensors"
    model.save(path)
    return path


def test_models_become_one_file_that_evaluates(
    striate: Striate, finished: RunFolder, nearly: Path, two_classes: Path, tmp_path: Path
) -> None:
    path = tmp_path / "together.safetensors"
    code, out, err = striate("ensemble", finished.model, nearly, "-o", path)
    assert (code, out, err) == (0, f"wrote {path}: 2 members, lenet5\n", "")
    code, out, err = striate("evaluate", path, two_classes, *PLAIN)
    assert (code, err) == (0, "")
    assert "held out from training" in out  # its members have one split
    (line,) = [line for line in out.splitlines() if line.startswith("over the mean of its 2 members: accuracy +0.0000")]
    assert line.endswith(" times the time and 2.0 times the parameters")
    assert "over the mean" not in striate("evaluate", path, two_classes, "--no-gain", *PLAIN)[1]
    code, out, _ = striate("predict", path, two_classes / "dark" / "00.png", *PLAIN)
    alone = striate("predict", finished.model, two_classes / "dark" / "00.png", *PLAIN)[1]
    assert (code, out) == (0, alone)


def test_members_of_other_splits_are_told(
    striate: Striate, finished: RunFolder, untrained: Callable[..., Model], tmp_path: Path
) -> None:
    untrained(load(finished.model).classes).save(tmp_path / "other.safetensors")
    code, out, _ = striate("ensemble", finished.model, tmp_path / "other.safetensors", "-o", tmp_path / "e.safetensors")
    assert code == 0
    assert "its members did not learn from the same split of the same data" in out


def test_a_member_that_is_there_twice_is_refused(striate: Striate, finished: RunFolder, tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(finished.model.read_bytes())
    code, out, err = striate("ensemble", finished.model, copy, "-o", tmp_path / "e.safetensors")
    assert (code, out) == (2, "")
    assert err.startswith("striate: ensemble: expected models that differ; got the same network twice, as members 1")
    assert not (tmp_path / "e.safetensors").exists()


def test_misuse(striate: Striate, finished: RunFolder, nearly: Path, tmp_path: Path) -> None:
    code, out, err = striate("ensemble", finished.model, "-o", tmp_path / "e.safetensors")
    assert (code, out, err) == (2, "", "striate: ensemble: expected 2 to 15 models; got 1.\n")
    code, out, err = striate("ensemble", finished.model, finished.model, "-o", tmp_path / "no" / "e.safetensors")
    assert (code, out) == (2, "")
    assert err.startswith("striate: `--output`: expected a folder that exists; got ")
    striate("ensemble", finished.model, nearly, "-o", tmp_path / "e.safetensors")
    code, out, err = striate("inspect", tmp_path / "e.safetensors")
    assert (code, out) == (2, "")
    assert "expected one network; got an ensemble of 2." in err
