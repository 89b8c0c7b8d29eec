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
    assert refusal(path) == f"data: expected a list of images with their labels, one a line; got {path}, which is none."
    path = path.rename(tmp_path / "labels.xlsx")
    assert refusal(path) == (
        "data: expected a folder, a table (CSV), JSON, XML, Parquet or idx file, an .npz, or a zip or tar archive; got "
        f"{path}. Spreadsheets are not read: save them as CSV."
    )


def test_a_path_may_start_at_home(tmp_path: Path, save_picture: SavePicture, monkeypatch: pytest.MonkeyPatch) -> None:
    save_picture(tmp_path / "photos/ant/1.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert read(Path("~/photos")).paths() == ["ant/1.png"]


def test_each_layout_has_its_reader(tmp_path: Path, save_picture: SavePicture) -> None:
    """What says different things stops, until the layout or the file is named."""
    save_picture(tmp_path / "ant/1.png")
    save_picture(tmp_path / "bee/1.png")
    assert read(tmp_path).classes == ("ant", "bee")
    (tmp_path / "labels.CSV").write_text("path,label\nant/1.png,red\nbee/1.png,red\n")
    assert refusal(tmp_path) == (
        f"data: expected one meaning of {tmp_path}; got 2 that differ: class folders (--layout folders) or labels in "
        "labels.CSV, paths `path`, labels `label` (--layout table). Say which with --layout."
    )
    assert read(tmp_path, layout="folders").classes == ("ant", "bee")
    for given in (read(tmp_path, layout="table"), read(tmp_path / "labels.CSV")):
        assert given.classes == ("red",)
    (tmp_path / "labels.CSV").unlink()
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + bytes([0, 0, 0, 1] * 3) + b"x")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + bytes([0, 0, 0, 1]) + b"\x02")
    assert read(tmp_path, layout="idx").classes == read(tmp_path / "train-images-idx3-ubyte").classes == ("0", "1", "2")
    pq.write_table(pa.table({"image": [{"bytes": b"x"}], "label": ["blue"]}), tmp_path / "train.parquet")
    assert read(tmp_path, layout="parquet").classes == read(tmp_path / "train.parquet").classes == ("blue",)
    assert "got 3 that differ" in refusal(tmp_path)


def test_annotations_of_several_kinds_are_refused(tmp_path: Path, save_picture: SavePicture) -> None:
    """Each kind would give another data set, and nobody would notice which was taken."""
    save_picture(tmp_path / "images/1.png")
    (tmp_path / "annotations").mkdir()
    box = "<bndbox><xmin>0</xmin><ymin>0</ymin><xmax>1</xmax><ymax>1</ymax></bndbox>"
    (tmp_path / "annotations/1.xml").write_text(
        f"<annotation><filename>1.png</filename><object><name>bee</name>{box}</object></annotation>"
    )
    assert read(tmp_path).paths() == ["images/1.png"]
    (tmp_path / "annotations/ant.csv").write_text("1.png,0,0,1,1,ant\n")
    assert refusal(tmp_path) == (
        f"data: expected one meaning of {tmp_path}; got 2 that differ: Pascal VOC objects in annotations/1.xml "
        "(--layout voc) or boxes in ant.csv (no header), paths `column 1`, labels `column 6` (--layout boxes). Say "
        "which with --layout."
    )
    (tmp_path / "annotations/ant.csv").write_text("1.png,0,0,1,1,bee\n")
    assert read(tmp_path).notes[1].startswith("what says the same is not read: ")
