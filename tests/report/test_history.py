"""What a run folder tells of how a model came to be, and tables in it that hold anything else."""

import math
import os
import shutil
from pathlib import Path

import pytest

from striate.data.index_file import load_index
from striate.errors import DataError
from striate.model import Model, load
from striate.report.history import History, history
from striate.training import RunFolder

METRICS = "epoch,train_loss\n1,0.5\n2,\n"
CHECK = "path,used,reason,kind\na.png,no,it is no image,unreadable\n"


@pytest.fixture
def folder(tmp_path: Path, finished: RunFolder) -> RunFolder:
    shutil.copytree(finished.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def told(folder: RunFolder) -> History:
    model: Model = load(folder.model)
    return history(model, folder, load_index(folder.index, image_root=folder.path))


def test_the_tables_of_a_run_are_read(folder: RunFolder) -> None:
    folder.metrics.write_text(METRICS)
    folder.check.write_text(CHECK)
    found = told(folder)
    assert [row["epoch"] for row in found.epochs] == [1, 2]
    assert found.epochs[0]["train_loss"] == 0.5
    assert math.isnan(found.epochs[1]["train_loss"])
    assert found.findings == (("unreadable", 1, False),)


def test_a_run_without_tables_has_no_history_of_them(folder: RunFolder) -> None:
    folder.metrics.unlink()
    folder.check.unlink()
    found = told(folder)
    assert not found.epochs
    assert not found.findings


def refusal(folder: RunFolder, table: Path, content: str) -> str:
    """What is said of a run folder whose table has such content."""
    table.write_text(content)
    with pytest.raises(DataError) as refused:
        told(folder)
    assert len(str(refused.value)) <= 500
    return str(refused.value)


NO_METRICS = {
    "words": (METRICS.replace("0.5", "half"), "could not convert string to float: 'half'"),
    "words of a terminal": (METRICS.replace("0.5", "\x1b[2J"), r"'\x1b[2J'"),
    "a line that is too short": (METRICS + "3\n", "its lines have different numbers of values"),
    "a line that is too long": (METRICS + "3,4,5\n", "its lines have different numbers of values"),
    "no epochs": (METRICS.replace("epoch", "time"), "it has no column `epoch`"),
    "nothing": ("", "it has no column `epoch`"),
    "a number without end": (METRICS.replace("0.5", "9" * 200_000), "field larger than field limit"),
    "a quote without end": (METRICS.replace("0.5", '"0.5'), "unexpected end of data"),
}


@pytest.mark.parametrize(("content", "sentence"), NO_METRICS.values(), ids=NO_METRICS)
def test_metrics_that_are_no_numbers_of_a_run(folder: RunFolder, content: str, sentence: str) -> None:
    said = refusal(folder, folder.metrics, content)
    assert f"{folder.metrics}: expected the numbers of a run; " in said
    assert sentence in said


NO_CHECK = {
    "no column of what is used": (CHECK.replace("used", "use"), "expected the findings of a run; it has no column"),
    "another word for used": (CHECK.replace(",no,", ",maybe,"), "expected yes or no in the column `used`; got maybe."),
    "a line that is too short": (CHECK + "b.png\n", "its lines have different numbers of values"),
    "a reason without end": (CHECK.replace("it is", "x" * 200_000), "field larger than field limit"),
}


@pytest.mark.parametrize(("content", "sentence"), NO_CHECK.values(), ids=NO_CHECK)
def test_findings_that_are_none_of_a_run(folder: RunFolder, content: str, sentence: str) -> None:
    said = refusal(folder, folder.check, content)
    assert f"{folder.check}: expected " in said
    assert sentence in said


def test_tables_that_are_no_text(folder: RunFolder) -> None:
    for table in (folder.metrics, folder.check):
        kept = table.read_bytes()
        table.write_bytes(b"\xff\xfe\xfd")
        with pytest.raises(DataError, match="of a run; 'utf-8' codec"):
            told(folder)
        table.write_bytes(kept)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_tables_and_a_log_that_are_pipes_hold_nobody(folder: RunFolder) -> None:
    for table in (folder.metrics, folder.check):
        kept = table.read_bytes()
        table.unlink()
        os.mkfifo(table)
        with pytest.raises(DataError, match="of a run; expected a regular file; got a named pipe"):
            told(folder)
        table.unlink()
        table.write_bytes(kept)
    folder.log.unlink(missing_ok=True)
    os.mkfifo(folder.log)
    assert told(folder).planned == ""
