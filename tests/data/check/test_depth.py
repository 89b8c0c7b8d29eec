from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from striate.data import read
from striate.data.check import examine


def save(folder: Path, *arrays: NDArray[Any]) -> None:
    folder.mkdir(parents=True)
    for number, values in enumerate(arrays):
        np.save(folder / f"{number}.npy", values)


def drawn(seed: int, most: int, shape: tuple[int, ...] = (40, 40)) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, most + 1, shape).astype(np.uint16)


def test_the_range_is_that_of_all_images(tmp_path: Path) -> None:
    save(tmp_path / "ant", drawn(0, 900), drawn(1, 4000))
    save(tmp_path / "bee", drawn(2, 3000))
    Image.fromarray(np.asarray(drawn(3, 255), np.uint8)).save(tmp_path / "bee/8.png")
    found = examine(read(tmp_path))
    assert found.depth.levels == (0, 4095)
    assert found.depth.sentence().startswith("pixels: 16-bit integers (3 images) from 0 to ")
    assert found.depth.sentence().endswith("; 0 becomes black and 4,095 white (--pixel-range overrules)")
    assert found.depth.sentence((0, 5000)).endswith("; 0 becomes black and 5,000 white (as asked)")
    assert found.to_dict()["pixel_range"] == (0, 4095)
    assert "blank" not in found.to_dict()["kinds"]  # which dark ones of 12 bits in 16 would be


def test_nothing_is_said_of_8_bits(tmp_path: Path) -> None:
    save(tmp_path / "ant", drawn(0, 255).astype(np.uint8))
    found = examine(read(tmp_path))
    assert found.depth.levels is None
    assert found.depth.sentence() == ""


def test_images_of_other_bands_are_left_out_where_bands_are_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "ant", drawn(0, 255, (40, 40, 5)), drawn(1, 255, (40, 40, 6)))
    Image.fromarray(np.asarray(drawn(2, 255, (40, 40, 4)), np.uint8)).save(tmp_path / "ant/8.png")
    found = examine(read(tmp_path))
    assert found.bands.tolist() == [5, 6, 4]
    assert found.of_bands(5).index.table["reason"].to_pylist() == [
        None,
        "it has 6 bands, not 5",
        "it has 4 bands, not 5",
    ]
    assert found.of_bands(4).index.usable().tolist() == [False, False, True]
    for channels in (None, 1, 3):
        assert found.of_bands(channels) is found


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_copies_of_deep_images_are_found(tmp_path: Path, dtype: Any) -> None:
    values = drawn(0, 900).astype(dtype)
    save(tmp_path / "ant", values, values * 2, drawn(1, 900).astype(dtype))
    [copies] = examine(read(tmp_path)).copies
    assert copies.rows == (0, 1)
