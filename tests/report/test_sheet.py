import doctest
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from striate.data import MEAN_STD, Index, IndexedImages, Preprocessing, build
from striate.data.index import SCHEMA
from striate.errors import DataError
from striate.recipe import AugmentRecipe
from striate.report import sheet
from striate.report.sheet import BOX_COLOUR, GAP, TITLE, Marks, draw_sheet, marked, to_pixels, trained_on

WritePictures = Callable[[Path, Mapping[str, int]], Path]
RGB = Preprocessing((3, 24, 32), *MEAN_STD[3], crop_pct=1.0)
NONE = AugmentRecipe(augment="none")
BOX = (12.0, 20.0, 28.0, 32.0)


@pytest.fixture
def photos(tmp_path: Path) -> Index:
    """Three dark images of 64x48 with a bright box in each."""
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 60, (48, 64, 3), np.uint8)
        pixels[20:32, 12:28] = (200 + number, 210, 220)
        Image.fromarray(pixels).save(root / f"{number}.png")
    return build(root, ("box",), [f"{number}.png" for number in range(3)], label=[0, 0, 0])


def tiles(path: Path, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The tiles (rows, columns, H, W, 3) of a sheet."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    width, height = preprocessing.size
    columns = (pixels.shape[1] - GAP) // (width + GAP)
    rows = (pixels.shape[0] - GAP - TITLE) // (height + GAP)
    inside = pixels[TITLE + GAP :, GAP:][: rows * (height + GAP), : columns * (width + GAP)]
    return inside.reshape(rows, height + GAP, columns, width + GAP, 3)[:, :height, :, :width].swapaxes(1, 2)


def with_box(index: Index, box: tuple[float, ...]) -> Index:
    place = SCHEMA.get_field_index("box")
    column = pa.array([box] * len(index), SCHEMA.field(place).type)
    return replace(index, table=index.table.set_column(place, SCHEMA.field(place), column))


def test_doctests_run() -> None:
    result = doctest.testmod(sheet, extraglobs={"np": np})
    assert result.attempted > 0
    assert result.failed == 0


def test_a_sheet_has_a_row_a_picture_and_a_column_a_view(photos: Index, tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    assert draw_sheet(photos, AugmentRecipe(), RGB, path, count=2, epochs=4) == []
    assert tiles(path, RGB).shape == (2, 5, 24, 32, 3)
    assert list(tmp_path.iterdir()) != []
    assert not list(tmp_path.glob(".sheet*"))


def test_without_augmentation_every_view_is_what_evaluation_sees(photos: Index, tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    draw_sheet(photos, NONE, RGB, path, epochs=3)
    shown = tiles(path, RGB)
    for row in range(3):
        image = IndexedImages(photos).open(row)
        expected = image.read(RGB.map(image.size), RGB.size, 3)
        assert all(np.array_equal(tile, expected) for tile in shown[row])


def test_grey_pictures_are_drawn_grey(photos: Index, tmp_path: Path) -> None:
    grey = Preprocessing((1, 24, 32), *MEAN_STD[1], crop_pct=1.0)
    draw_sheet(photos, AugmentRecipe(augment="heavy"), grey, tmp_path / "sheet.png", epochs=2)
    shown = tiles(tmp_path / "sheet.png", grey)
    assert np.array_equal(shown, np.repeat(shown[..., :1], 3, axis=-1))


@pytest.mark.parametrize("augment", [AugmentRecipe(augment="heavy"), AugmentRecipe(trivial=True)])
def test_a_seed_draws_its_sheet_and_no_other(photos: Index, tmp_path: Path, augment: AugmentRecipe) -> None:
    contents = []
    for number, seed in enumerate((1, 1, 2)):
        draw_sheet(photos, augment, RGB, tmp_path / f"{number}.png", seed=seed)
        contents.append((tmp_path / f"{number}.png").read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_components_of_the_pictures_are_measured_where_they_are_wanted(photos: Index, tmp_path: Path) -> None:
    augment = AugmentRecipe(augment="none", pca_colour=1.0, pca_source="images")
    draw_sheet(photos, augment, RGB, tmp_path / "own.png")
    draw_sheet(photos, replace(augment, pca_source="imagenet"), RGB, tmp_path / "imagenet.png")
    assert (tmp_path / "own.png").read_bytes() != (tmp_path / "imagenet.png").read_bytes()


def test_a_box_is_drawn_about_what_it_marks(photos: Index, tmp_path: Path) -> None:
    """Also mirrored: the frame lies on the border of the bright box, in every view."""
    path = tmp_path / "sheet.png"
    large = replace(RGB, input_size=(3, 48, 64))
    draw_sheet(with_box(photos, BOX), replace(NONE, mirror=1.0), large, path, epochs=2)
    for row in tiles(path, large):
        for tile, (x0, x1) in zip(row, ((12, 28), (36, 52), (36, 52)), strict=True):
            framed = (tile == BOX_COLOUR).all(axis=-1)
            expected = np.zeros((48, 64), bool)
            expected[20:32, x0:x1] = True
            expected[22:30, x0 + 2 : x1 - 2] = False
            assert np.array_equal(framed, expected)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_mask_tints_its_classes_and_nothing_else(scale: int) -> None:
    """Also one of another size than the image, all of which it covers."""
    pixels = np.full((4, 6, 3), 100, np.uint8)
    mask = np.array([[0, 0, 1, 1, 255, 255]] * 4, np.uint8)
    view = Preprocessing((3, 4, 6), *MEAN_STD[3], crop_pct=1.0)
    marks = Marks((6, 4), np.zeros((0, 4), np.float32), mask.repeat(scale, axis=0).repeat(scale, axis=1))
    shown = np.asarray(marked(pixels, view.map((6, 4)), marks))
    tinted = (shown != 100).any(axis=-1)
    assert np.array_equal(tinted, mask == 1)
    assert np.unique(shown[tinted], axis=0).tolist() == [[165, 62, 87]]  # half of the pixel, half of the colour


def test_pixels_come_back_from_normalised_images() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), np.uint8)
    assert np.array_equal(to_pixels(RGB.normalise(torch.from_numpy(pixels)), RGB), pixels)
    too_much = torch.tensor([-9.0, 9.0]).reshape(1, 1, 1, 2).expand(1, 3, 1, 2)
    assert to_pixels(too_much, RGB)[0, 0].tolist() == [[0] * 3, [255] * 3]


def test_a_view_is_what_the_batch_is_trained_on(photos: Index) -> None:
    """Neighbours are mixed: with CutMix alone, each shows a box of the other."""
    augment = replace(NONE, cutmix=1.0)
    images = IndexedImages(photos)
    plain = [trained_on(images, [0, 1], NONE, RGB, 0, epoch).pixels for epoch in range(9)]
    mixed = [trained_on(images, [0, 1], augment, RGB, 0, epoch).pixels for epoch in range(9)]
    assert any((a != b).any() for a, b in zip(plain, mixed, strict=True))
    for (a, b), (one, other) in zip(plain, mixed, strict=True):
        swapped = (one != a).any(axis=-1) | (other != b).any(axis=-1)
        assert np.array_equal(one, np.where(swapped[..., None], b, a))
        assert np.array_equal(other, np.where(swapped[..., None], a, b))


def test_a_picture_that_cannot_be_read_is_left_out_and_named(photos: Index, tmp_path: Path) -> None:
    (photos.root / "1.png").write_bytes(b"")
    skipped = draw_sheet(photos, AugmentRecipe(), RGB, tmp_path / "sheet.png", epochs=1)
    assert skipped == ["1.png: the file is empty"]
    assert tiles(tmp_path / "sheet.png", RGB).shape[:2] == (2, 2)


def test_a_picture_whose_mask_cannot_be_read_is_left_out_and_named(photos: Index, tmp_path: Path) -> None:
    Image.fromarray(np.full((48, 64), 1, np.uint8)).save(photos.root / "mask.png")
    masked = replace(photos.with_column("mask", ["mask.png", "none.png", None]), mask_values={0: 0, 1: 1})
    skipped = draw_sheet(masked, NONE, RGB, tmp_path / "sheet.png", epochs=1)
    assert [line.partition(" cannot")[0] for line in skipped] == ["1.png: its mask none.png"]
    shown = tiles(tmp_path / "sheet.png", RGB)
    assert shown.shape[:2] == (2, 2)
    assert shown[0, ..., 0].min() >= 115  # half of the first colour: the whole image is of class 1
    assert shown[1, ..., 0].min() < 60


def test_a_sheet_of_nothing_is_refused(photos: Index, tmp_path: Path) -> None:
    for number in range(3):
        (photos.root / f"{number}.png").write_bytes(b"")
    sentence = f"{photos.root}: expected an image that can be read; got none; 0.png: the file is empty."
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        draw_sheet(photos, AugmentRecipe(), RGB, tmp_path / "sheet.png")
    left_out = photos.with_column("reason", ["bad"] * 3)
    sentence = f"{photos.root}: expected an image that can be read; got none."
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        draw_sheet(left_out, AugmentRecipe(), RGB, tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
