"""Where what can be made or fetched again is kept, also for a user who has no home."""

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

from striate.errors import UsageError


def home_folder() -> Path:
    """The user's home.

    Where neither HOME nor the system's list of users names one, as of a container's user who is a number alone, it is
    an empty folder that this process removes at its end.
    """
    try:
        return Path.home()
    except RuntimeError:
        return _folder_of_process()


def user_cache() -> Path:
    """Where programs keep what can be made again: XDG_CACHE_HOME, else `.cache` in the user's home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or home_folder() / ".cache")


def cache_folder(kind: str, *, lasting: bool = False) -> Path:
    """Where one kind of thing is kept, a folder a kind: under STRIATE_CACHE, else in the user's cache.

    Where that cannot be written, as in a home that is read-only, one process keeps what it makes until its end, unless
    it is to be `lasting`.

    Raises:
        UsageError: if several processes are to share it, and there is no home.
    """
    if named := os.environ.get("STRIATE_CACHE"):
        return Path(named) / kind
    cache = user_cache() / "striate"
    there = next(folder for folder in (cache / kind, *(cache / kind).absolute().parents) if folder.exists())
    shared = os.environ.get("WORLD_SIZE", "1") != "1"  # between processes
    if shared and ends_with_process(cache):
        raise UsageError("cache: expected a home folder, for all processes; got none. Try STRIATE_CACHE=FOLDER.")
    return (cache if lasting or shared or os.access(there, os.W_OK | os.X_OK) else _folder_of_process()) / kind


def ends_with_process(folder: Path) -> bool:
    """Whether what is kept in a folder is removed at the end of this process."""
    return _folder_of_process.cache_info().currsize > 0 and folder.is_relative_to(_folder_of_process())


@functools.cache
def _folder_of_process() -> Path:
    folder = tempfile.mkdtemp(prefix="striate-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
