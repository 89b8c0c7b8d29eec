import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from reading import column, refusal

from striate.data import IndexedImages, UnreadableError, read
from striate.data.index_file import save_index
from striate.data.masks import load_mask

SavePicture = Callable[..., Path]
CATEGORIES = ((7, "bee"), (2, "cow"), (90, "ant"))


def coco_file(
    path: Path,
    images: dict[int, str],
    annotations: Sequence[dict[str, object]] = (),
    categories: Sequence[tuple[int, str]] = CATEGORIES,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "info": {"year": 2017},
        "images": [{"id": number, "file_name": name, "width": 6, "height": 5} for number, name in images.items()],
        "annotations": [{"id": i} | each for i, each in enumerate(annotations)],
        "categories": [{"id": number, "name": name} for number, name in categories],
    }
    path.write_text(json.dumps(content))
    return path


def annotation(image: int, category: int, bbox: Sequence[float] = (1, 1, 2, 2), **others: object) -> dict[str, object]:
    return {"image_id": image, "category_id": category, "bbox": list(bbox)} | others


def test_objects_have_corners_and_categories_their_names(tmp_path: Path, save_picture: SavePicture) -> None:
    for name in ("1.png", "2.png", "3.png"):
        save_picture(tmp_path / "images" / name)
    objects = [annotation(9, 7, (1, 2, 3, 1)), annotation(4, 2, (0, 0, 1.5, 1)), annotation(9, 90, (0, 0, 4, 4))]
    coco_file(tmp_path / "annotations/instances.json", {4: "1.png", 9: "2.png", 5: "3.png"}, objects)
    index = read(tmp_path)
    assert index.classes == ("cow", "bee", "ant")  # by the numbers of the categories
    assert index.paths() == ["images/1.png", "images/2.png", "images/3.png"]
    assert column(index, "boxes") == [[[0, 0, 1.5, 1]], [[1, 2, 4, 3], [0, 0, 4, 4]], []]
    assert column(index, "labels") == [[0], [1, 2], []]
    assert column(index, "label") == [0, 2, -1]
    assert column(index, "box") == [[0, 0, 1.5, 1], [0, 0, 4, 4], None]
    assert column(index, "mask") == [None] * 3
    assert (index.mask_classes, index.notes[1:], index.several_labels) == ((), (), False)
    assert IndexedImages(index).open(2).size == (6, 5)


def test_boxes_are_kept_as_they_are_given(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "1.png")
    coco_file(tmp_path / "all.json", {1: "1.png"}, [annotation(1, 2, (-3, 9, 0, 900))])
    assert column(read(tmp_path), "boxes") == [[[-3, 9, -3, 909]]]


def test_outlines_are_masks(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "images/1.png")
    save_picture(tmp_path / "images/2.png")
    outline = [[1, 1, 3, 1, 3, 3, 1, 3]]
    crowd = annotation(1, 2, segmentation={"size": [5, 6], "counts": [0, 5, 25]}, iscrowd=1)
    objects = [annotation(1, 7, segmentation=outline), annotation(1, 2, (0, 0, 1, 1), segmentation=outline), crowd]
    coco_file(tmp_path / "annotations/a.json", {1: "1.png", 2: "2.png"}, objects[:1] + objects[2:])
    index = read(tmp_path)
    assert index.classes == ("bee",)
    assert index.mask_classes == ("background", "bee")
    assert column(index, "mask") == ["annotations/a.json#1", "annotations/a.json#2"]
    expected = np.zeros((5, 6), int)
    expected[:, 0] = 255
    expected[1:3, 1:3] = 1
    assert load_mask(index, 0).tolist() == expected.tolist()
    assert not load_mask(index, 1).any()
    assert index.notes[1:] == (
        "left out, crowds, which a mask ignores: 1.",
        "categories without an object are no classes: cow and ant.",
    )
    save_index(index, tmp_path / "index.parquet")
    assert load_mask(read(tmp_path / "index.parquet"), 0).tolist() == expected.tolist()


def test_what_cannot_be_used_is_counted(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "1.png")
    objects = [annotation(8, 7), annotation(1, 3), annotation(1, 7, (1, 2)), annotation(1, 7, ()), annotation(1, 7)]
    index = read(coco_file(tmp_path / "a.json", {1: "1.png"}, objects, CATEGORIES[:1]))
    assert column(index, "labels") == [[0]]
    assert index.notes[1:] == (
        "left out, objects of an image that the file does not list: 1.",
        "left out, objects of a category that the file does not declare: 1.",
        "left out, objects without a box of four numbers: 2.",
    )


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("annotations/instances_val2017.json", "val2017"),
        ("annotations/instances_val2017.json", "images/val2017"),
        ("annotations/instances_val2017.json", "images"),
        ("valid/_annotations.coco.json", "valid"),
        ("coco.json", "images"),
        ("coco.json", "photos/deep"),
        ("coco.json", ""),
    ],
)
def test_images_are_found_where_they_usually_lie(
    file: str, folder: str, tmp_path: Path, save_picture: SavePicture
) -> None:
    save_picture(tmp_path / folder / "1.png")
    path = coco_file(tmp_path / file, {1: "1.png"}, [annotation(1, 7)])
    expected = [str(Path(folder, "1.png"))]
    index = read(tmp_path)
    assert index.paths() == expected
    assert column(index, "split") == ["val" if "val" in file else None]
    alone = read(path)
    assert IndexedImages(alone).open(0).size == (6, 5)
    assert column(alone, "split") == [None]  # the file that is named is all the data


