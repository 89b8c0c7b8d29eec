"""A run that meets a fault and is resumed ends as one that does not, to the bit."""

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_harness import COMMON, CONFIGS, FAST, FAULTS, Fault, FaultError, Harness, Strike, can_mount

from striate.training import RunFolder


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    with Harness(tmp_path_factory.mktemp("faults")) as harness:
        yield harness


def cases() -> list[object]:
    """Each fault, the fast ones in every run of the tests."""
    marks = {True: (), False: (pytest.mark.slow,)}
    return [pytest.param(fault, id=fault.name, marks=marks[fault in FAST]) for fault in FAULTS]


@pytest.mark.parametrize("fault", cases())
def test_a_resumed_run_ends_with_the_bits_of_the_unbroken_one(harness: Harness, fault: Fault) -> None:
    if fault.small_disk and not can_mount():
        pytest.skip("a file system of its own needs the right to mount one")
    assert harness.meet(fault) == harness.unbroken(fault.config)


def test_there_are_thirty_faults_or_more_each_with_its_name() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30


def test_the_harness_sees_another_result(harness: Harness) -> None:
    assert len({harness.unbroken(config).weights for config in CONFIGS}) == len(CONFIGS)


def test_the_harness_sees_a_fault_that_is_not_met(harness: Harness) -> None:
    with pytest.raises(FaultError, match="never: expected the exit code -9; got 0"):
        harness.meet(Fault("never", ((Strike("kill", 1000),),)))


@pytest.mark.slow
def test_the_command_that_is_named_resumes_the_run(harness: Harness, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a run")
    words = ["train", harness.data, "--epochs", 500, *COMMON[2:], *CONFIGS["lenet5"], "-o", folder.path]
    code, said = stopped([str(word) for word in words], folder, "epoch 2/")
    assert code == 143
    assert said.splitlines()[-1] == f"striate: stopped by SIGTERM; go on with `{folder.resumed_by}`."
    code, said = stopped(shlex.split(folder.resumed_by)[1:], folder, "epoch 9/")
    assert code == 143
    assert "resumed from " in said


def stopped(words: list[str], folder: RunFolder, at: str) -> tuple[int, str]:
    """Exit code and standard error of a process that gets SIGTERM when it has logged this."""
    command = [sys.executable, "-m", "striate", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not (folder.log.exists() and at in folder.log.read_text()):
            time.sleep(0.01)
        process.terminate()
        _, said = process.communicate()
    return process.returncode, said
