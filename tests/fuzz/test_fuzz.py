import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from tests.fuzz.mutate import of_bytes, of_json, of_model, of_text, spoil

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("change", [of_bytes, of_text, of_json, of_model])
def test_a_seed_decides_every_change(change: object) -> None:
    content = b'{"a": [1, 2, {"b": "c"}], "d": null}\nx,y\n'
    made = [change(content, Random(seed)) for seed in (1, 1, 2, 3, 4)]  # type: ignore[operator]
    assert made[0] == made[1]
    assert len(set(made)) > 2


def test_a_file_is_changed_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    changed = 0
    for seed in range(60):
        path.write_text('{"a": 1}')
        spoil(path, Random(seed))
        changed += not path.is_file() or path.read_text(errors="replace") != '{"a": 1}'
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
    assert changed > 50


@pytest.mark.slow
def test_a_case_of_every_kind_is_contained() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--seed", "1", "--cases", "14"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 14 14" in " ".join(done.stdout.split())
