"""JPEG files, which are decoded at the smallest size that will do."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from encoded import ORIENTATIONS, encode, noise, ramps, turned
from numpy.typing import NDArray
from PIL import Image

from striate.augment import Map, central_crop, crop
from striate.data import OpenedImage, open_image
from striate.data.decode import JPEG_SCALES


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", JPEG_SCALES)
def test_a_jpeg_decoded_small_is_close_to_one_decoded_whole(scale: int, channels: int) -> None:
    """Of detail coarser than its pixels, that is: the decoder's mean of finer detail is not the resampler's."""
    smooth = np.asarray(Image.fromarray(noise(6, 5)).resize((160, 120), Image.Resampling.BICUBIC))
    data = encode(smooth, "JPEG", quality=95)
    size = (160 // scale, 120 // scale)
    small = open_image(data).read(Map(central_crop((160, 120), size, 1)), size, channels)
    full = open_image(Image.open(io.BytesIO(data))).read(Map(central_crop((160, 120), size, 1)), size, channels)
    difference = np.abs(small.astype(int) - full.astype(int))
    assert difference.mean() <= 2
    assert difference.max() <= 8


@pytest.mark.parametrize(("reduction", "decoded"), [(1, 96), (1.9, 96), (2, 48), (3.9, 48), (4, 24), (8, 12), (32, 12)])
@pytest.mark.parametrize("by", ["libjpeg-turbo", "Pillow"])
def test_a_jpeg_is_decoded_no_larger_than_needed(by: str, reduction: float, decoded: int) -> None:
    data = encode(noise(96, 96), "JPEG")
    if by == "Pillow":
        data = encode(Image.open(io.BytesIO(data)).convert("CMYK"), "JPEG")
    for channels in (1, 3):
        assert open_image(data).decode(reduction, channels).shape[:2] == (decoded, decoded)


def test_the_side_that_shrinks_least_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def decode(self: OpenedImage, reduction: float, channels: int, levels: object) -> NDArray[np.uint8]:
        asked.append(reduction)
        return noise(96, 96)

    monkeypatch.setattr(OpenedImage, "decode", decode)
    open_image(encode(noise(96, 96), "JPEG")).read(Map(crop((0, 0, 96, 16), (6, 8))), (6, 8), 3)
    assert asked == [2]


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_jpeg_decodes_to_the_bits_that_pillow_gives(mode: str, options: dict[str, Any]) -> None:
    data = encode(Image.fromarray(ramps(61, 47)).convert(mode), "JPEG", **options)
    image = open_image(data)
    assert image.jpeg == data
    by_pillow = replace(image, jpeg=None)
    for reduction in (1, 2, 8):
        got, expected = (
            each.decode(reduction, 3) for each in (image, replace(by_pillow, opened=Image.open(io.BytesIO(data))))
        )
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(1, 1), (61, 47), (300, 7)])
def test_the_header_of_a_plain_jpeg_is_read_without_pillow(mode: str, size: tuple[int, int]) -> None:
    data = encode(Image.new(mode, size), "JPEG")
    image = open_image(data)
    assert (image.opened is None) == (mode != "CMYK")
    assert image.stored == image.size == image.pillow.size == size


def test_an_orientation_by_xmp_is_one() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    image = open_image(encode(Image.new("RGB", (20, 10)), "JPEG", xmp=xmp))
    assert (image.stored, image.size, image.orientation) == ((20, 10), (10, 20), 6)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("by", ["libjpeg-turbo", "Pillow"])
def test_a_jpeg_stands_upright_at_every_scale(by: str, orientation: int) -> None:
    data = encode(Image.fromarray(ramps(160, 96)), "JPEG", quality=100, subsampling=0, exif=turned(orientation))
    image = open_image(data)
    image = replace(image, jpeg=None) if by == "Pillow" else image
    size = (image.size[0] // 8, image.size[1] // 8)
    expected = ORIENTATIONS[orientation](ramps(20, 12))
    assert np.abs(image.read(Map(central_crop(image.size, size, 1)), size, 3).astype(int) - expected).max() <= 4


def test_a_small_jpeg_can_be_read_twice() -> None:
    image = open_image(encode(ramps(129, 137), "JPEG", quality=100, subsampling=0))
    view = Map(central_crop(image.size, (8, 8), 1))
    first = image.read(view, (8, 8), 3)
    assert np.array_equal(image.read(view, (8, 8), 3), first)
