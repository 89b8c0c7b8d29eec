from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import GivenImages, Loader, Preprocessing, batches
from striate.data.crops import ONCE, Crop, CropView, RepeatedImages, Viewing
from striate.errors import UsageError

SHOWN = Preprocessing((3, 224, 224), (0.5,) * 3, (0.5,) * 3, 0.875)


def boxes(viewing: Viewing, source: tuple[int, int], shown: Preprocessing = SHOWN) -> list[tuple[float, ...]]:
    """The windows on an image of a size, in its pixels."""
    return [
        tuple(round(edge, 6) for edge in crop.map(source, shown.size).source_box(shown.size))
        for crop in viewing.windows(shown)
    ]


def test_five_crops_are_the_centre_and_the_corners_of_the_middle_square() -> None:
    assert boxes(Viewing(5), (356, 256)) == [
        (66, 16, 290, 240),
        (50, 0, 274, 224),
        (82, 0, 306, 224),
        (50, 32, 274, 256),
        (82, 32, 306, 256),
    ]
    centre = SHOWN.map((356, 256)).source_box(SHOWN.size)
    assert boxes(Viewing(5), (356, 256))[0] == pytest.approx(centre)
    assert boxes(Viewing(10), (356, 256)) == boxes(Viewing(5), (356, 256))
    assert (Viewing(10).count(SHOWN), Viewing(5).count(SHOWN), Viewing(5, mirror=True).count(SHOWN)) == (10, 5, 10)


def test_a_grid_goes_over_all_of_the_image() -> None:
    found = boxes(Viewing(9), (356, 256))
    assert found[0] == (0, 0, 224, 224)
    assert found[4] == (66, 16, 290, 240)
    assert found[8] == (132, 32, 356, 256)
    assert len(found) == 9


def test_scales_show_the_image_larger() -> None:
    (first, second) = boxes(Viewing(1, scales=(1.0, 2.0)), (256, 256))
    assert first == (16, 16, 240, 240)
    assert second == (72, 72, 184, 184)
    assert Viewing(10, scales=(1.0, 1.25)).count(SHOWN) == 20


def test_googlenet_looks_144_times() -> None:
    assert Viewing(144).count(SHOWN) == 144
    found = boxes(Viewing(144), (512, 256))
    assert (0, 0, 256, 256) in found
    assert (128, 0, 384, 256) in found
    assert (256, 0, 512, 256) in found
    assert max(box[2] for box in found) == 512


def test_windows_stay_in_the_image_whatever_its_shape() -> None:
    for source in ((10, 400), (400, 10), (33, 35)):
        for viewing in (Viewing(5), Viewing(16), Viewing(144), Viewing(5, scales=(0.5, 1.0))):
            for x0, y0, x1, y1 in boxes(viewing, source):
                assert -1e-6 <= x0 < x1 <= source[0] + 1e-6
                assert -1e-6 <= y0 < y1 <= source[1] + 1e-6


def test_a_model_that_looks_at_all_of_a_square_has_windows_to_move() -> None:
    whole = Preprocessing((1, 32, 32), (0.5,), (0.5,), 1.0)
    assert boxes(Viewing(5), (32, 32), whole)[1] == (0, 0, 28, 28)
    assert ONCE.windows(whole) == ()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"crops": 7}, "`crops`: expected 1, 5, 10, 144 or the square of another number; got 7."),
        ({"crops": 0}, "`crops`: expected 1, 5, 10, 144 or the square of another number; got 0."),
        ({"scales": (9.0,)}, "`scales`: expected numbers from 0.5 to 4; got 9.0."),
        ({"scales": ()}, "`scales`: expected numbers from 0.5 to 4; got ."),
        (
            {"crops": 144, "mirror": True},
            "`crops`: expected 144 without --mirror and --scales, which it has; got them too.",
        ),
    ],
)
def test_what_is_no_viewing(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        Viewing(**arguments)  # type: ignore[arg-type]
    assert str(caught.value) == sentence


def test_a_model_of_whole_images_is_not_shown_crops() -> None:
    squashed = Preprocessing((3, 224, 224), (0.5,) * 3, (0.5,) * 3, 1.0, "squash")
    with pytest.raises(UsageError, match=r"of a model that looks at the whole image .its crop mode is squash.; got 10"):
        Viewing(10).windows(squashed)
    assert Viewing(mirror=True).windows(squashed) == ()
    assert Viewing(mirror=True).count(squashed) == 2


def test_an_image_is_decoded_once_for_its_views(
    tmp_path: Path, save_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [save_picture(tmp_path / f"{number}.jpg", (60, 50), number) for number in range(3)]
    images, shown = GivenImages(paths), Preprocessing((3, 28, 28), (0.5,) * 3, (0.5,) * 3, 0.875)
    windows = Viewing(5).windows(shown)
    decoded = []
    opened = type(images.open(0))
    decode = opened.decode
    monkeypatch.setattr(opened, "decode", lambda *a: decoded.append(a) or decode(*a))  # type: ignore[func-returns-value]
    parts = batches(np.arange(15), 5)
    loader = Loader(RepeatedImages(images, 5), parts, shown, CropView(windows, shown.size))
    found = [batch.images.numpy() for batch in loader]
    assert len(decoded) == 3
    assert [batch.tolist() for batch in parts] == [list(range(k, k + 5)) for k in (0, 5, 10)]
    expected = images.open(1).read(Crop(0.0, 0.0, 0.875, 0.5).map((60, 50), (28, 28)), (28, 28), 3)
    assert np.array_equal(found[1][1], expected)
    with Image.open(paths[1]) as image:
        assert image.size == (60, 50)
