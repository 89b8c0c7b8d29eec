from pathlib import Path

import pytest

from striate.data.readers.cached_copy import cached_copy, numbered


def unpack(to: Path) -> None:
    to.write_bytes(b"unpacked")


def fail(to: Path) -> None:
    to.write_bytes(b"half")
    raise EOFError


def test_a_copy_is_made_once_for_the_same_bytes(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    a.write_bytes(b"same")
    b.write_bytes(b"same")
    c.write_bytes(b"other")
    copy = cached_copy(a, "kind", unpack)
    assert copy.read_bytes() == b"unpacked"
    assert copy.parent.name == "kind"
    assert cached_copy(b, "kind", fail) == copy
    assert cached_copy(c, "kind", unpack) != copy
    a.write_bytes(b"changed")
    assert cached_copy(a, "kind", unpack) != copy


def test_a_copy_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a").write_bytes(b"packed")
    with pytest.raises(EOFError):
        cached_copy(tmp_path / "a", "kind", fail)
    assert list((tmp_path / "cache/kind").iterdir()) == []
    assert cached_copy(tmp_path / "a", "kind", unpack).read_bytes() == b"unpacked"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        cached_copy(tmp_path / "none", "kind", unpack)


def test_numbered_paths() -> None:
    assert numbered("train.parquet", 3).to_pylist() == ["train.parquet#0", "train.parquet#1", "train.parquet#2"]
    assert numbered("train.parquet", 0).to_pylist() == []
