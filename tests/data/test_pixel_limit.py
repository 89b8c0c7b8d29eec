import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from striate.data.pixel_limit import pillow_allows, why_too_large
from striate.recipe.ranges import MAX_PIXELS, MOST_FILE_PIXELS

SIDES = st.integers(1, 30_000)


@given(SIDES, SIDES, st.integers(1, MOST_FILE_PIXELS), st.booleans())
def test_the_value_that_is_named_is_the_least_that_allows_it(width: int, height: int, limit: int, jpeg: bool) -> None:
    reason = why_too_large((width, height), limit, jpeg=jpeg)
    if reason is None:
        assert width * height <= limit * (4 if jpeg else 1)
        return
    found = re.fullmatch(r"\d+ x \d+ pixels are more than the limit of [\d,]+: .* --max-pixels (\d+)", reason)
    assert found
    assert why_too_large((width, height), int(found[1]), jpeg=jpeg) is None
    assert why_too_large((width, height), int(found[1]) - 1, jpeg=jpeg) is not None


def test_photos_of_telephones_are_allowed() -> None:
    for size in ((12_000, 9_000), (16_320, 12_240), (12_288, 16_384)):
        assert why_too_large(size, MAX_PIXELS, jpeg=True) is None
        assert why_too_large(size, MAX_PIXELS) is not None


def test_what_no_value_allows() -> None:
    sentence = "40000 x 30000 pixels are more than the limit of 5, and than --max-pixels can allow: save it in parts"
    assert why_too_large((40_000, 30_000), 5) == sentence


@pytest.mark.parametrize(("limit", "raised"), [(100, 300), (500, 500), (None, None)])
def test_pillows_limit_is_raised_and_restored(
    limit: int | None, raised: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pillow_allows(300):
        with pytest.raises(ZeroDivisionError), pillow_allows(200):
            divmod(1, 0)
        assert raised == Image.MAX_IMAGE_PIXELS
    assert limit == Image.MAX_IMAGE_PIXELS


def test_many_threads_at_once_leave_pillows_limit_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    together = threading.Barrier(4)

    def enter(pixels: int) -> bool:
        with pillow_allows(pixels):
            together.wait(10)
            enough = (Image.MAX_IMAGE_PIXELS or 0) >= pixels
            together.wait(10)
        return enough

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(enter, (50, 200, 300, 400)))
    assert Image.MAX_IMAGE_PIXELS == 100
