"""striate report, and the report that every training ends with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pages import require_good

from striate import api
from striate.errors import DataError
from striate.recipe import Recipe
from striate.training import RunFolder

Striate = Callable[..., tuple[int, str, str]]
MakeRecipe = Callable[..., Recipe]
PLAIN = ("--device", "cpu", "--precision", "float32", "-j", "1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, two_classes: Path, tiny_recipe: MakeRecipe, silent: Any) -> RunFolder:
    return api.train(two_classes, tiny_recipe(), output=tmp_path_factory.mktemp("runs") / "run", reporter=silent)


def test_every_training_ends_with_a_page_and_a_card(run: RunFolder) -> None:
    shown = require_good(run.report.read_text(encoding="utf-8"))
    assert "Verdict" in shown.words
    assert run.card.read_text(encoding="utf-8").startswith('---\nlibrary_name: "striate"\n')
    assert run.log.read_text(encoding="utf-8").splitlines()[-1].endswith(f"report: {run.report}")


def test_both_are_written_again(striate: Striate, run: RunFolder) -> None:
    before = run.report.read_bytes()
    run.report.unlink()
    run.card.unlink()
    assert striate("report", run.path, *PLAIN) == (0, f"wrote {run.report}\nwrote {run.card}\n", "")
    assert len(run.report.read_bytes()) == pytest.approx(len(before), rel=0.05)
    assert run.card.exists()


def test_the_model_of_a_run_is_reported_as_the_run(striate: Striate, run: RunFolder, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert striate("report", run.model, "--output", path, *PLAIN) == (0, f"wrote {path}\n", "")
    assert "learning" in [values["id"] for values in require_good(path.read_text(encoding="utf-8")).all("section")]


def test_other_images_are_scored_beside_no_run(
    striate: Striate, run: RunFolder, two_classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run.report.read_bytes()
    monkeypatch.chdir(tmp_path)
    code, out, _ = striate("report", run.model, two_classes, "--split", "all", "--card", "card.md", *PLAIN)
    assert (code, out) == (0, "wrote report.html\nwrote card.md\n")
    shown = require_good(Path("report.html").read_text(encoding="utf-8"))
    assert "24 images of all" in shown.words
    assert "scored on images that it learned from" in shown.words  # they are the run's own
    assert run.report.read_bytes() == before


def test_what_cannot_be_meant(striate: Striate, run: RunFolder, tmp_path: Path) -> None:
    code, _, err = striate("report", tmp_path)
    assert code == 2
    assert "RUN_OR_MODEL: expected the folder of a run that has a model, or a model file" in err
    (tmp_path / "m.safetensors").write_bytes(run.model.read_bytes())
    code, _, err = striate("report", tmp_path / "m.safetensors")
    assert code == 2
    assert "RUN_OR_MODEL: expected a run folder, or a model with DATA to score it on; got " in err
    code, _, err = striate("report", tmp_path / "nowhere")
    assert code == 2
    assert err.endswith("nowhere alone, which does not exist.\n")
    code, _, err = striate("report", run.path, "--output", tmp_path / "no" / "page.html")
    assert code == 2
    assert "`--output`: expected a file in a folder that exists" in err


def test_a_training_is_whole_without_a_report(
    two_classes: Path, tiny_recipe: MakeRecipe, tmp_path: Path, silent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = api.train(two_classes, tiny_recipe(), output=tmp_path / "quiet", reporter=silent, report=False)
    assert not quiet.report.exists()

    def fail(*args: object, **kwargs: object) -> None:
        raise DataError("the disk is full.")

    monkeypatch.setattr("striate.report.write.write_report", fail)
    run = api.train(two_classes, tiny_recipe(), output=tmp_path / "run", reporter=silent)
    assert run.model.exists()
    last = run.log.read_text(encoding="utf-8").splitlines()[-1]
    assert last.endswith(
        f"report: cannot be written: the disk is full. The model is whole; try `striate report {run.path}`."
    )
    again = api.resume(run.path, reporter=silent, report=False)
    assert again.model.read_bytes() == run.model.read_bytes()


def test_of_several_processes_the_first_alone_writes(
    run: RunFolder, silent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.report.unlink()
    for name, value in (("RANK", 1), ("WORLD_SIZE", 2), ("LOCAL_RANK", 1), ("LOCAL_WORLD_SIZE", 2)):
        monkeypatch.setenv(name, str(value))
    api._report(run, silent)
    assert not run.report.exists()
    monkeypatch.setenv("RANK", "0")
    api._report(run, silent)
    assert run.report.exists()
