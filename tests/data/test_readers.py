from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from striate.data import read
from striate.errors import DataError

SavePicture = Callable[..., Path]


def refusal(path: Path) -> str:
    """The error's text."""
    with pytest.raises(DataError) as caught:
        read(path)
    return str(caught.value)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nowhere"
    assert refusal(path) == f"data: expected a folder, CSV, JSON or Parquet file; got {path}, which does not exist."


def test_what_no_reader_knows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("a.png")
    assert refusal(path) == f"data: expected a folder, CSV, JSON or Parquet file; got {path}."


def test_a_path_may_start_at_home(tmp_path: Path, save_picture: SavePicture, monkeypatch: pytest.MonkeyPatch) -> None:
    save_picture(tmp_path / "photos/ant/1.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert read(Path("~/photos")).paths() == ["ant/1.png"]


def test_each_layout_has_its_reader(tmp_path: Path, save_picture: SavePicture) -> None:
    """Parquet and idx files go before class folders; a CSV is read only where it is named."""
    save_picture(tmp_path / "ant/1.png")
    (tmp_path / "labels.CSV").write_text("path,label\nant/1.png,red\n")
    assert read(tmp_path).classes == ("ant",)
    assert read(tmp_path / "labels.CSV").classes == ("red",)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + bytes([0, 0, 0, 1] * 3) + b"x")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + bytes([0, 0, 0, 1]) + b"\x02")
    assert read(tmp_path).classes == ("0", "1", "2")
    pq.write_table(pa.table({"image": [{"bytes": b"x"}], "label": ["blue"]}), tmp_path / "train.parquet")
    assert read(tmp_path).classes == ("blue",)
    assert read(tmp_path / "train.parquet").classes == ("blue",)


def test_annotations_of_several_kinds_are_refused(tmp_path: Path, save_picture: SavePicture) -> None:
    """Each kind would give another data set, and nobody would notice which was taken."""
    save_picture(tmp_path / "images/1.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/1.xml").write_text("<annotation><filename>1.png</filename></annotation>")
    assert read(tmp_path).paths() == ["images/1.png"]
    (tmp_path / "annotations/ant.csv").write_text("1.png,0,0,1,1,ant\n")
    assert refusal(tmp_path) == (
        f"data: expected annotations of one kind in {tmp_path}; got a CSV a class and Pascal VOC XML. "
        "Give the file that is meant, or move the others elsewhere."
    )
