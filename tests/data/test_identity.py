import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from striate.data import Index, build, identity
from striate.data.identity import digests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "known"


@pytest.fixture
def index(tmp_path: Path) -> Index:
    root = tmp_path / "data"
    root.mkdir()
    for name, content in (("a", b"one"), ("b", b"two"), ("c", b"one"), ("many.parquet", b"many")):
        (root / name).write_bytes(content)
    return build(root, ["x"], ["a", "b", "c", "many.parquet#0", "many.parquet#1", "gone"])


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is a minute ahead, for which no file is too new."""
    now = time.time_ns
    monkeypatch.setattr("striate.data.identity.time.time_ns", lambda: now() + 60 * 10**9)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose bytes are read."""
    names: list[str] = []
    original = identity._digest

    def reads(path: Path) -> bytes | None:
        names.append(path.name)
        return original(path)

    monkeypatch.setattr(identity, "_digest", reads)
    return names


def of(index: Index, folder: Path) -> list[bytes | None]:
    return digests(index, np.arange(len(index)), folder, workers=2)


def test_equal_bytes_have_equal_digests_and_no_others(index: Index, folder: Path) -> None:
    a, b, c, first, second, gone = of(index, folder)
    assert a == c
    assert len({a, b, first, second}) == 4
    assert {len(digest) for digest in (a, b, first, second) if digest} == {16}
    assert gone is None


@pytest.mark.usefixtures("later")
def test_a_file_is_read_once(index: Index, folder: Path, read: list[str]) -> None:
    first = of(index, folder)
    assert sorted(read) == ["a", "b", "c", "many.parquet"]
    read.clear()
    assert of(index, folder) == first
    assert read == []


def test_a_file_that_is_too_new_is_read_again(index: Index, folder: Path, read: list[str]) -> None:
    assert of(index, folder) == of(index, folder)
    assert len(read) == 8


def test_a_file_that_was_too_new_when_it_was_read_is_not_trusted_later(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long all files take: right after it was read, it may have changed within the same tick."""
    now, read_bytes = [10**9], identity._digest

    def slowly(path: Path) -> bytes | None:
        now[0] += 10 * 10**9
        return read_bytes(path)

    monkeypatch.setattr("striate.data.identity.time.time_ns", lambda: now[0])
    monkeypatch.setattr(identity, "_stamp", lambda path: (3, 0, 0, 1) if Path(path).exists() else None)
    monkeypatch.setattr(identity, "_digest", slowly)
    first = of(index, folder)
    (index.root / "a").write_bytes(b"new")
    assert of(index, folder)[0] != first[0]


def test_a_file_that_changes_while_it_is_read_has_no_digest(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(range(100))
    monkeypatch.setattr(
        identity, "_stamp", lambda path: (3, next(times), 0, 1) if Path(path).name == "b" else (3, 0, 0, 1)
    )
    a, b, c, *_ = of(index, folder)
    assert b is None
    assert a == c is not None


def rewritten(path: Path) -> None:
    path.write_bytes(b"onf")


def rewritten_with_its_old_times(path: Path) -> None:
    status = path.stat()
    path.write_bytes(b"onf")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"onf")
    other.replace(path)


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("change", [rewritten, rewritten_with_its_old_times, replaced])
def test_a_changed_file_is_read_again(
    change: Callable[[Path], None], index: Index, folder: Path, read: list[str]
) -> None:
    first = of(index, folder)
    time.sleep(0.02)  # a kernel's clock may tick in hundredths of a second
    change(index.root / "a")
    read.clear()
    second = of(index, folder)
    assert read == ["a"]
    assert second[0] != first[0]
    assert second[1:] == first[1:]


@pytest.mark.usefixtures("later")
def test_other_data_does_not_make_known_files_forgotten(index: Index, folder: Path, read: list[str]) -> None:
    of(index, folder)
    digests(index, np.array([0, 5]), folder)
    (index.root / "gone").write_bytes(b"back")
    read.clear()
    assert of(index, folder)[5] is not None
    assert read == ["gone"]


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", None])
def test_a_broken_table_is_made_anew(content: bytes | None, index: Index, folder: Path, read: list[str]) -> None:
    first = of(index, folder)
    (table,) = folder.iterdir()
    table.write_bytes(table.read_bytes()[:-9] if content is None else content)
    read.clear()
    assert of(index, folder) == first
    assert len(read) == 4
    read.clear()
    assert of(index, folder) == first
    assert read == []


def test_a_folder_that_cannot_be_written_costs_time_and_nothing_else(index: Index, tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()
    assert of(index, blocked / "known") == of(index, tmp_path / "known")


def test_progress_counts_files(index: Index, folder: Path) -> None:
    done: list[int] = []
    digests(index, np.arange(len(index)), folder, advance=done.append)
    assert sum(done) == 5
