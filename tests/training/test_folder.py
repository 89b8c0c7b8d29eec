import csv
import subprocess
import sys
from pathlib import Path

import pytest

from striate.errors import UsageError
from striate.recipe import Recipe, TrainingRecipe
from striate.training.folder import RunFolder


def test_folders_are_numbered_and_none_is_overwritten(tmp_path: Path) -> None:
    wanted = tmp_path / "a" / "run"
    made = []
    for number in range(3):
        folder = RunFolder.create(wanted)
        (folder.path / "kept.txt").write_text(str(number))
        made.append(folder.path)
    assert made == [wanted, tmp_path / "a" / "run-2", tmp_path / "a" / "run-3"]
    assert [(path / "kept.txt").read_text() for path in made] == ["0", "1", "2"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    assert RunFolder.create(tmp_path).path == tmp_path


def test_a_file_of_that_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    assert RunFolder.create(tmp_path / "run").path == tmp_path / "run-2"
    assert (tmp_path / "run").read_text() == "a file"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        RunFolder.create(tmp_path / "file" / "run")
    expected = f"output {tmp_path / 'file' / 'run'}: cannot be made: Not a directory. Try another --output."
    assert str(caught.value) == expected


def test_a_run_that_stopped_before_its_images_were_checked(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").touch()
    with pytest.raises(UsageError, match=r"^resume: expected a run that had checked its images; got .*, which stopped"):
        RunFolder.find(tmp_path)


@pytest.mark.parametrize("present", [[], ["index.parquet"]])
def test_what_is_no_run_folder(tmp_path: Path, present: list[str]) -> None:
    for name in present:
        (tmp_path / name).touch()
    with pytest.raises(UsageError) as caught:
        RunFolder.find(tmp_path)
    expected = f"resume: expected the folder of a run, with recipe.toml and index.parquet; got {tmp_path}."
    assert str(caught.value) == expected


def test_the_recipe_is_kept(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    recipe = Recipe(training=TrainingRecipe(lr=1 / 3, seed=2**62 + 1))
    folder.write_recipe(recipe)
    assert folder.read_recipe() == recipe


def test_metrics_have_a_header_and_a_row_an_epoch(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 1 / 3}]
    folder.write_metrics(rows[:1])
    folder.write_metrics(rows)
    with folder.metrics.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [{"epoch": int(row["epoch"]), "loss": float(row["loss"])} for row in found] == rows


def test_the_files_are_those_that_the_docstring_lists(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    listed = {line.split()[0].rstrip("/") for line in (RunFolder.__doc__ or "").splitlines() if "  " in line.strip()}
    assert {path.name for name, path in vars(folder).items() if name != "path" and isinstance(path, Path)} == listed


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.checkpoint.mkdir()
    kept = [folder.model, folder.metrics, folder.checkpoint / "step-000000003.safetensors", folder.path / ".notes"]
    left = [folder.path / ".model.safetensors.123", folder.checkpoint / ".step-000000004.safetensors.123"]
    for path in (*kept, *left):
        path.touch()
    folder.tidy()
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in left)


def test_the_command_that_resumes_can_be_pasted() -> None:
    assert RunFolder(Path("runs/a b")).resumed_by == "striate train --resume 'runs/a b'"


def test_a_run_is_one_process_at_a_time(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    for _ in range(2):
        with folder.held(), pytest.raises(UsageError) as caught, RunFolder(folder.path).held():
            pass
        expected = (
            f"{folder.path}: expected a run that no other process trains; got one that a process is at. "
            "Try again when that has ended, or another --output."
        )
        assert str(caught.value) == expected


def test_a_process_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    code = "import sys, time; from pathlib import Path; from striate.training import RunFolder\n"
    code += "with RunFolder(Path(sys.argv[1])).held(): print('held', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code, folder.path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UsageError), folder.held():
            pass
        holder.kill()
    with folder.held():
        pass
