"""The images of studies: which split is the test, and what is black and white in images of more than 8 bits."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.errors import UsageError
from striate.studies.images import Images, Source

SOURCE = Source("scans", "scans", size=8, channels=1, train=6, test=4)


def scans(root: Path, *splits: str, brightest: int = 255) -> Path:
    """Folders of two classes, each of three images of 8x8 pixels with values up to `brightest`."""
    rng = np.random.default_rng(0)
    for split in splits:
        for name in ("a", "b"):
            (root / split / name).mkdir(parents=True)
            for number in range(3):
                pixels = rng.integers(0, brightest + 1, (8, 8))
                pixels[0, :2] = 0, brightest
                image = Image.fromarray(pixels.astype(np.uint8 if brightest < 256 else np.uint16))
                image.save(root / split / name / f"{number}.png")
    return root


def values(images: Images) -> tuple[float, float]:
    """The least and the largest value, of 0 to 1, before they were standardised."""
    shown = images.train * images.std + images.mean
    return float(shown.min()), float(shown.max())


@pytest.mark.parametrize("brightest", [255, 1023, 4095, 65535])
def test_what_is_black_and_white_is_found_in_the_data(tmp_path: Path, brightest: int) -> None:
    images = SOURCE.load(scans(tmp_path, "train", "test", brightest=brightest))
    assert values(images) == pytest.approx((0.0, 1.0), abs=0.01)


@pytest.mark.parametrize("test", ["test", "val"])
def test_the_test_images_are_those_of_test_or_else_of_val(tmp_path: Path, test: str) -> None:
    images = SOURCE.load(scans(tmp_path, "train", test))
    assert images.train.shape == (6, 1, 8, 8)
    assert images.test.shape == (4, 1, 8, 8)
    assert images.test_labels.tolist().count(0) in (1, 2, 3)


def test_a_data_set_is_found_in_a_folder_of_several(tmp_path: Path) -> None:
    scans(tmp_path / "scans", "train", "test")
    assert SOURCE.load(tmp_path).classes == 2


def test_data_without_a_test_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected images of the splits train and test, or val, in .*; got none of"):
        SOURCE.load(scans(tmp_path, "train"))
