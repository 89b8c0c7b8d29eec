from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from striate.data import read
from striate.data.columns import values_of
from striate.errors import DataError

WritePictures = Callable[[Path, Mapping[str, int]], Path]


def test_columns_of_the_table_that_the_labels_come_from(save_picture: Callable[..., Path], tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_picture(tmp_path / "images" / f"{name}.png")
    file = tmp_path / "data.csv"
    file.write_text("file,label,camera,day\nimages/a.png,x,left,1\nimages/b.png,y,,2\n")
    index = read(file, path_column="file")
    assert values_of(index, ["day", "camera"], file, "file") == [["1", "2"], ["left", ""]]


def test_a_table_beside_class_folders_in_another_order(write_pictures: WritePictures, tmp_path: Path) -> None:
    index = read(write_pictures(tmp_path / "data", {"dark": 2, "light": 1}))
    table = tmp_path / "elsewhere.csv"
    table.write_text("path,camera\nlight/00.png,c\ndark/01.png,b\n")
    assert index.paths() == ["dark/00.png", "dark/01.png", "light/00.png"]
    assert values_of(index, ["camera"], table) == [[None, "b", "c"]]


def test_columns_of_parquet(save_picture: Callable[..., Path], tmp_path: Path) -> None:
    content = save_picture(tmp_path / "a.png").read_bytes()
    (tmp_path / "data").mkdir()
    for split, years in (("train", [2001, None]), ("test", [2002])):
        images = [{"bytes": content, "path": None}] * len(years)
        table = pa.table({"image": images, "label": ["x"] * len(years), "year": years})
        pq.write_table(table, tmp_path / "data" / f"{split}-00000.parquet")
    index = read(tmp_path / "data")
    by_path = dict(zip(index.paths(), *values_of(index, ["year"]), strict=True))
    assert by_path == {"train-00000.parquet#0": "2001", "train-00000.parquet#1": None, "test-00000.parquet#0": "2002"}


def test_what_is_not_there(write_pictures: WritePictures, tmp_path: Path) -> None:
    index = read(write_pictures(tmp_path / "data", {"dark": 1}))
    with pytest.raises(DataError, match=r"expected a table that holds camera; got data without one. Try --table"):
        values_of(index, ["camera"])
    table = tmp_path / "table.csv"
    table.write_text("path,camera\nlight/07.png,c\n")
    with pytest.raises(DataError, match=r"expected a column `camara`; got path and camera. Did you mean `camera`"):
        values_of(index, ["camara"], table)
    with pytest.raises(DataError, match=r"expected paths of the images in .*; got none of them"):
        values_of(index, ["camera"], table)
