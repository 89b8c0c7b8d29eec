"""Files that appear whole or not at all, and where those lie that can be made again."""

import os
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` make a file beside `path`, brings it to the disk, and only then gives it the name.

    Whatever stood at `path` stays there until then, also if the machine stops in between.

    Args:
        path: of the file, in a folder that exists.
        write: called with the path to write to.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.touch()
        mode = aside.stat().st_mode  # what this process's umask gives a file
        aside.unlink()
        write(aside)
        aside.chmod(mode)  # some libraries make files that their owner alone may read
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
        _sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def cache_folder(kind: str) -> Path:
    """Where what can be made or fetched again is kept, a folder a kind: under STRIATE_CACHE, else the user's cache."""
    named = os.environ.get("STRIATE_CACHE")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "striate"
    return (Path(named) if named else cache) / kind
