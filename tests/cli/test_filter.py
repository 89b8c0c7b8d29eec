from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Striate = Callable[..., tuple[int, str, str]]
ROWS = "3 0 1 2 7 4\n1 5 8 9 3 1\n2 7 2 5 1 3\n0 1 3 1 7 8\n4 2 1 6 2 8\n2 4 5 2 3 9\n"


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    (tmp_path / "image.txt").write_text(ROWS)
    return tmp_path / "image.txt"


def test_the_output_as_numbers_and_as_an_image(striate: Striate, numbers: Path, tmp_path: Path) -> None:
    code, out, err = striate("filter", numbers, "--output", tmp_path / "edges.png", "--steps", "0,0")
    assert (code, err) == (0, "")
    assert "3·1 + 1·1 + 2·1 + 0·0 + 5·0 + 7·0 + 1·(-1) + 8·(-1) + 2·(-1) = -5" in out
    assert "6 x 6 -> 4 x 4 values, -16 to 8\n" in out
    assert " -3   -2   -3  -16\n" in out
    assert out.endswith(f"wrote {tmp_path / 'edges.png'}\n")
    assert np.asarray(Image.open(tmp_path / "edges.png")).shape == (4, 4)


def test_an_image_and_its_numbers_give_the_same(striate: Striate, numbers: Path, tmp_path: Path) -> None:
    values = np.loadtxt(numbers, dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "image.png")
    for name in ("image.txt", "image.png"):
        words = ("--filter", "scharr", "--angle", 45, "--padding", "same", "--border", "edge", "--stride", 2)
        assert striate("filter", tmp_path / name, "-o", tmp_path / f"{name}.csv", *words)[0] == 0
    first, second = (np.loadtxt(tmp_path / f"{name}.csv", delimiter=",") for name in ("image.txt", "image.png"))
    assert first.shape == (3, 3)
    assert np.array_equal(first, second)


def test_the_default_name(striate: Striate, numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert striate("filter", numbers, "--filter", "sobel", "--angle", 22.5)[0] == 0
    assert [path.name for path in Path().iterdir()] == ["image-sobel-22.5.png"]


def test_colours_apart_and_together(striate: Striate, numbers: Path, tmp_path: Path) -> None:
    values = np.loadtxt(numbers, dtype=np.uint8)
    Image.fromarray(np.stack([values, values * 2, values * 3], axis=2)).save(tmp_path / "rgb.png")
    (tmp_path / "kernel.txt").write_text("1 0 -1\n\n0 0 0\n\n0 0 0\n")
    found = {}
    for name, words in {
        "red": ("--channel", "red"),
        "blue": ("--channel", "blue"),
        "sum": ("--channel", "sum"),
        "file": ("--kernel", tmp_path / "kernel.txt"),
    }.items():
        path = tmp_path / f"{name}.csv"
        assert striate("filter", tmp_path / "rgb.png", "-o", path, *words)[0] == 0
        found[name] = np.loadtxt(path, delimiter=",")
    assert found["red"][0, 0] == -5
    assert np.array_equal(found["blue"], 3 * found["red"])
    assert np.array_equal(found["sum"], 6 * found["red"])
    assert np.array_equal(found["file"], values[:, :-2].astype(float) - values[:, 2:])


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--padding", "big"), 2, "`--padding`: expected 0 to 10000 pixels, same or valid; got big."),
        (("--padding", "1000000"), 2, "`--padding`: expected 0 to 10000 pixels, same or valid; got 1000000."),
        (("--steps", "1"), 2, "`--steps`: expected ROW,COLUMN of the output, from 0; got 1. Try --steps 0,0."),
        (("--steps", "9,0"), 2, "`steps`: expected a row under 4 and a column under 4"),
        (("-o", "edges.jpg"), 2, "`--output`: expected a name that ends in .png or .csv; got edges.jpg."),
        (("--kernel", "nothing.txt"), 1, "nothing.txt: No such file or directory."),
        (("--stride", "0"), 2, "Invalid value"),
    ],
)
def test_misuse(
    striate: Striate, numbers: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, sentence: str
) -> None:
    monkeypatch.chdir(numbers.parent)
    got, out, err = striate("filter", numbers, *words)
    assert (got, out) == (code, "")
    assert sentence in err


def test_an_image_that_cannot_be_read(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    code, _, err = striate("filter", tmp_path / "a.png")
    assert code == 3
    assert err == f"striate: {tmp_path / 'a.png'}: cannot be read: the file is empty.\n"
