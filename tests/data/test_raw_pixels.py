import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from striate.augment import Map, crop
from striate.data import UnreadableError, open_image, read
from striate.data.decode import common_levels
from striate.data.raw_pixels import levels_of

TWELVE_BITS = (0.0, 4095.0)


def numbers(bands: int, most: int = 4095, dtype: Any = np.uint16) -> NDArray[Any]:
    return np.random.default_rng(bands).integers(0, most + 1, (16, 20, bands)).astype(dtype)


def npy(values: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def tiff(values: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, **{"photometric": "minisblack", "planarconfig": "contig"} | options)
    return file.getvalue()


def png(values: NDArray[np.uint16]) -> bytes:
    swapped = values[..., [2, 1, 0, 3][: values.shape[2]]] if values.shape[2] > 1 else values
    return cv2.imencode(".png", swapped)[1].tobytes()


def whole(data: Any, channels: int, levels: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    image = open_image(data)
    return image.read(Map(crop((0, 0, *image.size), image.size)), image.size, channels, levels)


def scaled(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    return np.rint((values.astype(float) - low) * 255 / (high - low)).clip(0, 255).astype(np.uint8)


# What is white


@pytest.mark.parametrize(
    ("kinds", "extent", "levels"),
    [
        ({"u1"}, (0, 255), None),
        ({"u2"}, (0, 255), (0, 255)),
        ({"u2"}, (7, 1023), (0, 1023)),
        ({"u2"}, (0, 1024), (0, 4095)),
        ({"u2"}, (0, 16383), (0, 16383)),
        ({"u2"}, (0, 16384), None),
        ({"f4"}, (0, 0.98), (0, 1)),
        ({"f4"}, (-0.3, 0.98), (-1, 1)),
        ({"f8"}, (0, 254.5), (0, 255)),
        ({"f4"}, (-12, 900), (-12, 900)),
        ({"i4"}, (100, 70000), (100, 70000)),
        ({"u1", "u2"}, (0, 4000), (0, 4095)),
    ],
)
def test_what_is_black_and_what_is_white(kinds: set[str], extent: tuple[float, float], levels: Any) -> None:
    assert levels_of(kinds, *extent) == levels


def test_images_together_have_one_white() -> None:
    dark, light = (open_image(npy(numbers(1, most))) for most in (200, 3000))
    assert common_levels([dark]) == (0, 255)
    assert common_levels([dark, light]) == TWELVE_BITS
    assert common_levels([open_image(npy(numbers(3, 255, np.uint8)))]) is None


# What is read


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 8, 12, 256])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_any_number_of_bands(bands: int, dtype: Any) -> None:
    values = numbers(bands, 255 if dtype == np.uint8 else 4095, dtype)
    expected = values if dtype == np.uint8 else scaled(values, *TWELVE_BITS)
    for data in (npy(values), tiff(values if bands > 1 else values[..., 0])):
        assert np.array_equal(whole(data, bands, TWELVE_BITS), expected)


def test_other_ways_to_store_a_tiff() -> None:
    values = numbers(5)
    expected = scaled(values, *TWELVE_BITS)
    planes = tiff(np.moveaxis(values, 2, 0), planarconfig="separate")
    for data in (planes, tiff(values, compression="zlib"), tiff(values, bigtiff=True), tiff(values, byteorder=">")):
        assert np.array_equal(whole(data, 5, TWELVE_BITS), expected)


def test_bands_in_memory_and_in_fortran_order() -> None:
    values = numbers(6, 255, np.uint8)
    assert np.array_equal(whole(values, 6), values)
    assert np.array_equal(whole(npy(np.asfortranarray(values)), 6), values)


@pytest.mark.parametrize("encode", [png, lambda values: tiff(values, photometric="rgb")], ids=["png", "tiff"])
def test_deep_colours_keep_their_bits(encode: Any) -> None:
    values = numbers(3)
    assert np.array_equal(whole(encode(values), 3, TWELVE_BITS), scaled(values, *TWELVE_BITS))
    assert open_image(encode(values)).bands is None


def test_deep_transparency_is_laid_over_white() -> None:
    values = numbers(4, 65535)
    opacity = values[..., 3:] / 65535
    expected = scaled(values[..., :3] * opacity + 65535 * (1 - opacity), 0, 65535)
    for data in (png(values), tiff(values, photometric="rgb", extrasamples=["unassalpha"])):
        assert np.abs(whole(data, 3).astype(int) - expected).max() <= 1
        assert np.array_equal(whole(data, 4), scaled(values, 0, 65535))


def test_one_deep_band_as_grey_and_as_rgb() -> None:
    values = numbers(1)
    for data in (png(values), tiff(values[..., 0])):
        assert np.array_equal(whole(data, 1, TWELVE_BITS), scaled(values, *TWELVE_BITS))
        assert np.array_equal(whole(data, 3, TWELVE_BITS), np.repeat(scaled(values, *TWELVE_BITS), 3, axis=2))


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("bands", [1, 3, 6])
def test_a_tiff_stands_upright(orientation: int, bands: int) -> None:
    values = numbers(bands)
    tag = [(274, "H", 1, orientation, True)]
    options = {"photometric": "rgb"} if bands == 3 else {}
    data = tiff(values if bands > 1 else values[..., 0], extratags=tag, **options)
    turned = {1: values, 3: values[::-1, ::-1], 6: np.rot90(values, -1)}[orientation]
    assert open_image(data).size == turned.shape[1::-1]
    assert np.array_equal(whole(data, bands, TWELVE_BITS), scaled(turned, *TWELVE_BITS))


def test_more_bands_than_colours_are_drawn_by_the_first_three() -> None:
    values = numbers(7)
    assert np.array_equal(whole(npy(values), 3, TWELVE_BITS), scaled(values[..., :3], *TWELVE_BITS))
    assert open_image(npy(values)).pillow.mode == "RGB"


def test_what_is_no_number_is_black() -> None:
    values = np.array([[[np.nan], [0.5]], [[np.inf], [-np.inf]]], np.float32)
    assert whole(npy(values), 1, (0.0, 1.0)).ravel().tolist() == [0, 128, 255, 0]
    assert open_image(npy(values)).own_levels == (0.0, 1.0)


# What is refused


@pytest.mark.parametrize(
    ("data", "channels", "why"),
    [
        (npy(numbers(5)), 4, "it has 5 bands, not 4"),
        (npy(numbers(3).astype(np.float32)), 3, "its numbers are of the kind f4, of which none is known to be white. "
                                                "Train with --pixel-range"),
        (npy(np.zeros((5, 600, 600), np.uint8)), 5, "expected height, width and at most 512 bands, in this order; got "
                                          "5 x 600 x 600"),
        (npy(np.zeros(9)), 1, "expected height, width and at most 512 bands, in this order; got 9"),
        (npy(np.array([["a"]])), 1, "expected numbers; got <U1"),
        (npy(np.array([[None]], object)), 1, "expected numbers; got object"),
        (npy(numbers(5))[:-2], 5, "it is cut off: its header says (16, 20, 5) values, and 3,198 bytes follow"),
        (b"\x93NUMPY\x01\x00\xff\xff{", 1, "its header is not that of an array of NumPy"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(data: bytes, channels: int, why: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        whole(data, channels)
    assert str(caught.value) == why


def test_an_image_without_a_number() -> None:
    with pytest.raises(UnreadableError, match="it holds no number that is finite"):
        open_image(npy(np.full((4, 4), np.nan))).verify()


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    for data in (npy(numbers(5)), tiff(numbers(5))):
        with pytest.raises(UnreadableError, match="20 x 16 pixels are more than the limit of 300"):
            open_image(data, 300)


def test_the_limit_is_not_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for format_ in ("PNG", "TIFF"):
        file = io.BytesIO()
        Image.new("I;16", (20, 16), 7).save(file, format_)
        open_image(file.getvalue()).verify()
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.filterwarnings("ignore::UserWarning:PIL[.]")  # Pillow's, of the damage that this test makes
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # where the damage makes the size large
@given(
    st.sampled_from(["npy", "tiff", "png"]), st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=6)
)
def test_a_damaged_file_raises_nothing_but_unreadable(kind: str, changes: list[tuple[float, int]]) -> None:
    values = numbers(5) if kind != "png" else numbers(3)
    data = bytearray({"npy": npy, "tiff": tiff, "png": png}[kind](values))
    for place, value in changes:
        data[int(place * len(data))] = value
    try:
        image = open_image(bytes(data), max_pixels=10_000)
        image.read(Map(crop((0, 0, *image.size), (4, 4))), (4, 4), image.bands or 3, TWELVE_BITS)
    except UnreadableError as error:
        assert str(error)  # noqa: PT017 (either outcome is right)


# In folders


def test_arrays_of_an_image_each_are_read_as_photos_are(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for number in range(3):
            np.save(tmp_path / name / f"{number}.npy", numbers(5))
    index = read(tmp_path)
    assert index.classes == ("ant", "bee")
    assert index.usable().all()


def test_arrays_of_many_images_stay_so(tmp_path: Path) -> None:
    np.save(tmp_path / "x_train.npy", np.zeros((6, 8, 8), np.uint8))
    np.save(tmp_path / "y_train.npy", np.arange(6) % 2)
    index = read(tmp_path)
    assert len(index) == 6
