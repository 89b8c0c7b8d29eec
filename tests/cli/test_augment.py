from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import build
from striate.data.index_file import save_index
from striate.report.sheet import BOX_COLOUR, GAP, TITLE

Striate = Callable[..., tuple[int, str, str]]


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_a_sheet_is_written(striate: Striate, two_classes: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    words = ("augment", two_classes, "--out", out, "--count", 3, "--epochs", 2, "--img-size", 20, "--augment", "heavy")
    code, said, err = striate(*words)
    assert (code, err) == (0, "")
    assert said == f"{out}: what evaluation sees, then what training would in epochs 1 to 2.\n"
    assert size(out) == (GAP + 3 * (20 + GAP), TITLE + GAP + 3 * (20 + GAP))


def test_images_are_of_224_pixels_unless_asked_otherwise(
    striate: Striate, two_classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert striate("augment", two_classes, "--count", 1, "--epochs", 1)[0] == 0
    assert size(tmp_path / "sheet.png") == (GAP + 2 * (224 + GAP), TITLE + GAP + 224 + GAP)


def test_digits_are_shown_as_they_are(striate: Striate, two_classes: Path, tmp_path: Path) -> None:
    words = ("augment", two_classes, "--count", 3, "--epochs", 2, "-o")
    for name, asked in {"auto": (), "none": ("--augment", "none"), "light": ("--augment", "light")}.items():
        assert striate(*words, tmp_path / name, *asked)[0] == 0
    assert (tmp_path / "auto").read_bytes() == (tmp_path / "none").read_bytes()
    assert (tmp_path / "auto").read_bytes() != (tmp_path / "light").read_bytes()


def test_a_recipe_gives_what_is_not_typed(striate: Striate, two_classes: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        '[data]\nimg_size = 16\nin_channels = 1\n[augment]\naugment = "heavy"\nmixup = 0.0\n'
        "[training]\nepochs = 50\nseed = 7\n"
    )
    words = ("augment", two_classes, "--count", 2, "--epochs", 2)
    by_flags = ("--img-size", 16, "--in-channels", 1, "--augment", "heavy", "--mixup", 0, "--seed", 7)
    assert striate(*words, "-o", tmp_path / "file.png", "--recipe", recipe)[0] == 0
    assert striate(*words, "-o", tmp_path / "flags.png", *by_flags)[0] == 0
    assert (tmp_path / "file.png").read_bytes() == (tmp_path / "flags.png").read_bytes()
    assert striate(*words, "-o", tmp_path / "other.png", "--recipe", recipe, "--seed", 8)[0] == 0
    assert (tmp_path / "other.png").read_bytes() != (tmp_path / "file.png").read_bytes()


def test_long_photographs_are_shown_in_their_shape(striate: Striate, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.new("RGB", (400, 100), "red").save(tmp_path / "data" / name / "0.png")
    sheets = {}
    for words in ((), ("--img-size", 224)):
        out = tmp_path / f"{len(words)}.png"
        assert striate("augment", tmp_path / "data", "-o", out, "--epochs", 1, *words)[0] == 0
        with Image.open(out) as sheet:
            sheets[words] = sheet.size
    assert sheets[()][0] > 800 > sheets["--img-size", 224][0]  # two views of 448 pixels beside each other


def test_a_image_that_cannot_be_read_is_named(striate: Striate, two_classes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "a"
    folder.mkdir(parents=True)
    (folder / "0.png").write_bytes((two_classes / "dark" / "00.png").read_bytes())
    (folder / "1.png").write_bytes(b"")
    out = tmp_path / "sheet.png"
    code, said, _ = striate("augment", folder.parent, "-o", out, "--img-size", 8, "--epochs", 1)
    assert code == 0
    assert said.splitlines()[0] == "left out: a/1.png: the file is empty"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--count", "0"], 2, 'Invalid value "0" for --count. Must be >= 1. See `striate --help`.'),
        (["--rotation", "200"], 2, "`rotation`: expected a number from 0 to 180; got 200.0."),
        (["--rotate", "3"], 2, "Unknown option: --rotate. Did you mean --rotation? See `striate --help`."),
        (["--mean", "0.5"], 2, "`--mean`: expected 3 numbers, one a channel; got 1."),
        (["-o", "none/sheet.png"], 2, "`--output`: expected a file in a folder that exists; got none/sheet.png."),
    ],
)
def test_refusals(striate: Striate, two_classes: Path, words: list[str], code: int, sentence: str) -> None:
    got, said, err = striate("augment", two_classes, *words)
    assert (got, said) == (code, "")
    assert err == f"striate: {sentence}\n"


def test_images_with_a_box_or_a_mask_are_shown_whole(striate: Striate, tmp_path: Path) -> None:
    """Each is dark in the middle and light at its far ends, which a square crop of the middle leaves out."""
    pixels = np.zeros((20, 60), np.uint8)
    pixels[:, :15] = pixels[:, 45:] = 255
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(pixels).save(folder / name)
        Image.fromarray(pixels // 255).save(folder / f"{name}.mask.png")
    names = ["a.png", "b.png"]
    boxed = build(folder, ("a",), names, label=[0, 0], box=[[20.0, 5.0, 40.0, 15.0]] * 2)
    masked = build(
        folder,
        (),
        names,
        mask=[f"{name}.mask.png" for name in names],
        mask_classes=("dark", "light"),
        mask_values={0: 0, 1: 1},
    )
    plain = build(folder, ("a",), names, label=[0, 0])
    ends = {}
    for name, index in (("boxed", boxed), ("masked", masked), ("plain", plain)):
        save_index(index, folder / "index.parquet")
        out = tmp_path / f"{name}.png"
        words = ("augment", folder / "index.parquet", "--count", 1, "--epochs", 1, "--img-size", 20, "-o", out)
        code, _, err = striate(*words)
        assert (code, err) == (0, "")
        with Image.open(out) as sheet:
            row = np.asarray(sheet.convert("RGB"))[TITLE + GAP + 1, GAP : GAP + 20]  # above the box
        ends[name] = [row[0].max() > 100, row[-1].max() > 100, row[10].max() > 100]
    assert ends == {"boxed": [True, True, False], "masked": [True, True, False], "plain": [False, False, False]}


def test_a_sheet_shows_the_images_and_the_boxes_that_training_uses(striate: Striate, tmp_path: Path) -> None:
    """Two images of one object, one of two objects, of which the larger lies on the right, and one without any."""
    folder = tmp_path / "data"
    folder.mkdir()
    names = [f"{name}.png" for name in "abcd"]
    for name, grey in zip(names, (100, 150, 200, 250), strict=True):
        Image.fromarray(np.full((40, 40), grey, np.uint8)).save(folder / name)
    two = [[2.0, 2.0, 10.0, 10.0], [20.0, 10.0, 38.0, 38.0]]
    one = [[5.0, 5.0, 30.0, 30.0]]
    boxes: list[list[list[float]] | None] = [one, one, two, None]
    index = build(
        folder,
        ("a",),
        names,
        label=[0, 0, 0, -1],
        labels=[[0], [0], [0, 0], None],
        box=[one[0], one[0], two[1], None],
        boxes=boxes,
    )
    save_index(index, folder / "index.parquet")
    out = tmp_path / "sheet.png"
    words = ("augment", folder / "index.parquet", "--epochs", 1, "--augment", "none", "--img-size", 40, "-o", out)
    code, said, err = striate(*words)
    assert (code, err) == (0, "")
    assert said.splitlines()[:2] == [
        "note: left out, because it shows several objects (`--boxes largest` uses such images): 1 image",
        "note: left out, because it shows no object (`--task-args.no-object true` uses such images): 1 image",
    ]
    assert size(out)[1] == TITLE + GAP + 2 * (40 + GAP)
    assert striate(*words, "--boxes", "largest")[0] == 0
    with Image.open(out) as sheet:
        tile = np.asarray(sheet)[TITLE + GAP + 2 * (40 + GAP) :, GAP:][:40, :40]
    yellow = (tile == BOX_COLOUR).all(axis=-1)
    assert yellow[10, 20]
    assert not yellow[:9].any()
