import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from striate.data.check import near
from striate.data.check.near import RADIUS, close_pairs, detail, same_detail

words = st.integers(0, 2**64 - 1)


@given(st.lists(words, max_size=6), st.lists(st.tuples(st.integers(0, 5), words), max_size=12))
def test_every_close_pair_is_found_once(centres: list[int], copies: list[tuple[int, int]]) -> None:
    """Against each with each; copies differ from a centre in a few random bits."""
    near_ones = [centres[at % len(centres)] ^ few_bits(noise) for at, noise in copies if centres]
    hashes = np.array(centres + near_ones, np.uint64)
    for others in (hashes, hashes[::-1].copy()):
        expected = [
            (i, j)
            for i in range(len(hashes))
            for j in range(i + 1, len(hashes))
            if int(hashes[i] ^ others[j]).bit_count() <= RADIUS
        ]
        assert [tuple(pair) for pair in close_pairs(hashes, others).tolist()] == expected


def few_bits(noise: int) -> int:
    """At most nine bits, anywhere in a word."""
    bits = 0
    for _ in range(9):
        bits |= 1 << (noise % 64)
        noise //= 64
    return bits


def test_many_equal_hashes_are_taken_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "CHUNK", 7)
    hashes = np.zeros(20, np.uint64)
    assert len(close_pairs(hashes, hashes)) == 20 * 19 // 2


def thumbnails(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(60, 200, (count, 32, 32, 3)).astype(np.uint8)


def test_detail_knows_neither_brightness_nor_contrast() -> None:
    one = thumbnails(1).astype(np.float32)
    for other in (one + 20, one * 0.5, one * 1.2 - 10):
        assert np.vdot(detail(one), detail(other)) == pytest.approx(1, abs=1e-5)
    assert np.abs(detail(np.zeros((1, 32, 32, 3), np.uint8))).sum() == 0


def test_colour_is_detail_too() -> None:
    """A red disc and a blue one on white are two images, though their greys may be equal."""
    y, x = np.mgrid[:32, :32]
    disc = (x - 16) ** 2 + (y - 16) ** 2 < 80
    red, blue = (np.full((32, 32, 3), 255, np.uint8) for _ in range(2))
    red[disc] = (200, 60, 60)
    blue[disc] = (60, 60, 200)
    pairs = np.array([[0, 1], [0, 2]])
    assert same_detail(np.stack([red, blue, red]), pairs, mirrored=False).tolist() == [False, True]


def test_the_first_of_a_pair_is_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "DETAIL_CHUNK", 2)
    three = thumbnails(3)
    three[1] = three[0, :, ::-1]
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    assert same_detail(three, pairs, mirrored=True).tolist() == [True, False, False]
    assert same_detail(three, pairs, mirrored=False).tolist() == [False, False, False]
