import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from striate.cli.evaluate import _class_table
from striate.data import read
from striate.data.crops import Viewing
from striate.evaluation import evaluate, summarise
from striate.evaluation.intervals import Interval
from striate.model import Model, load
from striate.training import RunFolder

Striate = Callable[..., tuple[int, str, str]]
WritePictures = Callable[[Path, Mapping[str, int]], Path]
PLAIN = ("--device", "cpu", "--precision", "float32")


def untimed(text: str) -> dict[str, Any]:
    """The record without what differs from time to time."""
    plain: dict[str, Any] = json.loads(text)
    return {name: value for name, value in plain.items() if name not in ("seconds", "images_per_second")}


def test_json_for_a_script(striate: Striate, finished: RunFolder, two_classes: Path) -> None:
    code, out, err = striate("evaluate", finished.model, two_classes, "--json", *PLAIN)
    assert (code, err) == (0, "")
    model = load(finished.model, device="cpu", precision="float32")
    assert untimed(out) == untimed(summarise(evaluate(model, read(two_classes))).to_json())
    plain = json.loads(out)
    assert plain["split"] == "test"
    accuracy = plain["metrics"]["accuracy"]
    assert 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1


def test_mirrored_images_are_asked_too(striate: Striate, finished: RunFolder, two_classes: Path) -> None:
    out = striate("evaluate", finished.model, two_classes, "--json", "--mirror", "--no-gain", *PLAIN)[1]
    model = load(finished.model, device="cpu", precision="float32")
    scored = evaluate(model, read(two_classes), viewing=Viewing(mirror=True))
    assert untimed(out) == untimed(summarise(scored).to_json())
    assert json.loads(out)["views"] == 2


def test_what_crops_gain_is_told_beside_what_they_cost(
    striate: Striate, finished: RunFolder, two_classes: Path
) -> None:
    code, out, err = striate("evaluate", finished.model, two_classes, "--crops", 10, *PLAIN)
    assert (code, err) == (0, "")
    (line,) = [line for line in out.splitlines() if line.startswith("over one view of each image: accuracy ")]
    assert line.endswith(" times the time")
    code, out, err = striate("evaluate", finished.model, two_classes, "--crops", 3)
    assert (code, out) == (2, "")
    assert err == "striate: `crops`: expected 1, 5, 10, 144 or the square of another number; got 3.\n"


def test_text_for_a_person(striate: Striate, finished: RunFolder, two_classes: Path) -> None:
    code, out, err = striate("evaluate", finished.model, two_classes, "--split", "all", *PLAIN)
    plain = json.loads(striate("evaluate", finished.model, two_classes, "--split", "all", "--json", *PLAIN)[1])
    assert (code, err) == (0, "")
    first, *lines = out.splitlines()
    assert first == "read as: class folders; 2 classes, 24 images"
    assert lines[0] == "all: 24 images (as asked)"
    for line, name in zip(lines[1:3], ("accuracy", "loss"), strict=True):
        metric = plain["metrics"][name]
        expected = f"{name} {metric['value']:.4f}, 95 % interval {metric['low']:.4f} to {metric['high']:.4f}"
        assert line == expected
    for row in plain["per_class"]:
        scores = (f"{Interval(**row[name]):.2f}" for name in ("precision", "recall", "f1"))
        assert " ".join((row["name"], "12", *scores)) in [" ".join(line.split()) for line in lines]
    assert all(len(line) <= 80 for line in lines)


def test_class_names_are_printed_as_they_are(
    striate: Striate, untrained: Callable[..., Model], two_classes: Path, tmp_path: Path
) -> None:
    untrained(("[/]", "[red]b")).save(tmp_path / "model.safetensors")
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes((two_classes / "dark" / "00.png").read_bytes())
    (tmp_path / "data.csv").write_text("path,label\na.png,[/]\nb.png,[red]b\n")
    code, out, err = striate("evaluate", tmp_path / "model.safetensors", tmp_path / "data.csv")
    assert (code, err) == (0, "")
    assert "\n [/] " in out
    assert "\n [red]b " in out


def test_classes_that_were_not_asked_for_are_named(
    striate: Striate, untrained: Callable[..., Model], write_pictures: WritePictures, tmp_path: Path
) -> None:
    untrained(classes=("dark", "light")).save(tmp_path / "m.safetensors")
    line = "no image of light, so that the scores say nothing of that\n"
    for counts in ({"dark": 3}, {"dark": 3, "light": 3}):
        data = write_pictures(tmp_path / str(len(counts)), counts)
        out = striate("evaluate", tmp_path / "m.safetensors", data)[1]
        assert (line in out) is ("light" not in counts)


def test_names_of_classes_are_whole_in_a_narrow_table(
    striate: Striate, untrained: Callable[..., Model], write_pictures: WritePictures, tmp_path: Path
) -> None:
    names = ("motorcycle" * 3, "aeroplane" * 3)
    data = write_pictures(tmp_path / "data", dict.fromkeys(names, 5))
    untrained(classes=names).save(tmp_path / "m.safetensors")
    out = striate("evaluate", tmp_path / "m.safetensors", data, *PLAIN)[1]
    table = out.split(" F1")[1].split("taken for")[0].replace("unknown", "")
    shown = re.sub(r"[^a-z…]", "", table)
    assert all(name in shown for name in names)
    assert "…" not in shown


