import os
from collections.abc import Callable
from pathlib import Path

import pytest

from striate.files import cache_folder, write_whole


def test_a_new_file_has_what_was_written_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, lambda aside: aside.write_text("new"))
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    seen = []

    def write(aside: Path) -> None:
        aside.write_text("new")
        seen.append((aside.parent, path.read_text()))

    with path.open() as reader:
        write_whole(path, write)
        assert reader.read() == "old"  # who has the old file open goes on reading it
    assert seen == [(tmp_path, "old")]  # in the same folder, so that renaming is atomic
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write(aside: Path) -> None:
        aside.write_text("half of the n")
        raise error

    with pytest.raises(error):
        write_whole(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_where_nothing_stood_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "a.txt", lambda aside: None)  # it wrote nothing
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "a.txt", lambda aside: aside.write_text("new"))


def test_the_content_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    events: list[str] = []

    def recorded(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            events.append(name)
            return function(*arguments)

        return call

    monkeypatch.setattr(os, "fsync", recorded("sync", os.fsync))
    monkeypatch.setattr(Path, "replace", recorded("rename", Path.replace))
    write_whole(path, lambda aside: aside.write_text("new"))
    assert events[:2] == ["sync", "rename"]
    assert events[2:] == (["sync"] if os.name == "posix" else [])  # of the folder that holds the name


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


def test_a_file_may_be_read_by_whom_any_other_file_may(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "a.txt"
    other.touch()

    write_whole(path, lambda aside: aside.touch(0o600))
    assert path.stat().st_mode == other.stat().st_mode
