from collections.abc import Callable
from pathlib import Path

import pytest
from reading import column, refusal

from striate.data import IndexedImages, check, read
from striate.data.layouts.sheet import BLOCK

SavePicture = Callable[..., Path]


def csv_file(folder: Path, *lines: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_csv_gives_paths_labels_and_splits(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "photos/1.png", size=(7, 3))
    path = csv_file(
        tmp_path,
        "split,label,path,note",
        "train,bee,photos/1.png,x",
        'valid,"ant, red",photos/2.png,',
        "TEST,,photos/3.png,",
        ", bee ,photos/4.png,",
    )
    index = read(path)
    assert index.classes == ("ant, red", "bee")
    assert index.paths() == [f"photos/{i}.png" for i in (1, 2, 3, 4)]
    assert column(index, "label") == [1, 0, -1, 1]
    assert column(index, "split") == ["train", "val", "test", None]
    assert not index.several_labels
    assert IndexedImages(index).open(0).size == (7, 3)


def test_a_csv_without_splits(tmp_path: Path) -> None:
    assert column(read(csv_file(tmp_path, "path,label", "1.png,ant")), "split") == [None]


def test_columns_and_root_of_a_csv_are_chosen(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "elsewhere/1.png", size=(9, 2))
    path = csv_file(tmp_path, "file,kind,label", "1.png,ant,7")
    index = read(path, path_column="file", label_column="kind", image_root=tmp_path / "elsewhere")
    assert (index.classes, index.paths(), index.root) == (("ant",), ["1.png"], tmp_path / "elsewhere")
    assert IndexedImages(index).open(0).size == (9, 2)


def test_several_labels_of_a_csv(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "path,label", "1.png,bee; ant", "2.png,cow", "3.png,", "4.png,;bee;")
    index = read(path, label_separator=";")
    assert index.several_labels
    assert index.classes == ("ant", "bee", "cow")
    assert column(index, "labels") == [[1, 0], [2], [], [1]]
    assert read(path).classes == (";bee;", "bee; ant", "cow")  # no separator is guessed


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(b"\xef\xbb\xbfpath,label\r\n1.png,ant\r\n")
    index = read(path)
    assert (index.paths(), index.classes) == (["1.png"], ("ant",))


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "path,lable,split")
    assert refusal(path) == (
        f"{path}: expected a column `label` (--label-column); got path, lable and split. Did you mean `lable`?"
    )
    path = csv_file(tmp_path, "x,y")
    assert refusal(path) == f"{path}: expected a column `path` (--path-column); got x and y. Try one of: x, y."
    path.write_bytes(b"")
    assert refusal(path) == f"{path}: expected a column `path` (--path-column); got none. The file is empty."


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        (["path,label,split", "1.png,ant,train", "2.png,ant,tset"], 3),
        (["path,label,split", "", "", "1.png,ant,tset"], 4),
        (["path,label,split", '1.png,"ant', 'red",train', "2.png,ant,tset"], 4),
    ],
    ids=["plain", "empty lines", "a name of two lines"],
)
def test_an_unknown_split_is_named_with_its_line(lines: list[str], number: int, tmp_path: Path) -> None:
    path = csv_file(tmp_path, *lines)
    assert refusal(path) == (
        f"{path}, line {number}: expected a split such as train, val or test in column `split`; got 'tset'."
    )


@pytest.mark.parametrize(
    "content",
    [b'path,label\n"1.png"x,ant\n', b'path,label\n"1.png,ant\n'],
    ids=["text after a quote", "a quote that is not closed"],
)
def test_what_is_no_csv_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: expected a table of text, such as CSV in UTF-8; ")


def test_a_row_that_is_short_has_no_label(tmp_path: Path) -> None:
    index = read(csv_file(tmp_path, "path,label,split", "1.png", ",ant"))
    assert column(index, "label") == [-1, 0]
    assert column(index, "reason") == [None, "no path is given"]


def test_a_path_that_leads_out_is_never_opened(tmp_path: Path, save_picture: SavePicture) -> None:
    outside = save_picture(tmp_path / "outside/1.png")
    save_picture(tmp_path / "data/1.png")
    (tmp_path / "data/link.png").symlink_to(outside)
    (tmp_path / "data/folder").symlink_to(outside.parent)
    (tmp_path / "data/many.parquet").symlink_to(outside.parent / "many.parquet")
    (tmp_path / "data/within.png").symlink_to(tmp_path / "data/1.png")
    leaving = [
        "../outside/1.png",
        "x/../../outside/1.png",
        str(outside),
        "link.png",
        "folder/1.png",
        "many.parquet#0",
        "a#1/../../outside/1.png",
    ]
    staying = ["1.png", "x/../1.png", "./1.png", "within.png", str(tmp_path / "data/1.png"), "none.png", "..png"]
    index = read(csv_file(tmp_path / "data", "path,label", *(f"{path},ant" for path in leaving + staying)))
    assert column(index, "reason") == ["its path leads out of the data's folder"] * len(leaving) + [None] * len(staying)
    assert index.paths()[: len(leaving)] == leaving
    assert index.paths()[len(leaving) :] == ["1.png"] * 3 + ["within.png", "1.png"] + staying[5:]


def test_a_path_that_cannot_be_followed_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    index, findings = check(read(csv_file(tmp_path, "path,label", "a\0b.png,ant", "loop/1.png,ant")))
    assert findings[0].reason.startswith("its path cannot be followed: ")
    assert index.usable().tolist() == [False, False]


def test_weights_of_a_csv(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "path,label,weight,often", "1.png,ant,2.5,1", "2.png,ant,,2", "3.png,ant, 4 ,")
    assert column(read(path), "weight") == [2.5, None, 4]
    assert column(read(path, weight_column="often"), "weight") == [1, 2, None]
    assert column(read(path, weight_column="none"), "weight") == [None] * 3


def test_a_weight_that_is_no_number_is_named_with_its_line(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "path,label,weight", "1.png,ant,1", "", "2.png,ant,much")
    assert refusal(path) == f"{path}, line 4: expected a number as weight; got 'much'."


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "path,label,split,size,note", "1.png,ant,,5,")
    assert read(path).notes[1:] == ("columns that are not read: size and note.",)
    assert read(csv_file(tmp_path, "path,label", "1.png,ant")).notes[1:] == ()


def test_a_csv_of_more_rows_than_are_read_at_a_time(tmp_path: Path) -> None:
    n = 2 * BLOCK + 3
    path = csv_file(tmp_path, "path,label,weight", *(f"{i}.png,class{i % 7},{i}" for i in range(n)))
    index = read(path)
    assert index.paths() == [f"{i}.png" for i in range(n)]
    assert column(index, "label") == [i % 7 for i in range(n)]
    assert column(index, "weight") == list(range(n))


def test_a_csv_of_no_rows(tmp_path: Path) -> None:
    for separator in ("", ";"):
        index = read(csv_file(tmp_path, "path,label"), label_separator=separator)
        assert (len(index), index.classes) == (0, ())
