"""Weights that lie in several files, as Hugging Face writes them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from striate.errors import WeightsError
from striate.weights import file_in, read_tensors

TENSORS = {f"layer{i}.weight": torch.full((2, 2), float(i)) for i in range(4)}


def write(folder: Path, suffix: str = ".safetensors") -> Path:
    """An index and two files with two tensors each."""
    stem = "model" if suffix == ".safetensors" else "pytorch_model"
    places: dict[str, str] = {}
    for part in (1, 2):
        file = f"{stem}-{part:05}-of-00002{suffix}"
        held = {name: tensor for number, (name, tensor) in enumerate(TENSORS.items()) if number // 2 + 1 == part}
        save_file(held, folder / file) if suffix == ".safetensors" else torch.save(held, folder / file)
        places |= dict.fromkeys(held, file)
    index = folder / f"{stem}{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 64}, "weight_map": places}), encoding="utf-8")
    return index


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_the_tensors_of_all_files_are_read(tmp_path: Path, suffix: str) -> None:
    index = write(tmp_path, suffix)
    assert file_in(tmp_path) == index
    tensors = read_tensors(index)
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_one_file_goes_before_an_index(tmp_path: Path) -> None:
    write(tmp_path)
    save_file(TENSORS, tmp_path / "model.safetensors")
    assert file_in(tmp_path) == tmp_path / "model.safetensors"


@pytest.mark.parametrize("file", ["../model-00001-of-00002.safetensors", "/etc/passwd", "model.safetensors.index.json"])
def test_nothing_elsewhere_is_read(tmp_path: Path, file: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": file}}), encoding="utf-8")
    with pytest.raises(WeightsError) as caught:
        read_tensors(index)
    assert str(caught.value) == (
        f"{index}: expected an index of weights in several files; expected names of files beside it; got {file}."
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}'])
def test_what_is_no_index(tmp_path: Path, text: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(text, encoding="utf-8")
    with pytest.raises(WeightsError, match=r"index\.json: expected an index of weights in several files; "):
        read_tensors(index)


def test_what_a_file_lacks_is_named(tmp_path: Path) -> None:
    index = write(tmp_path)
    part = tmp_path / "model-00002-of-00002.safetensors"
    save_file({"layer2.weight": torch.zeros(1)}, part)
    with pytest.raises(WeightsError) as caught:
        read_tensors(index)
    assert str(caught.value) == f"{part}: expected what {index.name} says; missing layer3.weight."
    part.unlink()
    with pytest.raises(WeightsError, match=r"00002.*: expected a file of weights; got nothing there"):
        read_tensors(index)
