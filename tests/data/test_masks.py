import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from striate.data import Index, UnreadableError, build, read
from striate.data.masks import is_deep, load_mask, stored_values, unknown_values
from striate.errors import DataError, UsageError


def save(root: Path, name: str, image: NDArray[np.uint8] | Image.Image) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path)


def pairs(root: Path, masks: list[NDArray[np.uint8] | Image.Image], ending: str = "") -> Path:
    for number, mask in enumerate(masks):
        save(root, f"images/{number}.jpg", np.zeros((4, 6, 3), np.uint8))
        save(root, f"masks/{number}{ending}.png", mask)
    return root


def grid(*values: int) -> NDArray[np.uint8]:
    return np.array([values], np.uint8)


def test_masks_of_0_and_255_are_background_and_foreground(tmp_path: Path) -> None:
    index = read(pairs(tmp_path, [grid(0, 255), grid(0, 0)], "_mask"))
    assert index.mask_classes == ("background", "foreground")
    assert load_mask(index, 0).tolist() == [[0, 1]]
    assert load_mask(index, 1).tolist() == [[0, 0]]
    assert index.table["mask"].to_pylist() == ["masks/0_mask.png", "masks/1_mask.png"]


def test_other_values_are_class_numbers_and_255_is_ignored(tmp_path: Path) -> None:
    """One mask with another value decides for all, so that no file is read in its own way."""
    index = read(pairs(tmp_path, [grid(0, 255), grid(0, 2)]))
    assert index.mask_classes == ("0", "1", "2")
    assert load_mask(index, 0).tolist() == [[0, 255]]
    assert load_mask(index, 1).tolist() == [[0, 2]]


def test_a_palettes_indices_count_and_not_its_colours(tmp_path: Path) -> None:
    mask = Image.fromarray(grid(0, 1, 3, 255)).convert("L")
    mask = Image.frombytes("P", mask.size, mask.tobytes())
    mask.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200] + [7] * 759)
    index = read(pairs(tmp_path, [mask]))
    assert load_mask(index, 0).tolist() == [[0, 1, 3, 255]]


def test_a_mapping_names_values_and_colours(tmp_path: Path) -> None:
    colours = np.array([[[255, 0, 0], [0, 0, 0], [1, 2, 3]]], np.uint8)
    index = read(pairs(tmp_path, [colours]), mask_classes={"#ff0000": "car", "0": "road"})
    assert index.mask_classes == ("car", "road")
    assert load_mask(index, 0).tolist() == [[0, 1, 255]]
    assert unknown_values(stored_values(tmp_path / "masks/0.png"), index) == [0x010203]
    index = read(pairs(tmp_path / "b", [grid(0, 128, 200)]), mask_classes={"0": "road", "128": "car", "200": "car"})
    assert index.mask_classes == ("road", "car")
    assert load_mask(index, 0).tolist() == [[0, 1, 1]]


