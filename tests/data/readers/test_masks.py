"""Which mask belongs to which image, and what its values mean."""

from pathlib import Path

import numpy as np
from kin import KIN, write
from kin.mask_files import beside, drawn, encoded
from reading import column

from striate.data import load_mask, read

GREY = "name,r,g,b\nsky,0,0,0\nroad,128,128,128\ncar,176,112,32\n"


def test_masks_of_classes_go_before_those_of_objects(tmp_path: Path) -> None:
    make, _ = KIN["voc_with_masks_of_classes_and_of_objects"]
    assert column(read(write(tmp_path, make())), "mask") == [f"SegmentationClass/{n}.png" for n in range(4)]


def test_an_image_is_in_the_split_of_its_mask(tmp_path: Path) -> None:
    make, _ = KIN["masks_of_splits_beside_a_folder_of_all_images"]
    index = read(write(tmp_path, make()))
    assert column(index, "split") == ["train"] * 4 + ["val"] * 2
    assert column(index, "mask") == [f"masks/{'train' if n < 4 else 'val'}/{n}.png" for n in range(6)]


def test_a_mask_of_grey_colours_alone_has_their_names(tmp_path: Path) -> None:
    """An image without a coloured object: its mask has three equal channels, or one."""
    grey = drawn(128)
    masks = {"masks/{}.png": encoded(np.stack([grey] * 3, -1))}
    files = beside(masks, last=2) | beside({"masks/{}.png": encoded(grey)}, first=2)
    index = read(write(tmp_path, files | {"class_dict.csv": GREY}))
    assert index.mask_classes == ("sky", "road", "car")
    for row in range(4):
        assert np.array_equal(load_mask(index, row), grey // 128)


def test_zero_counts_for_nothing_where_scenes_number_from_one(tmp_path: Path) -> None:
    make, _ = KIN["numbers_named_by_objectInfo150.txt"]
    assert set(np.unique(load_mask(read(write(tmp_path, make())), 0)).tolist()) == {0, 1, 255}
