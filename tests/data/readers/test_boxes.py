import re
from pathlib import Path

import pytest

from striate.data import Index, read
from striate.errors import DataError

HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def column(index: Index, name: str) -> list[object]:
    values: list[object] = index.table[name].to_pylist()
    return values


def test_one_file_a_class(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "images/face/1.jpg": "",
            "images/ape/1.jpg": "",
            "annotations/face.csv": "1.jpg,1,2,3,4,face\n",
            "annotations/ape.csv": "1.jpg,5,6,7.5,8,ape\n",
        },
    )
    index = read(root)
    assert index.classes == ("ape", "face")
    assert index.paths() == ["images/ape/1.jpg", "images/face/1.jpg"]
    assert column(index, "label") == [0, 1]
    assert column(index, "box") == [[5, 6, 7.5, 8], [1, 2, 3, 4]]


def test_one_file_with_a_header_and_an_object_a_line(tmp_path: Path) -> None:
    lines = "1.jpg,9,9,cat,1,2,3,4\n2.jpg,9,9,dog,0,0,1,1\n1.jpg,9,9,dog,0,0,9,9\n"
    for place in ("labels.csv", "data/labels.csv", "images/labels.csv"):
        root = write(
            tmp_path / place.replace("/", "-"), {"images/1.jpg": "", "images/2.jpg": "", place: HEADER + lines}
        )
        index = read(root / place)
        assert [Path(path).name for path in index.paths()] == ["1.jpg", "2.jpg"]
        assert all((index.root / path).is_file() for path in index.paths())
        assert column(index, "labels") == [[0, 1], [1]]
        assert column(index, "label") == [1, 1]
        assert column(index, "boxes") == [[[1, 2, 3, 4], [0, 0, 9, 9]], [[0, 0, 1, 1]]]


def test_a_picture_outside_is_never_opened(tmp_path: Path) -> None:
    write(tmp_path, {"secret.jpg": "", "data/1.jpg": ""})
    write(tmp_path, {"data/labels.csv": HEADER + "1.jpg,9,9,cat,1,2,3,4\n../secret.jpg,9,9,cat,1,2,3,4\n"})
    index = read(tmp_path / "data/labels.csv")
    assert dict(zip(index.paths(), column(index, "reason"), strict=True)) == {
        "1.jpg": None,
        "../secret.jpg": "its path leads out of the data's folder",
    }


@pytest.mark.parametrize("line", ["1.jpg,1,2,3,4", "1.jpg,1,2,x,4,face", ",1,2,3,4,face", "1.jpg,1,2,3,4,"])
def test_another_line_is_named(line: str, tmp_path: Path) -> None:
    root = write(tmp_path, {"images/face/1.jpg": "", "annotations/face.csv": f"1.jpg,1,2,3,4,face\n{line}\n"})
    whole = line + "," * (5 - line.count(","))
    sentence = f"{root}/annotations/face.csv, line 2: expected a path, four numbers and a class; got {whole}."
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        read(root)


def test_images_that_are_not_there(tmp_path: Path) -> None:
    """They stay, for the check to name."""
    path = write(tmp_path, {"labels.csv": HEADER + "1.jpg,9,9,cat,1,2,3,4\n"}) / "labels.csv"
    assert read(path).paths() == ["1.jpg"]
