import os
import subprocess
import sys
from pathlib import Path

import pytest

from striate.caches import cache_folder, ends_with_process, home_folder, user_cache
from striate.errors import UsageError


@pytest.fixture
def without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a container's user who is a number alone."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("STRIATE_CACHE", "XDG_CACHE_HOME", "STRIATE_WEIGHTS", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", home)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"STRIATE_CACHE": "here"}, "here/pixels"),
        ({"XDG_CACHE_HOME": "there"}, "there/striate/pixels"),
        ({"HOME": "home"}, "home/.cache/striate/pixels"),
    ],
)
def test_the_folder_of_a_cache(environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STRIATE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_folder("pixels") == Path(folder)


def test_a_cache_that_cannot_be_written_ends_with_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRIATE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home/cache"))
    own = tmp_path / "home/cache/striate/features"
    assert cache_folder("features") == own
    monkeypatch.setattr("striate.caches.os.access", lambda path, mode: Path(path) != tmp_path)
    other = cache_folder("features")
    assert other == cache_folder("features") != own
    assert other.parent.is_dir()
    assert cache_folder("features", lasting=True) == own
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert cache_folder("features") == own


@pytest.mark.usefixtures("without_home")
def test_without_a_home_what_is_kept_ends_with_the_process() -> None:
    for lasting in (False, True):
        folder = cache_folder("features", lasting=lasting)
        assert folder == user_cache() / "striate" / "features"
        assert ends_with_process(folder)
    assert home_folder().is_dir()
    assert not ends_with_process(Path("/"))


@pytest.mark.usefixtures("without_home")
def test_without_a_home_a_cache_that_is_named_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("features") == tmp_path / "striate" / "features"
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path))
    assert cache_folder("features") == tmp_path / "features"


@pytest.mark.usefixtures("without_home")
def test_several_processes_without_a_home_cannot_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError) as caught:
        cache_folder("features")
    assert str(caught.value) == (
        "cache: expected a home folder, for all processes; got none. Try STRIATE_CACHE=FOLDER."
    )


@pytest.mark.skipif(not hasattr(os, "setuid") or os.geteuid() != 0, reason="only root may become another user")
def test_a_user_who_is_a_number_alone() -> None:
    script = (
        "import os; from striate.caches import home_folder; os.setgid(54321); os.setuid(54321); "
        "folder = home_folder(); assert folder.is_dir(); print(folder)"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "TMPDIR")}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)
    assert ran.stderr == ""
    assert not Path(ran.stdout.strip()).exists()  # it ended with the process
