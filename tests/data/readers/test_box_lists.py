"""Text files of the boxes of many images that are broken."""

from pathlib import Path

import pytest
from kin.make import photos, write

from striate.data import read
from striate.data.formats import records_of
from striate.errors import DataError


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.jpg 1,2,9,8,0\n1.jpg 1,2,9\n", "line 2: expected an image and boxes as x,y,x,y,class"),
        ("0.jpg 1,2,9,8,0\n1,2,9,8,1\n", "line 2: expected an image and boxes"),
        ("0.jpg\n2\n1 2 8 6\n1.jpg\n", "line 4: expected 1 more boxes"),
    ],
)
def test_a_broken_line_is_told(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "boxes.txt").write_text(text)
    with pytest.raises(DataError, match=told):
        records_of(tmp_path / "boxes.txt", "wider" if "," not in text else "keras-yolo")


def test_numbers_without_end_are_no_boxes(tmp_path: Path) -> None:
    files = photos("", 0, 2) | {"boxes.txt": "0.jpg " + "9" * 5000 + ",2,9,8,0\n0.jpg\n1\n" + "9" * 5000 + " 1 1 1\n"}
    with pytest.raises(DataError, match="got 2 images and no labels"):
        read(write(tmp_path, files))
