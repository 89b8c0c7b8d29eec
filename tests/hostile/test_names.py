"""Names that a terminal would obey, that are not UTF-8, or that markup would swallow: shown, read and written."""

import csv
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from kin.make import image
from rich.table import Table

from striate.cli.app import main
from striate.console import Page, say
from striate.data.paths import to_name
from striate.model import load
from striate.report.html import render

Saved = Path
EVIL = "a\x1b[31mred\x1b]0;t\x07", "b\n\r\u2028\u202e", "[bold]c :smile: =1+1"
ODD = "caf\udce9\x1b[2J"  # a byte that is not UTF-8


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders, of which every name is odd, also that of the folder that holds them."""
    root = tmp_path_factory.mktemp("names") / ODD
    for place, name in enumerate(EVIL):
        (root / name).mkdir(parents=True)
        for number in range(4):
            (root / name / f"{ODD}{number}.jpg").write_bytes(image("JPEG", 4 * place + number))
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))


def run(*words: object) -> object:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code


def require_fit(capfd: pytest.CaptureFixture[str]) -> None:
    shown = capfd.readouterr()
    assert all(line.isprintable() for line in (shown.out + shown.err).split("\n"))


def test_a_check_of_odd_names_writes_what_it_is_asked_for(
    odd: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("check", odd, "--html", tmp_path / "page.html", "--fix", tmp_path / f"{ODD}.parquet") == 0
    assert run("check", tmp_path / f"{ODD}.parquet") == 0
    require_fit(capfd)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(line.isprintable() for line in page.split("\n"))


def test_arrays_and_archives_of_odd_names_are_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / f"{ODD}.npz").open("wb") as file:
        np.savez(file, x=np.zeros((4, 8, 8), np.uint8), y=np.array([0, 1] * 2))
    run("check", tmp_path / f"{ODD}.npz")
    assert "4 images, 4 usable" in capfd.readouterr().out


@pytest.mark.slow
def test_a_run_in_an_odd_folder_is_trained_evaluated_explained_and_reported(
    odd: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / f"run{ODD}"
    quick = ["--model", "lenet5", "--weights", "none", "--epochs", "1", "--batch-size", "4", "--device", "cpu"]
    assert run("train", odd, "--output", place, "--workers", "1", *quick) == 0
    assert run("train", "--resume", place) == 0
    model = place / "model.safetensors"
    assert load(model).classes == tuple(sorted(EVIL))
    assert run("evaluate", model, odd, "--split", "all", "--output", tmp_path / f"e{ODD}") == 0
    assert run("compare", model, model, odd, "--split", "all") == 0
    assert run("explain", model, odd / EVIL[0], "--output", tmp_path / "maps") == 0
    assert run("inspect", model) == 0
    assert run("report", place) == 0
    require_fit(capfd)
    for suffix in ("csv", "jsonl", "parquet"):
        assert run("predict", model, odd, "--output", tmp_path / f"{ODD}.{suffix}", "--draw", tmp_path / "drawn") == 0
    with (tmp_path / f"{ODD}.csv").open(encoding="utf-8", newline="") as file:
        rows = {"csv": list(csv.DictReader(file))}
    rows["jsonl"] = [json.loads(line) for line in (tmp_path / f"{ODD}.jsonl").read_bytes().splitlines()]
    with (tmp_path / f"{ODD}.parquet").open("rb") as packed:
        rows["parquet"] = pq.read_table(packed).to_pylist()
    images = sorted(str(path) for path in odd.rglob("*.jpg"))
    for found in rows.values():
        assert sorted(to_name(row["path"]) for row in found) == images
        assert {row["class_1"] for row in found} <= set(EVIL)
    assert len(list((tmp_path / "drawn").iterdir())) == len(images)


def test_what_is_printed_is_fit_for_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    table = Table("class")
    table.add_row("\x1b[2Jcell")
    page = Page(markup=False)
    page.print(table)
    page.print("\x1b]0;t\x07line\nnext")
    say("\x1b[31msaid\nnext")
    shown = capfd.readouterr().out
    assert all(line.isprintable() for line in shown.split("\n"))
    assert all(part in shown for part in ("\\x1b[2Jcell", "\\x1b]0;t\\x07line\nnext", "\\x1b[31msaid\nnext"))


def test_a_warning_of_a_library_is_fit_for_a_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    run("check", os.devnull)
    assert warnings.formatwarning(UserWarning("\x1b[2J"), UserWarning, "file.py", 3) == "UserWarning: \\x1b[2J\n"
    capfd.readouterr()


def test_a_page_can_neither_hide_letters_nor_turn_their_order() -> None:
    html = render(
        "check_page.html", title="\x1b\u202e<b>", passed=True, images="1", usable="1", notes=["\u202enote"],
        severities=[], classes={"splits": [], "rows": [], "more": 0}, sections=[],
    )  # fmt: skip
    assert "\\x1b\\u202e&lt;b&gt;" in html
    assert "\u202e" not in html
