import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from striate.model import Model, load
from striate.training import RunFolder

Striate = Callable[..., tuple[int, str, str]]
COLUMNS = ["path", "label", "class_1", "probability_1", "class_2", "probability_2", "error"]


@pytest.fixture
def mixed(two_classes: Path, tmp_path: Path) -> Path:
    """A folder of a bad file among good ones."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name, source in (("a", "dark/00.png"), ("c", "light/00.png")):
        (folder / f"{name}.png").write_bytes((two_classes / source).read_bytes())
    (folder / "b.png").write_bytes(b"")
    return folder


def read_rows(path: Path) -> list[dict[str, Any]]:
    match path.suffix:
        case ".csv":
            return list(csv.DictReader(io.StringIO(path.read_text())))
        case ".jsonl":
            return [json.loads(line) for line in path.read_text().splitlines()]
        case _:
            rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
            return rows


def test_bad_files_alone(striate: Striate, finished: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    code, _, err = striate("predict", finished.model, tmp_path / "a.png")
    expected = f"striate: 1 of 1 images could not be read. {tmp_path / 'a.png'}: the file is empty\n"
    assert (code, err) == (3, expected)


def test_a_run_folder_in_place_of_its_model(striate: Striate, finished: RunFolder, mixed: Path) -> None:
    code, _, err = striate("predict", finished.path, mixed)
    got = "expected a model file; got a folder."
    assert (code, err) == (1, f"striate: {finished.path}: {got} Try {finished.model}.\n")
    code, _, err = striate("predict", mixed, mixed)
    assert (code, err) == (1, f"striate: {mixed}: {got}\n")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_bad_file_among_good_ones(
    striate: Striate, finished: RunFolder, mixed: Path, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"out{suffix}"
    words = ("predict", finished.model, mixed, "-o", output, "--device", "cpu", "--precision", "float32")
    code, out, err = striate(*words)
    bad = f"{mixed / 'b.png'}: the file is empty"
    assert (code, out) == (3, "")
    assert err == f"striate: 1 of 3 images could not be read; the others are predicted. {bad}\n"
    rows = read_rows(output)
    assert [list(row) for row in rows] == [COLUMNS] * 3
    assert [row["path"] for row in rows] == [str(mixed / name) for name in ("a.png", "b.png", "c.png")]
    assert [row["error"] for row in rows] == ["", "the file is empty", ""]
    assert (rows[1]["label"], rows[1]["class_1"], rows[1]["probability_1"] or None) == ("", "", None)
    model = load(finished.model, device="cpu", precision="float32")
    for row, source in ((rows[0], "a.png"), (rows[2], "c.png")):
        expected = model.predict(mixed / source)
        assert row["label"] == row["class_1"] == expected.label
        assert float(row["probability_1"]) == pytest.approx(expected.probability, abs=1e-6)
        assert float(row["probability_1"]) + float(row["probability_2"]) == pytest.approx(1, abs=2e-6)


def test_csv_to_the_terminal(striate: Striate, finished: RunFolder, two_classes: Path) -> None:
    path = two_classes / "light" / "03.png"
    code, out, err = striate("predict", finished.model, path)
    assert (code, err) == (0, "")
    header, row = out.splitlines()
    assert header == ",".join(COLUMNS)
    assert row.startswith(f"{path},light,light,0.")
    assert row.endswith(",")


def test_json_lines_to_the_terminal(striate: Striate, finished: RunFolder, two_classes: Path) -> None:
    paths = [two_classes / "light" / "03.png", two_classes / "dark" / "03.png"]
    code, out, _ = striate("predict", finished.model, *paths, "--format", "jsonl", "--top-k", 1)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [list(row) for row in rows] == [["path", "label", "class_1", "probability_1", "error"]] * 2
    assert [row["path"] for row in rows] == [str(path) for path in paths]


def test_the_format_goes_before_the_name(
    striate: Striate, finished: RunFolder, two_classes: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    path = two_classes / "dark" / "00.png"
    assert striate("predict", finished.model, path, "-o", output, "--format", "jsonl")[0] == 0
    assert json.loads(output.read_text())["path"] == str(path)


def test_several_labels_stand_in_one_column(
    striate: Striate, untrained: Callable[..., Model], two_classes: Path, tmp_path: Path
) -> None:
    model = untrained(("a", "b", "c"), several_labels=True)
    model.save(tmp_path / "model.safetensors")
    path = two_classes / "dark" / "00.png"
    words = ("--format", "jsonl", "--device", "cpu", "--precision", "float32")
    _, out, _ = striate("predict", tmp_path / "model.safetensors", path, *words)
    labels = model.predict(path).labels
    assert len(labels) > 1
    assert json.loads(out)["label"] == ";".join(labels)


def test_a_name_with_a_comma_is_quoted(
    striate: Striate, finished: RunFolder, two_classes: Path, tmp_path: Path
) -> None:
    path = tmp_path / 'a, "b".png'
    path.write_bytes((two_classes / "dark" / "00.png").read_bytes())
    _, out, _ = striate("predict", finished.model, path)
    (row,) = csv.DictReader(io.StringIO(out))
    assert row["path"] == str(path)


def refusal(outcome: tuple[int, str, str], code: int) -> str:
    """What a failure says in one line."""
    assert outcome[:2] == (code, "")
    assert outcome[2].count("\n") == 1
    return outcome[2].removeprefix("striate: ").removesuffix("\n")


def test_no_images(striate: Striate, finished: RunFolder, tmp_path: Path) -> None:
    expected = "IMAGES: expected images or folders to predict; got none."
    assert refusal(striate("predict", finished.model), 2) == expected
    (tmp_path / "empty").mkdir()
    expected = f"images: expected images in {tmp_path / 'empty'}; got none."
    assert refusal(striate("predict", finished.model, tmp_path / "empty"), 3) == expected


@pytest.mark.parametrize("name", ["out.txt", "out"])
def test_an_output_of_no_known_format(striate: Striate, finished: RunFolder, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    expected = f"`--output`: expected a name that ends in .csv, .jsonl, .parquet, .json; got {path}. Try --format."
    assert refusal(striate("predict", finished.model, "a.png", "-o", path), 2) == expected


def test_parquet_needs_a_file(striate: Striate, finished: RunFolder) -> None:
    found = refusal(striate("predict", finished.model, "a.png", "--format", "parquet"), 2)
    assert found.startswith("`--output`: expected a name that ends in ")


def test_an_output_in_a_folder_that_is_not_there(striate: Striate, finished: RunFolder, tmp_path: Path) -> None:
    path = tmp_path / "none" / "out.csv"
    expected = f"`--output`: expected a folder that exists; got {path.parent}."
    assert refusal(striate("predict", finished.model, "a.png", "-o", path), 2) == expected


def test_no_model(striate: Striate, tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    expected = f"{path}: expected a model file; got nothing there."
    assert refusal(striate("predict", path, "a.png"), 1) == expected


def test_an_output_that_fails_leaves_the_old_one(
    striate: Striate, finished: RunFolder, two_classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    output = tmp_path / "out.csv"
    output.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(csv.DictWriter, "writerow", fail)
        code, _, _ = striate("predict", finished.model, two_classes, "-o", output)
    assert code == 1
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]
