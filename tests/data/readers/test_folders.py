import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from reading import column, refusal

from striate.data import IndexedImages, UnreadableError, read
from striate.data.readers.folders import image_files

SavePicture = Callable[..., Path]


def test_class_folders_are_classes(tmp_path: Path, save_picture: SavePicture) -> None:
    for name in ("bee/2.png", "ant/1.jpg", "bee/1.bmp", "cow/1.gif"):
        save_picture(tmp_path / name)
    index = read(tmp_path)
    assert index.classes == ("ant", "bee", "cow")
    assert index.paths() == ["ant/1.jpg", "bee/1.bmp", "bee/2.png", "cow/1.gif"]
    assert column(index, "label") == [0, 1, 1, 2]
    assert column(index, "split") == [None] * 4
    assert index.usable().all()
    assert index.root == tmp_path
    assert [IndexedImages(index).open(row).size for row in range(4)] == [(6, 5)] * 4


def test_every_split_folder_is_known(tmp_path: Path, save_picture: SavePicture) -> None:
    folders = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
    for folder in folders:
        save_picture(tmp_path / folder / "ant/1.png")
    index = read(tmp_path)
    assert dict(zip(index.paths(), column(index, "split"), strict=True)) == {
        f"{folder}/ant/1.png": split for folder, split in folders.items()
    }


def test_split_folders_may_begin_with_a_capital(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "Train/ant/1.png")
    save_picture(tmp_path / "TEST/ant/1.png")
    index = read(tmp_path)
    assert dict(zip(index.paths(), column(index, "split"), strict=True)) == {
        "Train/ant/1.png": "train",
        "TEST/ant/1.png": "test",
    }


def test_classes_of_splits_are_matched_by_name(tmp_path: Path, save_picture: SavePicture) -> None:
    for name in ("train/bee/1.png", "train/cow/1.png", "val/ant/1.png", "val/cow/1.png"):
        save_picture(tmp_path / name)
    index = read(tmp_path)
    assert index.classes == ("ant", "bee", "cow")
    assert index.counts("train") == {"ant": 0, "bee": 1, "cow": 1}
    assert index.counts("val") == {"ant": 1, "bee": 0, "cow": 1}


def test_other_folders_beside_split_folders_are_no_classes(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "train/ant/1.png")
    save_picture(tmp_path / "extras/1.png")
    assert read(tmp_path).paths() == ["train/ant/1.png"]


def test_images_may_lie_deeper(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "train/ant/red/fire/1.png")
    save_picture(tmp_path / "train/ant/2.png")
    index = read(tmp_path)
    assert index.paths() == ["train/ant/2.png", "train/ant/red/fire/1.png"]
    assert index.classes == ("ant",)


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path, save_picture: SavePicture) -> None:
    for name in (".thumbnails/1.png", "ant/.1.png", "ant/.cache/1.png", "ant/1.png"):
        save_picture(tmp_path / name)
    (tmp_path / "ant/.DS_Store").write_bytes(b"x")
    assert read(tmp_path).paths() == ["ant/1.png"]


def test_files_that_are_no_images_stay_with_a_reason(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "ant/1.PNG")
    (tmp_path / "ant/notes.txt").write_text("x")
    (tmp_path / "ant/Thumbs").write_text("x")
    index = read(tmp_path)
    assert dict(zip(index.paths(), column(index, "reason"), strict=True)) == {
        "ant/1.PNG": None,
        "ant/Thumbs": "not an image by its name (no suffix)",
        "ant/notes.txt": "not an image by its name (.txt)",
    }


def test_what_is_outside_the_class_folders_is_named(tmp_path: Path, save_picture: SavePicture) -> None:
    for name in ("train/ant/1.png", "extras/1.png", "1.png", ".hidden/1.png"):
        save_picture(tmp_path / name)
    assert read(tmp_path).notes[1:] == (
        "left out: 1 hidden or left by a system (.hidden).",
        "not read, because outside the class folders: 1.png and extras/.",
    )
    for i in range(5):
        (tmp_path / f"notes{i}.txt").write_text("x")
    assert read(tmp_path).notes[2:] == (
        "not read, because outside the class folders: 1.png, extras/, notes0.txt, notes1.txt, notes2.txt and 2 more.",
    )
    assert read(tmp_path / "train").notes[1:] == ()


def test_a_class_that_is_called_as_a_folder_of_images_is_refused(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "images/1.png")
    (tmp_path / "labels.csv").touch()
    assert refusal(tmp_path) == (
        f"data: expected images with labels in {tmp_path}; got 1 image and no labels. It may be class folders, but a "
        "class would be called images: --layout folders reads it so."
    )
    assert read(tmp_path, layout="folders").classes == ("images",)