def test_of_two_folders_the_one_that_the_file_is_named_after(tmp_path: Path, save_picture: SavePicture) -> None:
    for split in ("train2017", "val2017"):
        save_picture(tmp_path / split / "1.png")
        coco_file(tmp_path / f"annotations/instances_{split}.json", {1: "1.png"}, [annotation(1, 7)])
    coco_file(tmp_path / "annotations/person_keypoints_val2017.json", {1: "1.png"}, [annotation(1, 7)])
    index = read(tmp_path)
    assert index.paths() == ["train2017/1.png", "val2017/1.png"]
    assert column(index, "split") == ["train", "val"]


def test_the_folder_of_images_may_be_given(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "elsewhere/1.png")
    objects = [annotation(1, 7, segmentation=[[0, 0, 6, 0, 6, 5, 0, 5]])]
    path = coco_file(tmp_path / "data/a.json", {1: "1.png"}, objects)
    index = read(path, image_root=tmp_path / "elsewhere")
    assert (index.paths(), index.root) == (["1.png"], tmp_path / "elsewhere")
    assert (load_mask(index, 0) == 1).all()


def test_images_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = coco_file(tmp_path / "a.json", {1: "1.png"})
    assert refusal(path) == (f"{path}: expected its images beside it or in a folder of {tmp_path}; got no 1.png.")


def test_a_path_that_leads_out_has_that_reason(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "data/1.png")
    outside = save_picture(tmp_path / "2.png")
    (tmp_path / "data/link.png").symlink_to(outside)
    names = {1: "1.png", 2: "../2.png", 3: str(outside), 4: "link.png"}
    index = read(coco_file(tmp_path / "data/a.json", names))
    assert column(index, "reason") == [None] + ["its path leads out of the data's folder"] * 3


def test_names_that_no_file_can_have_stay_rows(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "images/1.png")
    index = read(coco_file(tmp_path / "a.json", {1: "1.png", 2: "x" * 5000, 3: "\0.png"}))
    assert column(index, "reason") == [None, None, "its path cannot be followed: embedded null byte"]
    with pytest.raises(UnreadableError):
        IndexedImages(index).open(1)


@pytest.mark.parametrize(("classes", "has_mask"), [(254, True), (255, False)])
def test_a_mask_has_room_for_254_classes(
    classes: int, has_mask: bool, tmp_path: Path, save_picture: SavePicture
) -> None:
    save_picture(tmp_path / "1.png")
    categories = [(i, f"class {i}") for i in range(classes)]
    objects = [annotation(1, i, segmentation=[[0, 0, 6, 0, 6, 5, 0, 5]]) for i in range(classes)]
    index = read(coco_file(tmp_path / "a.json", {1: "1.png"}, objects, categories))
    assert column(index, "mask") == (["a.json#1"] if has_mask else [None])
    assert len(index.mask_classes) == (255 if has_mask else 0)
    if has_mask:
        assert (load_mask(index, 0) == 254).all()  # of objects of one size, the last is in front
        assert index.notes[1:] == ()
    else:
        assert index.notes[1:] == ("outlines are left out: a mask has room for 254 classes, and there are 255.",)


def test_files_that_contradict_each_other_are_refused(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "1.png")
    coco_file(tmp_path / "a.json", {1: "1.png"})
    coco_file(tmp_path / "b.json", {1: "1.png"})
    assert refusal(tmp_path) == (
        "data: expected each image once in all COCO files; got 1.png more than once. Give the one file that is meant."
    )


def test_categories_of_several_files_are_matched_by_name(tmp_path: Path, save_picture: SavePicture) -> None:
    for name in ("1.png", "2.png"):
        save_picture(tmp_path / name)
    coco_file(tmp_path / "a.json", {1: "1.png"}, [annotation(1, 7)])
    coco_file(tmp_path / "b.json", {1: "2.png"}, [annotation(1, 7)], categories=[(1, "wasp"), (7, "ant"), (9, "bee")])
    assert read(tmp_path / "a.json").classes == ("bee",)
    index = read(tmp_path)
    assert index.classes == ("bee", "ant")
    assert column(index, "label") == [0, 1]


def test_other_json_files_are_no_coco_files(tmp_path: Path, save_picture: SavePicture) -> None:
    save_picture(tmp_path / "ant/1.png")
    save_picture(tmp_path / "bee/1.png")
    (tmp_path / "settings.json").write_text('{"size": 5}')
    assert read(tmp_path).classes == ("ant", "bee")
    assert refusal(tmp_path / "settings.json").endswith(
        f"got {tmp_path}/settings.json, which names no image that is here."
    )
