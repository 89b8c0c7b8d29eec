"""Which source a run was computed by."""

import subprocess
from pathlib import Path


def commit() -> str | None:
    """The commit of striate's source, where it runs from a checkout that has git."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
        inside = subprocess.run(
            ["git", "ls-files", "--error-unmatch", Path(__file__).name], cwd=here, capture_output=True, check=False
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() if inside.returncode == 0 else None