def test_colours_without_a_mapping_are_refused(tmp_path: Path) -> None:
    root = pairs(tmp_path, [np.full((1, 2, 3), (9, 9, 8), np.uint8)])
    sentence = (
        f"{root}/masks/0.png: expected a mask of class numbers; got one of colours (#090908). Name each with "
        "--mask-classes, such as --mask-classes.#090908 NAME, or add a labelmap.txt."
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        read(root)


@pytest.mark.parametrize("value", ["#ff", "red", "-1", "#gggggg"])
def test_a_value_that_is_none_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^`mask_classes`: expected a number .*; got {value}"):
        read(pairs(tmp_path, [grid(0)]), mask_classes={value: "car"})


def test_split_folders_and_images_without_a_mask(tmp_path: Path) -> None:
    pairs(tmp_path / "train", [grid(0, 255)])
    pairs(tmp_path / "val", [grid(0, 255)])
    save(tmp_path, "val/images/lone.jpg", np.zeros((4, 6, 3), np.uint8))
    index = read(tmp_path)
    assert index.table["split"].to_pylist() == ["train", "val", "val"]
    assert index.table["mask"].to_pylist() == ["train/masks/0.png", "val/masks/0.png", None]
    assert index.notes[1:] == ("images without a mask: 1.",)
    with pytest.raises(UnreadableError, match="it has no mask"):
        load_mask(index, 2)


def test_class_folders_of_png_are_no_masks(tmp_path: Path) -> None:
    for name in ("images/1.png", "masks/2.png"):
        save(tmp_path, name, grid(0))
    assert read(tmp_path, layout="folders").classes == ("images", "masks")
    with pytest.raises(DataError, match="but a class would be called images and masks: --layout folders reads it so"):
        read(tmp_path)


def test_masks_that_cannot_be_read(tmp_path: Path) -> None:
    save(tmp_path, "large.png", np.zeros((20, 20), np.uint8))
    (tmp_path / "empty.png").touch()
    index = build(tmp_path, (), ["a", "b", "c"], mask=["large.png", "empty.png", "none.png"], mask_values={0: 0})
    for row, reason in enumerate(
        (
            "its mask: 20 x 20 pixels are more than the limit of 300: .* --max-pixels 400$",
            "cannot be read",
            "cannot be read",
        )
    ):
        with pytest.raises(UnreadableError, match=reason):
            load_mask(index, row, max_pixels=300)


def test_the_limit_of_a_mask_is_not_pillows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("1.png", "1.tif", "1.bmp"):
        save(tmp_path, name, np.full((20, 20), 3, np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for name in ("1.png", "1.tif", "1.bmp"):
        assert (stored_values(tmp_path / name) == 3).all()
        assert not is_deep(tmp_path / name)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_numbered_mask_is_a_coco_files_only_with_a_number(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"its mask all\.json#x\.png cannot be read"):
        stored_values(tmp_path / "all.json#x.png")


def test_more_classes_than_a_byte_holds_are_refused(tmp_path: Path) -> None:
    given = {str(value): f"class {value}" for value in range(256)}
    with pytest.raises(UsageError, match=r"^`mask_classes`: expected 255 classes or fewer; got 256\.$"):
        read(pairs(tmp_path, [grid(0)]), mask_classes=given)


def test_without_known_values_all_is_ignored(tmp_path: Path) -> None:
    index: Index = replace(read(pairs(tmp_path, [grid(0, 255)])), mask_values={})
    assert load_mask(index, 0).tolist() == [[255, 255]]


def with_jpeg_masks(root: Path, levels: Sequence[int | tuple[int, int, int]]) -> Path:
    """An image with a mask in JPEG of two rectangles on black."""
    mask = np.zeros((48, 64, 3), np.uint8)
    for place, level in enumerate(levels):
        mask[8:40, 6 + 30 * place : 30 + 30 * place] = level
    save(root, "images/1.png", np.zeros((48, 64, 3), np.uint8))
    save(root, "masks/1.jpg", mask)
    return root


def test_masks_in_jpeg_are_black_and_white(tmp_path: Path) -> None:
    index = read(with_jpeg_masks(tmp_path, [255, 255]))
    assert index.mask_classes == ("background", "foreground")
    mask = load_mask(index, 0)
    assert (mask[20, 20], mask[20, 50], mask[2, 2]) == (1, 1, 0)


def test_the_classes_of_masks_in_jpeg_can_be_named(tmp_path: Path) -> None:
    index = read(with_jpeg_masks(tmp_path, [255, 255]), mask_classes={"255": "leaf", "0": "soil"})
    assert index.mask_classes == ("leaf", "soil")
    assert np.bincount(load_mask(index, 0).ravel()).tolist() == [2 * 24 * 32, 64 * 48 - 2 * 24 * 32]


@pytest.mark.parametrize(
    "levels", [[100, 200], [1, 120], [(128, 0, 0), (0, 128, 0)], [(0, 0, 128)], [(80, 0, 0)], [(255, 255, 0), 255]]
)
def test_masks_in_jpeg_of_more_than_two_classes_are_refused(
    tmp_path: Path, levels: list[int | tuple[int, int, int]]
) -> None:
    root = with_jpeg_masks(tmp_path, levels)
    with pytest.raises(DataError) as caught:
        read(root)
    assert str(caught.value) == (
        f"{root}/masks/1.jpg: expected masks in JPEG of black and white alone, for two classes; got areas of grey or "
        "colour. JPEG blurs what tells classes apart: save such masks as PNG."
    )


def test_a_mask_in_jpeg_of_colours_among_others_is_named(tmp_path: Path) -> None:
    root = with_jpeg_masks(tmp_path, [(0, 0, 128)])
    save(root, "images/2.png", np.zeros((48, 64, 3), np.uint8))
    save(root, "masks/2.png", np.full((48, 64), 255, np.uint8))
    save(root, "images/3.png", np.zeros((48, 64, 3), np.uint8))
    save(root, "masks/3.png", np.zeros((48, 64), np.uint8))
    index = read(root)
    assert index.mask_classes == ("background", "foreground")
    with pytest.raises(UnreadableError, match=r"^its mask in JPEG has areas of colour, which JPEG blurs"):
        load_mask(index, 0)


def deep(*values: int) -> Image.Image:
    return Image.fromarray(np.array([values], np.uint16))


def test_masks_of_16_bits_are_class_numbers(tmp_path: Path) -> None:
    index = read(pairs(tmp_path / "few", [deep(0, 3), deep(1, 255)]))
    assert index.mask_classes == ("0", "1", "2", "3")
    assert [load_mask(index, row).tolist() for row in (0, 1)] == [[[0, 3]], [[1, 255]]]
    index = read(pairs(tmp_path / "named", [deep(0, 7000), deep(65535, 300)]), mask_classes={"0": "a", "7000": "b"})
    assert index.mask_classes == ("a", "b")
    assert [load_mask(index, row).tolist() for row in (0, 1)] == [[[0, 1]], [[255, 255]]]


def test_numbers_of_16_bits_without_names_are_refused_as_numbers(tmp_path: Path) -> None:
    root = pairs(tmp_path, [deep(0, 7000), deep(65535, 300)])
    sentence = (
        f"{root}/masks/0.png: expected a mask of class numbers up to 254; got one of 16 bits or more with larger "
        "numbers (0, 300, 7000 and 65535). Name each with --mask-classes, such as --mask-classes.65535 NAME."
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        read(root)


def test_masks_of_one_object_each_are_one_mask(tmp_path: Path) -> None:
    save(tmp_path, "a_mask.png", grid(0, 255, 0))
    save(tmp_path, "a_mask_1.png", grid(0, 0, 1))
    save(tmp_path, "b_mask.png", grid(255, 255, 255))
    assert stored_values(tmp_path / "a_mask*.png").tolist() == [[0, 255, 255]]
    save(tmp_path, "*.png", grid(7))  # a file that is called so
    assert stored_values(tmp_path / "*.png").tolist() == [[7]]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (grid(1, 2), "of one object in m1.png; got several"),
        (grid(0), "m1.png has another"),
        (None, "none of which is a link"),
    ],
)
def test_masks_that_are_none_of_one_object_are_told(
    other: NDArray[np.uint8] | None, reason: str, tmp_path: Path
) -> None:
    save(tmp_path, "masks/m0.png", grid(0, 255))
    if other is None:
        (tmp_path / "masks" / "m1.png").symlink_to(tmp_path / "masks" / "m0.png")
    else:
        save(tmp_path, "masks/m1.png", other)
    with pytest.raises(UnreadableError, match=reason):
        stored_values(tmp_path / "masks" / "*")
    with pytest.raises(UnreadableError, match="got 0 files"):
        stored_values(tmp_path / "masks" / "x*.png")
