import numpy as np
from numpy.typing import NDArray

from striate.explain.figures import WEAK, overlay

IMAGE = np.full((4, 4, 3), 100, np.uint8)


def coloured(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """(4, 4) how far each pixel is from grey."""
    shown = overlay(IMAGE, values.astype(np.float32)).astype(int)
    spread: NDArray[np.int64] = shown.max(axis=2) - shown.min(axis=2)
    return spread


def test_what_speaks_little_or_against_a_class_stays_grey() -> None:
    values = np.zeros((4, 4))
    values[0, 0], values[1, 1], values[2, 2], values[3, 3] = 10, 10 * WEAK, -5, 7
    spread = coloured(values)
    assert spread[0, 0] > 0
    assert spread[3, 3] > 0
    assert spread[1, 1] == spread[2, 2] == spread[0, 1] == 0


def test_where_nothing_speaks_for_a_class_the_image_is_grey() -> None:
    assert not coloured(np.full((4, 4), -1.0)).any()


def test_an_image_of_one_channel() -> None:
    assert overlay(IMAGE[:, :, :1], np.ones((4, 4), np.float32)).shape == (4, 4, 3)
