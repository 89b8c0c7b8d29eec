from pathlib import Path

import pytest

from striate.data.readers.kept import numbered, unpacked


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
    copy = unpacked(a, "kind", unpack)
    assert copy.read_bytes() == b"unpacked"
    assert copy.parent.name == "kind"
    assert unpacked(b, "kind", fail) == copy
    assert unpacked(c, "kind", unpack) != copy
    a.write_bytes(b"changed")
    assert unpacked(a, "kind", unpack) != copy


def test_a_copy_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a").write_bytes(b"packed")
    with pytest.raises(EOFError):
        unpacked(tmp_path / "a", "kind", fail)
    assert list((tmp_path / "cache/kind").iterdir()) == []
    assert unpacked(tmp_path / "a", "kind", unpack).read_bytes() == b"unpacked"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        unpacked(tmp_path / "none", "kind", unpack)


def test_numbered_paths() -> None:
    assert numbered("train.parquet", 3).to_pylist() == ["train.parquet#0", "train.parquet#1", "train.parquet#2"]
    assert numbered("train.parquet", 0).to_pylist() == []
