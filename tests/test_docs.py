"""Every Python block of every page runs, a page at a time; commands of three pages run in `make test-all`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [m["code"] for m in BLOCK.finditer(page.read_text(encoding="utf-8")) if m["language"] == language]


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in PAGES if blocks(page, "python")])
def test_python_blocks_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for number, code in enumerate(blocks(page, "python"), 1):
        exec(compile(code, f"{page.name}, block {number}", "exec"), namespace)
    assert len(namespace) > 1


def test_pages_hold_blocks_that_run() -> None:
    assert {
        "tutorial",
        "data",
        "augmentation",
        "training",
        "models",
        "networks",
        "inspect",
        "filters",
        "explain",
        "evaluate",
        "bench",
        "weights",
        "transfer",
        "plan",
        "errata",
    } <= {page.stem for page in PAGES if blocks(page, "python")}


@pytest.mark.slow
@pytest.mark.parametrize("page", ["tutorial", "inspect", "two-hundred-photos"])
def test_commands_run_in_order(page: str, tmp_path: Path) -> None:
    photos, weights = SHARED / "data" / "hymenoptera", SHARED / "weights"
    if page == "two-hundred-photos":
        if not (photos.exists() and weights.exists()):
            pytest.skip("needs the pictures and weights of ../shared")
        (tmp_path / "photos").symlink_to(photos)
    commands = [line for block in blocks(ROOT / "docs" / f"{page}.md", "bash") for line in block.splitlines()]
    assert len(commands) >= 5
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands:
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env=os.environ | {"PATH": path, "STRIATE_WEIGHTS": str(weights)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    written = {"tutorial": "threes.csv", "inspect": "cost.html", "two-hundred-photos": "answers.csv"}[page]
    assert (tmp_path / written).stat().st_size > 0
