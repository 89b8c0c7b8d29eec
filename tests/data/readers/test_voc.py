from pathlib import Path

import pytest

from striate.data import Index, read
from striate.data.readers import voc
from striate.errors import DataError


def annotation(filename: str, *objects: tuple[str, str]) -> str:
    """An XML file; each object is a class and "xmin ymin xmax ymax"."""
    parts = [f"<annotation><filename>{filename}</filename><size><width>9</width><height>9</height></size>"]
    for name, box in objects:
        corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(voc.CORNERS, box.split(), strict=False))
        parts.append(f"<object><name>{name}</name><bndbox>{corners}</bndbox></object>")
    return "".join([*parts, "</annotation>"])


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def column(index: Index, name: str) -> list[object]:
    values: list[object] = index.table[name].to_pylist()
    return values


def test_objects_of_each_image(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "images/a.jpg": "",
            "images/b.jpg": "",
            "images/c.jpg": "",
            "annotations/a.xml": annotation("a.jpg", ("cat", "1 2 3 4"), ("ant", "0 0 10.5 9"), ("cat", "5 5 6 6")),
            "annotations/b.xml": annotation("b.jpg"),
            "readme.txt": "",
        },
    )
    index = read(root)
    assert index.classes == ("ant", "cat")
    assert index.paths() == ["images/a.jpg", "images/b.jpg", "images/c.jpg"]
    assert column(index, "label") == [0, -1, -1]
    assert column(index, "box") == [[0, 0, 10.5, 9], None, None]
    assert column(index, "labels") == [[1, 0, 1], [], []]
    assert column(index, "boxes") == [[[1, 2, 3, 4], [0, 0, 10.5, 9], [5, 5, 6, 6]], [], []]
    assert index.notes[1:] == ("images without objects: 2.",)


def test_the_development_kits_folders(tmp_path: Path) -> None:
    files = {f"JPEGImages/{name}.jpg": "" for name in "abc"}
    files |= {f"Annotations/{name}.xml": annotation(f"{name}.jpg", ("dog", "1 1 2 2")) for name in "abc"}
    lists = {
        "ImageSets/Main/train.txt": "a\n",
        "ImageSets/Main/val.txt": "b\n",
        "ImageSets/Main/dog_train.txt": "a  1\n",
        "SegmentationClass/b.png": "",
    }
    index = read(write(tmp_path, files | lists))
    assert column(index, "split") == ["train", "val", None]
    assert column(index, "mask") == [None, "SegmentationClass/b.png", None]
    assert index.mask_classes[:2] == ("background", "aeroplane")
    assert len(index.mask_classes) == 21
    assert index.mask_values[20] == 20


def test_annotations_may_lie_beside_their_images(tmp_path: Path) -> None:
    root = write(tmp_path, {"a.jpg": "", "a.xml": annotation("other-name.jpg", ("cat", "1 1 2 2"))})
    assert column(read(root), "box") == [[1, 1, 2, 2]]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "images/a.jpg": "",
            "annotations/a.xml": annotation(
                "a.jpg", ("cat", "1 2 3"), ("", "1 2 3 4"), ("cat", "1 2 x 4"), ("cat", "1 2 3 4")
            ),
            "annotations/z.xml": annotation("z.jpg", ("cat", "1 2 3 4")),
        },
    )
    index = read(root)
    assert column(index, "boxes") == [[[1, 2, 3, 4]]]
    assert index.notes[1:] == (
        "left out, annotations of an image that is not there: 1.",
        "left out, objects without a class or a box of four numbers: 3.",
    )


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd.jpg", "link.jpg"])
def test_a_picture_outside_is_never_named(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"secret.jpg": "", "data/images/a.jpg": "", "data/annotations/a.xml": annotation("a.jpg")})
    (tmp_path / "data/images/link.jpg").symlink_to(tmp_path / "secret.jpg")
    write(tmp_path, {"data/annotations/x.xml": annotation(name, ("cat", "1 2 3 4"))})
    index = read(tmp_path / "data")
    assert [path for path in index.paths() if path != "images/link.jpg"] == ["images/a.jpg"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<!DOCTYPE x [<!ENTITY y 'z'>]><annotation/>", "expected plain XML in UTF-8; got one that declares entities"),
        ("<annotation>", "expected an annotation in XML; "),
        ("<html/>", "expected an annotation of Pascal VOC; got <html>."),
        ("", "expected an annotation in XML; "),
    ],
)
def test_a_bad_annotation_is_its_images_reason(content: str, reason: str, tmp_path: Path) -> None:
    good = {"images/c.jpg": "", "annotations/c.xml": annotation("c.jpg", ("cat", "1 2 3 4"))}
    index = read(write(tmp_path / "data", {"images/a.jpg": "", "annotations/a.xml": content} | good))
    assert index.usable().tolist() == [False, True]
    assert reason in str(column(index, "reason")[0])
    lone = write(tmp_path / "lone", {"images/b.jpg": "", "annotations/a.xml": content} | good)
    with pytest.raises(DataError, match=r"a\.xml: expected"):
        read(lone)


def test_annotations_of_no_picture_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path, {"images/readme.txt": "", "annotations/z.xml": annotation("z.jpg", ("cat", "1 2 3 4"))})
    with pytest.raises(DataError, match=r"expected annotations of the images in .*; got none that names one"):
        read(root)


def test_class_folders_with_a_stray_annotation_stay_class_folders(tmp_path: Path) -> None:
    root = write(tmp_path, {"ant/1.jpg": "", "ant/1.xml": annotation("1.jpg"), "bee/2.jpg": ""})
    assert read(root).classes == ("ant", "bee")
