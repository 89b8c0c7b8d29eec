from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from striate.cli import demo
from striate.cli.demo import write_digits

Striate = Callable[..., tuple[int, str, str]]


def test_the_digits_are_written_as_they_are(tmp_path: Path) -> None:
    write_digits(tmp_path)
    files = sorted(tmp_path.glob("*/*.png"), key=lambda path: path.name)
    digits = load_digits()
    assert [int(path.parent.name) for path in files] == digits.target.tolist()
    for number in (0, 1796):
        pixels = np.asarray(Image.open(files[number]))
        assert np.abs(pixels / 255 * 16 - digits.images[number]).max() < 0.5 / 255 * 16 + 1e-9


def test_the_whole_journey(striate: Striate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_some(root: Path) -> None:
        write_digits(root)
        for path in root.glob("*/*.png"):
            if int(path.stem) >= 200:
                path.unlink()

    monkeypatch.setattr(demo, "write_digits", write_some)
    short = replace(demo.RECIPE, training=replace(demo.RECIPE.training, epochs=2))
    monkeypatch.setattr(demo, "RECIPE", short)
    code, out, err = striate("demo", "-o", tmp_path / "demo")
    assert (code, err) == (0, "")
    for number in range(1, 6):
        assert f"\n{number}. " in f"\n{out}"
    assert "images held out from training, 95 % interval 0." in out
    with Image.open(tmp_path / "demo" / "demo.png") as image:
        assert image.size == (1440, 528)
    for name in ("report.html", "model.safetensors", "metrics.csv", "recipe.toml"):
        assert (tmp_path / "demo" / "run" / name).exists()
        assert str(tmp_path / "demo" / "run" / name) in out
