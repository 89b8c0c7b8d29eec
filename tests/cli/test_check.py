import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data.index_file import load_index

Striate = Callable[..., tuple[int, str, str]]
Save = Callable[..., Path]


@pytest.fixture
def good(tmp_path: Path, save_picture: Save) -> Path:
    """Ten images of each of two classes."""
    for number in range(20):
        save_picture(tmp_path / f"data/{'ab'[number % 2]}/{number:02d}.png", size=(40, 40), seed=number)
    return tmp_path / "data"


@pytest.fixture
def leaking(good: Path) -> Path:
    """The same in train, and a copy of one of them in val, with others."""
    good.rename(good.parent / "train")
    good.mkdir()
    (good.parent / "train").rename(good / "train")
    for name in ("a", "b"):
        (good / "val" / name).mkdir(parents=True)
    (good / "train/b/19.png").rename(good / "val/b/19.png")
    (good / "val/a/[red]leak.png").write_bytes((good / "train/a/00.png").read_bytes())
    return good


def test_data_with_nothing_wrong(striate: Striate, good: Path) -> None:
    assert striate("check", good) == (
        0,
        "20 images, 20 usable; 2 classes; not split 20\nread as: class folders; 2 classes, 20 images\n\n"
        "0 errors, 0 warnings, 0 info\n",
        "",
    )


def test_a_leak_leaves_with_3(striate: Striate, leaking: Path) -> None:
    code, out, err = striate("check", leaking)
    assert code == 3
    assert out.splitlines() == [
        "21 images, 21 usable; 2 classes; train 19, val 2",
        "read as: class folders in splits train, val; 2 classes, 21 images",
        "",
        "error: the same image, or nearly, in several splits. A score would count what was trained on.",
        "  `striate train` leaves out the 1 of train among them; --keep-leaks trains on them.",
        "  2 images, the same file: in train and val: train/a/00.png, val/a/[red]leak.png",
        "",
        "warning: classes with few images in train. Nobody can tell how well they are learned.",
        "  fewer than 10 images: b",
        "",
        "1 error, 1 warning, 0 info",
    ]
    assert err == (
        f"striate: {leaking}: expected nothing that would make a result untrue; got 1 finding of that kind. "
        "Mend what is named above, or let --fix FILE write an index without it.\n"
    )


def test_json_for_a_script(striate: Striate, leaking: Path) -> None:
    code, out, _ = striate("check", leaking, "--json")
    plain = json.loads(out)
    assert (code, plain["passed"], plain["counts"]["error"]) == (3, False, 1)
    assert plain["findings"][0]["paths"] == ["train/a/00.png", "val/a/[red]leak.png"]


def test_the_page(striate: Striate, leaking: Path, tmp_path: Path) -> None:
    code, _, _ = striate("check", leaking, "--html", tmp_path / "check.html")
    assert code == 3
    assert "<title>Check of data</title>" in (tmp_path / "check.html").read_text(encoding="utf-8")


def test_a_cleaned_index_leaves_the_images_alone(striate: Striate, leaking: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in leaking.rglob("*.png")}
    assert striate("check", leaking, "--fix", tmp_path / "clean.parquet")[0] == 3
    index = load_index(tmp_path / "clean.parquet")
    left_out = dict(zip(index.paths(), index.table["reason"].to_pylist(), strict=True))
    assert {path: reason for path, reason in left_out.items() if reason} == {
        "train/a/00.png": "a copy of val/a/[red]leak.png"
    }
    assert {path: path.read_bytes() for path in leaking.rglob("*.png")} == before


def test_many_findings_of_a_kind_are_cut(striate: Striate, good: Path) -> None:
    for number in range(7):
        (good / f"a/bad{number}.png").write_bytes(b"")
    code, out, _ = striate("check", good, "--max-bad", "0.5")
    assert code == 0
    assert "warning: cannot be read: 7. Left out of everything.\n  a/bad0.png: the file is empty\n" in out
    assert "  … and 2 more; --html FILE shows them, --json lists all\n" in out
    assert "bad5" not in out


def test_many_copies_are_cut_too(striate: Striate, good: Path) -> None:
    for number in range(6):
        (good / f"a/copy{number}.png").write_bytes((good / "a/00.png").read_bytes())
    _, out, _ = striate("check", good)
    named = "a/00.png, a/copy0.png, a/copy1.png, a/copy2.png, … and 3 more"
    assert f"  7 images, the same file: {named}\n" in out


@pytest.mark.parametrize(("max_bad", "code"), [("0.1", 0), ("0.04", 3)])
def test_the_share_of_bad_images_is_a_flag(striate: Striate, good: Path, max_bad: str, code: int) -> None:
    (good / "a/bad.png").write_bytes(b"")
    found, out, _ = striate("check", good, "--max-bad", max_bad)
    assert found == code
    assert ("error: too many unreadable images. " in out) == (code == 3)


def test_the_flags_of_a_csv(striate: Striate, good: Path) -> None:
    lines = [f"{path.relative_to(good)},{path.parent.name}" for path in sorted(good.rglob("*.png"))]
    (good / "list.csv").write_text("\n".join(["file,name", *lines]))
    code, out, _ = striate("check", good / "list.csv", "--path-column", "file", "--label-column", "name", "-j", "2")
    assert (code, out.splitlines()[0]) == (0, "20 images, 20 usable; 2 classes; not split 20")


def test_the_values_of_masks(striate: Striate, tmp_path: Path, save_picture: Save) -> None:
    for number in range(3):
        save_picture(tmp_path / f"images/{number}.png", size=(40, 40), seed=number)
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(np.eye(40, dtype=np.uint8) * 7).save(tmp_path / f"masks/{number}.png")
    words = ("--mask-classes.0", "ground", "--mask-classes.1", "cat")
    code, out, _ = striate("check", tmp_path, *words)
    assert code == 0
    assert out.startswith("3 images, 3 usable; 0 classes; 2 classes in masks; not split 3\n")
    assert "warning: masks with values that mean nothing: 3. " in out
    assert "  images/0.png: values of no class: 7\n" in out
    named = (*words, "--mask-classes.7", "dog")
    assert "masks with values" not in striate("check", tmp_path, *named)[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--html", "none/a.html"), "`--html`: expected a file in a folder that exists; got none/a.html."),
        (("--fix", "none/a.parquet"), "`--fix`: expected a file in a folder that exists; got none/a.parquet."),
        (("--fix", "a.csv"), "`--fix`: expected a name that ends in .parquet; got a.csv."),
    ],
)
def test_misuse(striate: Striate, good: Path, words: tuple[str, ...], sentence: str) -> None:
    assert striate("check", good, *words) == (2, "", f"striate: {sentence}\n")


def test_what_was_seen_is_kept(striate: Striate, write_pictures: Callable[[Path, Mapping[str, int]], Path],
                               tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    root = write_pictures(tmp_path / "data", {"dark": 10, "light": 10})
    first = striate("check", root)
    assert len(list((tmp_path / "cache/check").glob("*-v*.seen"))) == 1
    assert striate("check", root) == first


def test_a_check_starts_without_what_it_does_not_need(good: Path) -> None:
    """PyTorch and matplotlib take longer to import than a second check takes."""
    asked = [sys.executable, "-X", "importtime", "-m", "striate", "check", str(good)]
    imported = subprocess.run(asked, capture_output=True, text=True, check=True).stderr
    names = {line.rpartition("|")[2].strip() for line in imported.splitlines()}
    assert "striate.data.check" in names
    assert not names & {"torch", "matplotlib"}
