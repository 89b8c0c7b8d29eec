from collections.abc import Callable
from pathlib import Path

import pytest
from reading import column, refusal

from striate.data import IndexedImages, read

SavePicture = Callable[..., Path]


def test_a_csv_beside_the_images(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "deep/1.png", size=(7, 3))
    path = tmp_path / "metadata.csv"
    path.write_text("file_name,label,caption\ndeep/1.png,bee,a bee\n2.png,ant,\n")
    for given in (tmp_path, path):
        index = read(given)
        assert index.classes == ("ant", "bee")
        assert index.paths() == ["deep/1.png", "2.png"]
        assert column(index, "label") == [1, 0]
        assert index.notes[1:] == ("columns that are not read: caption.",)
        assert IndexedImages(index).open(0).size == (7, 3)


def test_json_lines_beside_the_images(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text(
        '{"file_name": "1.png", "kind": "bee", "weight": 2.5, "split": "valid"}\n'
        '{"file_name": "2.png", "kind": 7, "objects": {"bbox": []}}\n'
        '{"file_name": "3.png", "kind": null}\n{"kind": "bee"}\n'
    )
    index = read(tmp_path, label_column="kind")
    assert index.classes == ("7", "bee")
    assert column(index, "label") == [1, 0, -1, 1]
    assert column(index, "weight") == [2.5, None, None, None]
    assert column(index, "split") == ["val", None, None, None]
    assert column(index, "reason") == [None, None, None, "no path is given"]
    assert index.notes[1:] == ("columns that are not read: objects.",)


def test_a_table_in_each_split_folder(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "train/1.png", size=(7, 3))
    save_picture(tmp_path / "2.png")
    for folder, lines in (("train", "1.png,bee"), ("validation", "1.png,ant\n../2.png,ant")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "metadata.csv").write_text(f"file_name,label,size\n{lines}\n")
    index = read(tmp_path)
    assert index.classes == ("ant", "bee")
    assert index.paths() == ["train/1.png", "validation/1.png", "2.png"]
    assert column(index, "label") == [1, 0, 0]
    assert column(index, "split") == ["train", "val", "val"]
    assert column(index, "reason") == [None, None, None]
    assert index.notes[1:] == ("columns that are not read: size.",)
    assert IndexedImages(index).open(0).size == (7, 3)


def test_json_lines_with_objects(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text(
        '{"file_name": "1.png", "objects": {"bbox": [[1, 2, 3, 1], [0, 0, 4, 4.5]], "categories": ["bee", "ant"]}}\n'
        '{"file_name": "2.png", "objects": {"bbox": [], "categories": [], "area": []}, "split": "test", "weight": 2}\n'
        '{"file_name": "../3.png", "objects": null, "size": 3}\n{"file_name": "4.png"}\n'
    )
    index = read(tmp_path, label_separator=";")
    assert (index.classes, index.several_labels) == (("ant", "bee"), False)
    assert index.paths() == ["../3.png", "1.png", "2.png", "4.png"]
    assert column(index, "boxes") == [[], [[1, 2, 4, 3], [0, 0, 4, 4.5]], [], []]
    assert column(index, "labels") == [[], [1, 0], [], []]
    assert column(index, "box") == [None, [0, 0, 4, 4.5], None, None]
    assert column(index, "label") == [-1, 0, -1, -1]
    assert column(index, "split") == [None, None, "test", None]
    assert column(index, "weight") == [None, None, 2, None]
    assert column(index, "reason") == ["its path leads out of the data's folder", None, None, None]
    assert index.notes[1:] == ("columns that are not read: size.", "images without objects: 3.")


def test_objects_in_each_split_folder(tmp_path: Path) -> None:
    for folder, category in (("train", '"bee"'), ("test", "7")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "metadata.jsonl").write_text(
            f'{{"file_name": "1.png", "objects": {{"bbox": [[0, 0, 1, 1]], "categories": [{category}]}}}}'
        )
    index = read(tmp_path)
    assert index.classes == ("7", "bee")
    rows = zip(index.paths(), column(index, "split"), column(index, "labels"), column(index, "label"), strict=True)
    assert list(rows) == [("test/1.png", "test", [0], 0), ("train/1.png", "train", [1], 1)]


@pytest.mark.parametrize(
    ("objects", "sentence"),
    [
        ("5", "expected lists bbox and categories as `objects`; Expected `object`, got `int`."),
        (
            '{"bbox": [[1, 2]], "categories": [1]}',
            "expected lists bbox and categories as `objects`; Expected `array` of length 4 - at `$.bbox[0]`.",
        ),
        ('{"bbox": [[1, 2, 3, 4]], "categories": []}', "expected a category for each bbox in `objects`; got 0 for 1."),
    ],
)
def test_objects_that_cannot_be_used(objects: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "metadata.jsonl"
    path.write_text(f'{{"file_name": "1.png", "objects": {objects}}}')
    assert refusal(path) == f"{path}, line 1: {sentence}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            '{"file_name": "1.png", "lable": 1}',
            "expected a column `label` (--label-column); got file_name and lable. Did you mean `lable`?",
        ),
        ("", "expected a column `path` (--path-column); got none. The file is empty."),
        ('{"file_name": "1.png", "label": [[1]]}', "expected a text or number a line as `label`; got [[1]]."),
    ],
)
def test_json_lines_that_cannot_be_used(content: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "metadata.jsonl"
    path.write_text(content)
    assert refusal(path) == f"{path}: {sentence}"


@pytest.mark.parametrize("content", [b"[1]", b'{"a"', b'"\xff"'])
def test_what_are_no_json_lines_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "metadata.jsonl"
    path.write_bytes(content)
    assert refusal(tmp_path).startswith(f"{path}: expected a JSON object a line; ")


def test_an_unknown_split_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "metadata.jsonl"
    path.write_text('{"file_name": "1", "label": 1}\n{"file_name": "2", "label": 1, "split": "tset"}\n')
    assert (
        refusal(path) == f"{path}, line 2: expected a split such as train, val or test in column `split`; got 'tset'."
    )
