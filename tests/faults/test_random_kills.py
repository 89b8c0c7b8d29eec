"""Runs that are killed at a random moment and started again end as those that nobody killed."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kills.py"


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("scratch", "none", "labels", "boxes", "masks")]


@pytest.mark.parametrize("kind", ["all", "stage", *SLOW])
def test_a_killed_run_ends_as_the_one_that_nobody_killed(kind: str) -> None:
    done = subprocess.run([sys.executable, SCRIPT, "1", "1", kind], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("identical") == 1, done.stderr
