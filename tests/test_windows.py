from itertools import pairwise

import numpy as np
import pytest
import torch

from striate.data import Preprocessing, open_image
from striate.data.crops import Viewing
from striate.errors import UsageError
from striate.windows import blended, canvas, canvas_size, places, windows


@pytest.mark.parametrize(("canvas", "shown"), [((40, 30), (16, 16)), ((17, 16), (16, 16)), ((64, 20), (16, 8))])
def test_windows_cover_the_canvas_and_overlap_by_half(canvas: tuple[int, int], shown: tuple[int, int]) -> None:
    seen = np.zeros(canvas[::-1], int)
    for x, y in places(canvas, shown):
        assert 0 <= x <= canvas[0] - shown[0]
        assert 0 <= y <= canvas[1] - shown[1]
        seen[y : y + shown[1], x : x + shown[0]] += 1
    assert seen.min() >= 1
    for length, size in zip(canvas, shown, strict=True):
        starts = sorted({place[canvas.index(length)] for place in places(canvas, shown)})
        assert all(b - a <= (size + 1) // 2 for a, b in pairwise(starts))


def test_a_network_that_answers_each_pixel_alone_gives_back_the_canvas() -> None:
    """Blending weighs windows and adds nothing: where all agree, it is the answer of each."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 45, 3), np.uint8)
    shown = (16, 12)
    cut = windows(pixels, shown)
    assert cut.shape == (len(places((45, 30), shown)), 12, 16, 3)
    outputs = torch.from_numpy(cut).permute(0, 3, 1, 2).float()
    whole = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    torch.testing.assert_close(blended(outputs, (45, 30), shown), whole)


def test_seams_are_smooth() -> None:
    """Between the middles of two windows that disagree, answers go over from one to the other in equal steps."""
    outputs = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])
    row = blended(outputs, (12, 8), (8, 8))[0, 0, 0]
    assert row[:4].eq(0).all()
    assert row[8:].eq(1).all()
    assert row.diff().max() < 0.3
    assert row.diff().min() >= 0


def test_an_image_that_is_smaller_than_a_window_is_shown_once_beside_its_reflection() -> None:
    pixels = np.arange(5 * 7, dtype=np.uint8).reshape(5, 7, 1)
    [cut] = windows(pixels, (10, 8))
    assert np.array_equal(cut[:5, :7], pixels)
    assert np.array_equal(cut[:5, 7:], pixels[:, :-4:-1])
    assert np.array_equal(cut[5:, :7], pixels[:-4:-1])
    outputs = torch.from_numpy(cut).permute(2, 0, 1)[None].float()
    whole = torch.from_numpy(pixels[..., 0]).float()
    torch.testing.assert_close(blended(outputs, (7, 5), (10, 8))[0, 0], whole)


def test_a_canvas_has_the_scale_at_which_a_window_is_what_the_network_is_shown() -> None:
    assert canvas_size((640, 480), 240, (96, 120)) == (256, 192)
    assert canvas_size((3, 9000), 9000, (100, 100)) == (1, 100)


def test_a_canvas_shows_all_of_an_image() -> None:
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:20, :40] = 200
    shown = Preprocessing((3, 16, 16), (0.5,) * 3, (0.5,) * 3)
    found = canvas(open_image(pixels), Viewing(window=32), shown, 1000)
    assert found.shape == (20, 40, 3)
    assert found[:9, :19].min() == 200
    assert found[11:].max() == found[:, 21:].max() == 0
    with pytest.raises(UsageError) as caught:
        canvas(open_image(pixels), Viewing(window=16), shown, 1000)
    assert str(caught.value) == (
        "`window`: expected one by which images grow to 1,000 pixels at most; got 16. Try a larger one."
    )


def test_windows_stand_alone() -> None:
    for values in ({"window": 0}, {"window": 8, "crops": 4}, {"window": 8, "scales": (1.0, 1.25)}):
        with pytest.raises(UsageError, match="`window`: expected 1 pixel or more, and neither crops nor scales"):
            Viewing(**values)
