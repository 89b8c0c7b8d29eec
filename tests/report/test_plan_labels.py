from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import Index, IndexedImages, Preprocessing, read
from striate.recipe.ranges import MAX_PIXELS
from striate.report.plan_labels import CAPTION, COLUMNS, GAP, TILE, Captioned, draw_labels

SHOWN = Preprocessing((1, 32, 32), (0.5,), (0.5,), crop_pct=1.0)


@pytest.fixture
def index(write_pictures: Callable[[Path, Mapping[str, int]], Path], tmp_path: Path) -> Index:
    return read(write_pictures(tmp_path / "data", {"dark": 5, "light": 5}))


def tiles(path: Path, count: int) -> list[np.ndarray]:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
    across, down = TILE + GAP, TILE + CAPTION + GAP
    corners = [(GAP + n // COLUMNS * down, GAP + n % COLUMNS * across) for n in range(count)]
    return [pixels[y : y + TILE, x : x + TILE] for y, x in corners]


def test_every_picture_has_its_place(index: Index, tmp_path: Path) -> None:
    order = (0, 9, 1, 8, 2, 7, 3)
    captions = [Captioned(row, (f"row {row}", "a name that is much too long for the tile.png")) for row in order]
    draw_labels(index, captions, SHOWN, tmp_path / "labels.png", MAX_PIXELS)
    with Image.open(tmp_path / "labels.png") as image:
        assert image.size == (6 * (TILE + GAP) + GAP, 2 * (TILE + CAPTION + GAP) + GAP)
        below = np.asarray(image.convert("L"))[GAP + TILE : GAP + TILE + CAPTION, : GAP + TILE]
        between = np.asarray(image.convert("L"))[GAP + TILE : GAP + TILE + CAPTION, GAP + TILE : GAP + TILE + GAP]
    assert (below < 128).any()
    assert (between == 255).all()  # a caption stays below its tile
    brightness = [tile.mean() for tile in tiles(tmp_path / "labels.png", len(order))]
    assert [value > 128 for value in brightness] == [row >= 5 for row in order]


def test_a_picture_that_is_gone_leaves_its_place_grey(index: Index, tmp_path: Path) -> None:
    (tmp_path / "data" / "dark" / "00.png").unlink()
    draw_labels(index, [Captioned(0, ("", "")), Captioned(9, ("", ""))], SHOWN, tmp_path / "labels.png", MAX_PIXELS)
    grey, image = tiles(tmp_path / "labels.png", 2)
    assert (grey == 211).all()
    assert image.std() > 5


def test_wide_pictures_keep_their_shape(index: Index, tmp_path: Path) -> None:
    wide = Preprocessing((1, 16, 32), (0.5,), (0.5,), crop_pct=1.0)
    draw_labels(index, [Captioned(9, ("", ""))], wide, tmp_path / "labels.png", MAX_PIXELS)
    [tile] = tiles(tmp_path / "labels.png", 1)
    assert (tile[: TILE // 4] == 211).all()
    assert (tile[TILE // 4 : -TILE // 4] != 211).mean() > 0.9


def test_an_image_above_the_limit_leaves_its_place_grey(index: Index, tmp_path: Path) -> None:
    width, height = IndexedImages(index).open(9).size
    for most, is_drawn in ((width * height, True), (width * height - 1, False)):
        draw_labels(index, [Captioned(9, ("", ""))], SHOWN, tmp_path / "labels.png", most)
        [tile] = tiles(tmp_path / "labels.png", 1)
        assert (tile != 211).any() == is_drawn
