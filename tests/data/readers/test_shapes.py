"""Where the boxes and outlines of annotation tools lie, turned, with holes, and a frame each."""

from pathlib import Path

import numpy as np
import pytest
from kin import KIN, write
from kin.make import Files, photos
from kin.shapes import cvat
from reading import column

from striate.data import Index, load_mask, read


def read_kin(name: str, folder: Path) -> Index:
    """The index of a data set of `kin`."""
    return read(write(folder, KIN[name][0]()))


@pytest.mark.parametrize(
    ("name", "box"), [("cvat_turned", [10, 0, 14, 16]), ("label_studio_turned", [4, 4, 12, 10]), ("mot", [1, 2, 9, 8])]
)
def test_the_upright_box_around_one_that_is_turned(name: str, box: list[float], tmp_path: Path) -> None:
    """CVAT turns about the centre, Label Studio about the first corner: 6 x 8 pixels become 8 x 6 to the left of it."""
    for (found,) in filter(None, column(read_kin(name, tmp_path), "boxes")):
        assert found == pytest.approx(box)


def test_a_hole_is_background(tmp_path: Path) -> None:
    mask = load_mask(read_kin("supervisely_holes", tmp_path), 0)
    assert np.count_nonzero(mask) == 19 * 13 - 7 * 5
    assert not mask[5:10, 5:12].any()


def test_an_ellipse_of_cvat_is_drawn(tmp_path: Path) -> None:
    index = read(write(tmp_path, cvat('<ellipse label="ants" cx="12" cy="8" rx="8" ry="4" rotation="90"/>')))
    assert column(index, "boxes")[0][0] == pytest.approx([8, 0, 16, 16])
    assert np.count_nonzero(load_mask(index, 0)) == pytest.approx(np.pi * 8 * 4, rel=0.1)


def test_an_image_with_a_bitmap_has_boxes_and_no_mask(tmp_path: Path) -> None:
    """A mask of its polygons alone would call the bitmap's pixels background."""
    polygon, bitmap = (
        '<polygon label="bees" points="1,1;9,1;9,9"/>',
        '<mask label="ants" left="1" top="2" width="2" height="3"/>',
    )
    files = cvat(polygon)
    text = str(files["annotations.xml"])
    files["annotations.xml"] = text.replace(polygon, polygon + bitmap, 2)
    index = read(write(tmp_path, files))
    assert [mask is None for mask in column(index, "mask")] == [True, True, False, False]
    assert [len(boxes) for boxes in column(index, "boxes")] == [2, 2, 1, 1]


def test_classes_of_mot_are_those_of_a_list_beside(tmp_path: Path) -> None:
    """CVAT's export counts names and frames from 1; MOT15 has ten numbers and no class."""
    lines = "1,1,1,2,8,6,1,2,1\n3,1,1,2,8,6,1,1,1\n"
    files: Files = {"a/gt/gt.txt": lines, "a/gt/labels.txt": "ants\nbees\n", "b/gt/gt.txt": "2,1,1,2,8,6,1,-1,-1,-1\n"}
    index = read(write(tmp_path, files | photos("a/img1", 1, 4) | photos("b/img1", 1, 4, ".png")))
    labels = [index.classes[label] if label >= 0 else None for label in column(index, "label")]
    assert labels == ["bees", None, "ants", None, "object", None]