@pytest.mark.parametrize(("width", "wraps"), [(120, False), (40, True)])
def test_a_narrow_terminal_shows_names_and_whole_scores(
    finished: RunFolder, two_classes: Path, width: int, wraps: bool
) -> None:
    found = summarise(evaluate(load(finished.model), read(two_classes), "all"))
    console = Console(width=width)
    with console.capture() as said:
        console.print(_class_table(found, wraps=wraps))
    assert all(name in said.get() for name in ("dark", "light"))
    assert "…" not in said.get()


def test_unreadable_images_are_named(
    striate: Striate, finished: RunFolder, write_pictures: WritePictures, tmp_path: Path
) -> None:
    write_pictures(tmp_path, {"dark": 4, "light": 4})
    (tmp_path / "dark" / "01.png").write_bytes(b"")
    code, out, _ = striate("evaluate", finished.model, tmp_path)
    assert code == 0
    assert "left out: dark/01.png: the file is empty\n" in out
    assert out.splitlines()[1].startswith("all: 7 images")


def test_several_labels(striate: Striate, untrained: Callable[..., Model], two_classes: Path, tmp_path: Path) -> None:
    untrained(several_labels=True).save(tmp_path / "model.safetensors")
    (tmp_path / "a.png").write_bytes((two_classes / "dark" / "00.png").read_bytes())
    (tmp_path / "data.csv").write_text("file,classes\na.png,dark|light\n")
    words = ("--path-column", "file", "--label-column", "classes", "--label-separator", "|")
    code, out, _ = striate("evaluate", tmp_path / "model.safetensors", tmp_path / "data.csv", *words)
    assert code == 0
    assert "mean average precision 1.0000, 95 % interval 1.0000 to 1.0000\n" in out
    assert "recall" not in out  # no table of classes


@pytest.mark.parametrize(
    ("make", "code", "sentence"),
    [
        (lambda root: None, 3, "data: expected a folder, CSV, JSON or Parquet file; got {root}, which does not exist."),
        (lambda root: (root / "dark").mkdir(parents=True), 3,
         "data: expected images with labels in {root}; got no image and no labels. Put the images of each class into a "
         "folder of its own, or give a CSV of path and label; see docs/data.md."),
    ],
)  # fmt: skip
def test_data_that_is_not_there(
    striate: Striate, finished: RunFolder, tmp_path: Path, make: Callable[[Path], object], code: int, sentence: str
) -> None:
    make(tmp_path / "data")
    expected = f"striate: {sentence.format(root=tmp_path / 'data')}\n"
    assert striate("evaluate", finished.model, tmp_path / "data") == (code, "", expected)


def test_classes_that_the_model_does_not_know(
    striate: Striate, finished: RunFolder, write_pictures: WritePictures, tmp_path: Path
) -> None:
    code, out, err = striate("evaluate", finished.model, write_pictures(tmp_path, {"drak": 1}))
    assert (code, out) == (3, "")
    assert err.startswith("striate: classes: expected only those that the model knows (dark and light); got also drak.")


def test_a_model_file_that_is_none(striate: Striate, two_classes: Path) -> None:
    path = two_classes / "dark" / "00.png"
    code, out, err = striate("evaluate", path, two_classes)
    assert (code, out) == (1, "")
    assert err.startswith(f"striate: {path}: expected a safetensors file that is whole; ")


def test_the_threshold_that_keeps_an_accuracy(striate: Striate, finished: RunFolder, two_classes: Path) -> None:
    words = ("--split", "all", "--abstain-at", 0.5, *PLAIN)
    code, out, _ = striate("evaluate", finished.model, two_classes, *words)
    assert code == 0
    assert "calibration error 0." in out
    assert "accuracy 0.5 or more from probability 0." in out
    plain = json.loads(striate("evaluate", finished.model, two_classes, "--json", *words)[1])
    assert plain["abstention"]["answered"]["value"] == 1.0


def test_groups_slices_and_a_folder_of_files(
    striate: Striate, finished: RunFolder, two_classes: Path, tmp_path: Path
) -> None:
    rows = [
        f"{path},{number % 6},{'am' if number % 2 else 'pm'}" for number, path in enumerate(read(two_classes).paths())
    ]
    (tmp_path / "days.csv").write_text("\n".join(["path,day,hour", *rows]))
    words = ("--split", "all", "--table", tmp_path / "days.csv", "--group", "day", "--slice", "hour", "--slice", "day")
    code, out, err = striate("evaluate", finished.model, two_classes, *words, "--output", tmp_path / "out", *PLAIN)
    assert (code, err) == (0, "")
    assert "all: 24 images, 6 groups by day (as asked)\n" in out
    assert [line.split()[:3] for line in out.splitlines() if line.startswith(" hour")] == [
        ["hour", "am", "12"],
        ["hour", "pm", "12"],
    ]
    assert f"wrote {tmp_path / 'out' / 'confusion.png'}\n" in out
    plain = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert (plain["groups"], len(plain["slices"])) == (6, 8)
    assert len((tmp_path / "out" / "predictions.csv").read_text().splitlines()) == 25


def test_a_column_that_is_not_there(striate: Striate, finished: RunFolder, two_classes: Path) -> None:
    code, out, err = striate("evaluate", finished.model, two_classes, "--group", "day")
    assert (code, out) == (3, "")
    assert err == (
        "striate: columns: expected a table that holds day; got data without one. "
        "Try --table with a CSV file of paths and these columns.\n"
    )
