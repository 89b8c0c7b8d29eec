import io

import numpy as np
import pytest
from PIL import Image

from striate.data.image_formats import IMAGE_SUFFIXES, SUFFIXES, begins_as_image, formats, formats_of

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def test_every_format_has_its_suffixes() -> None:
    assert set(formats()) <= set(SUFFIXES)
    assert {".jfif", ".jp2", ".avif", ".webp", ".tga", ".psd", ".heic", ".jxl"} <= IMAGE_SUFFIXES
    assert not {".eps", ".svg", ".pdf", ".txt"} & IMAGE_SUFFIXES


@pytest.mark.parametrize(
    "format_", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "DDS", "QOI", "SGI", "ICNS"]
)
def test_what_has_no_suffix_is_told_by_how_it_begins(format_: str) -> None:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, format_)
    assert begins_as_image(file.getvalue()[:16])


@pytest.mark.parametrize("start", [b"", b"P5", b"Path,label\n", b"PK\x03\x04", b"%!PS-Adobe", b"\0\0\2\0\0\0\0\0"])
def test_other_files_do_not_begin_as_an_image(start: bytes) -> None:
    assert not begins_as_image(start)


def test_what_begins_like_anything_is_tried_by_name() -> None:
    assert formats_of(".tga")[0] == "TGA"
    assert not {"TGA", "DIB"} & {*formats_of(".png")}