def test_each_class_folder_is_listed_once(
    tmp_path: Path, save_picture: SavePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million files are listed in a minute or two of a slow disk: once is enough."""
    for name in ("train/ant/1.png", "train/ant/red/1.png", "val/bee/1.png"):
        save_picture(tmp_path / name)
    listed: Counter[str] = Counter()
    scandir = os.scandir

    def counted(path: str | Path) -> object:
        listed[Path(path).relative_to(tmp_path).as_posix()] += 1
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    index = read(tmp_path)
    assert index.paths() == ["train/ant/1.png", "train/ant/red/1.png", "val/bee/1.png"]
    assert [listed[name] for name in ("train/ant", "train/ant/red", "val/bee")] == [1, 1, 1]


def test_names_that_are_not_utf_8_are_read(tmp_path: Path, save_picture: SavePicture) -> None:
    """A byte that is not is written as the replacement character and two digits."""
    save_picture(tmp_path / "ant/1.png")
    try:
        (tmp_path / "b\udcffe").mkdir()
        save_picture(tmp_path / "b\udcffe/caf\udce9.png")
    except OSError:
        pytest.skip("the file system has no such names")
    index = read(tmp_path)
    assert index.paths() == ["ant/1.png", "b\ufffdffe/caf\ufffde9.png"]
    assert index.classes == ("ant", "b\ufffdffe")
    assert IndexedImages(index).open(1).size == (6, 5)


def test_a_folder_without_classes_is_refused(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "1.png")
    advice = "Put the images of each class into a folder of its own, or give a CSV of path and label; see docs/data.md."
    assert refusal(tmp_path) == (
        f"data: expected images with labels in {tmp_path}; got 1 image and no labels. {advice}"
    )
    (tmp_path / "1.png").unlink()
    (tmp_path / "ant").mkdir()
    (tmp_path / "ant/notes.txt").write_text("x")
    assert refusal(tmp_path) == (
        f"data: expected images with labels in {tmp_path}; got no image and no labels. {advice}"
    )


def test_a_link_that_leads_in_a_circle_is_named(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "ant/1.png")
    (tmp_path / "ant/deeper").mkdir()
    link = tmp_path / "ant/deeper/again"
    link.symlink_to(tmp_path / "ant")
    assert refusal(tmp_path) == f"{link}: expected no link to a folder that it lies in. Remove the link."


@pytest.mark.parametrize("place", ["run", "runs/classify/data-resnet18", "ant/run"])
@pytest.mark.parametrize("beside", ["index.parquet", "check.csv", "log.txt"])
def test_a_run_in_the_data_is_left_out(tmp_path: Path, save_picture: SavePicture, place: str, beside: str) -> None:
    for name in ("ant/1.png", "bee/1.png"):
        save_picture(tmp_path / name)
    before = read(tmp_path)
    run = tmp_path / place
    save_picture(run / "members/1/why.png")
    for name in ("recipe.toml", beside):
        (run / name).write_text("x")
    after = read(tmp_path)
    assert (after.classes, after.paths()) == (before.classes, before.paths())
    assert after.notes == (*before.notes, f"left out, what trainings have left here: {place}.")


def test_a_folder_with_a_recipe_alone_is_no_run(tmp_path: Path, save_picture: SavePicture) -> None:
    for name in ("ant/1.png", "bee/1.png"):
        save_picture(tmp_path / name)
    (tmp_path / "bee/recipe.toml").write_text("x")
    assert read(tmp_path).classes == ("ant", "bee")


def test_a_link_to_itself_is_a_file_that_cannot_be_read(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "ant/1.png")
    (tmp_path / "ant/2.png").symlink_to(tmp_path / "ant/2.png")
    index = read(tmp_path)
    assert index.paths() == ["ant/1.png", "ant/2.png"]
    with pytest.raises(UnreadableError, match="symbolic links"):
        IndexedImages(index).open(1)


def test_image_files_are_those_below_a_folder_in_order(tmp_path: Path, save_picture: SavePicture) -> None:
    for name in ("b/2.png", "b/10.JPG", "a.webp", ".hidden/1.png"):
        save_picture(tmp_path / name)
    (tmp_path / "b/notes.txt").write_text("x")
    assert image_files(tmp_path) == [tmp_path / name for name in ("a.webp", "b/10.JPG", "b/2.png")]
