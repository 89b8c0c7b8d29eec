import io
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoded import ORIENTATIONS, encode, noise, ramps, turned
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from striate.augment import Map, central_crop, crop
from striate.data import Source, UnreadableError, open_image
from striate.data.image_formats import SUFFIXES, formats

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # of photos, as most people have them
LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "BMP": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "PPM": {},
    "JPEG2000": {},
    "DDS": {},
    "ICO": {"sizes": [(20, 16)]},
    "PCX": {},
    "QOI": {},
    "SGI": {},
    "TGA": {},
    "DIB": {},
}


def whole(source: Source, channels: int = 3) -> NDArray[np.uint8]:
    """All pixels of an image, each as it is."""
    image = open_image(source)
    return image.read(Map(central_crop(image.size, image.size, 1)), image.size, channels)


def reason(source: Source, **options: int) -> str:
    """Why an image cannot be opened and verified."""
    with pytest.raises(UnreadableError) as caught:
        open_image(source, **options).verify()
    return str(caught.value)


# Sources ----------------------------------------------------------------------------------------------------------


def test_every_kind_of_source_gives_the_same_pixels(tmp_path: Path) -> None:
    pixels = noise(7, 5)
    path = tmp_path / "1.png"
    path.write_bytes(encode(pixels))
    for source in (path, path.read_bytes(), pixels, Image.fromarray(pixels)):
        assert open_image(source).size == (7, 5)
        assert np.array_equal(whole(source), pixels)


def test_a_pillow_image_is_left_as_it_is() -> None:
    given_image = Image.open(io.BytesIO(encode(noise(7, 5), exif=turned(6))))
    assert open_image(given_image).size == (5, 7)
    assert np.array_equal(whole(given_image), np.rot90(noise(7, 5), -1))
    assert given_image.size == (7, 5)
    assert given_image.getexif()[0x0112] == 6


def test_a_pillow_jpeg_is_left_at_its_size() -> None:
    given_image = Image.open(io.BytesIO(encode(noise(96, 96), "JPEG")))
    open_image(given_image).read(Map(central_crop((96, 96), (8, 8), 1)), (8, 8), 3)
    assert np.asarray(given_image).shape == (96, 96, 3)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_grey_pixels(shape: tuple[int, ...]) -> None:
    pixels = noise(7, 5)[..., 0].reshape(shape)
    assert np.array_equal(whole(pixels, channels=1), pixels.reshape(5, 7, 1))
    assert np.array_equal(whole(pixels), np.repeat(pixels.reshape(5, 7, 1), 3, axis=2))


@pytest.mark.parametrize("format_", LOSSLESS)
def test_lossless_formats_give_their_pixels(format_: str, tmp_path: Path) -> None:
    path = tmp_path / f"1{SUFFIXES[format_][0].upper()}"
    path.write_bytes(encode(noise(20, 16), format_, **LOSSLESS[format_]))
    assert np.array_equal(whole(path), noise(20, 16))


def test_a_photo_in_avif() -> None:
    data = encode(ramps(40, 30), "AVIF", quality=100)
    assert np.abs(whole(data).astype(int) - ramps(40, 30)).max() <= 8  # its colours have half the resolution


@pytest.mark.parametrize("format_", ["GIF", "PNG", "TIFF", "WEBP", "AVIF"])
def test_of_many_images_the_first_is_read(format_: str) -> None:
    frames = [Image.new("RGB", (20, 16), colour) for colour in ("red", "blue")]
    data = encode(frames[0], format_, save_all=True, append_images=frames[1:])
    assert np.abs(whole(data).astype(int) - (255, 0, 0)).max() <= 4
    assert open_image(data).pillow.n_frames == 2  # type: ignore[attr-defined]


def psd(pixels: NDArray[np.uint8]) -> bytes:
    """A Photoshop file of no layers."""
    height, width, channels = pixels.shape
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, height, width, 8, 3)
    return header + struct.pack(">III", 0, 0, 0) + b"\0\0" + pixels.transpose(2, 0, 1).tobytes()


def cursor(pixels: NDArray[np.uint8]) -> bytes:
    data = bytearray(encode(pixels, "ICO", sizes=[pixels.shape[1::-1]], bitmap_format="bmp"))
    data[2] = 2
    return bytes(data)


XPM = b'/* XPM */\nstatic char *x[] = {\n"2 1 2 1",\n"a c #ff0000",\n"b c #0000ff",\n"ab"\n};\n'


@pytest.mark.parametrize(
    ("data", "pixels"),
    [(psd(noise(7, 5)), noise(7, 5)), (cursor(noise(16, 16)), noise(16, 16)), (XPM, [[(255, 0, 0), (0, 0, 255)]])],
    ids=["PSD", "CUR", "XPM"],
)
def test_formats_that_pillow_does_not_write(data: bytes, pixels: Any) -> None:
    assert np.array_equal(whole(data), pixels)


def test_a_format_whose_decoder_is_slow_is_refused_above_some_size() -> None:
    slow = b"qoif" + struct.pack(">IIBB", 2049, 2048, 3, 0) + b"\xfd" * 70_000
    assert reason(slow) == "QOI of more than 4,194,304 pixels takes too long to decode: save it as PNG"


def test_a_part_of_an_image_is_read() -> None:
    image = open_image(encode(noise(20, 16)))
    assert np.array_equal(image.read(Map(crop((3, 2, 10, 14), (7, 12))), (7, 12), 3), noise(20, 16)[2:14, 3:10])


# Orientation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation_stands_upright(orientation: int, format_: str) -> None:
    options = {"lossless": True} if format_ == "WEBP" else {}
    upright = ORIENTATIONS[orientation](noise(9, 5))
    data = encode(noise(9, 5), format_, exif=turned(orientation), **options)
    assert open_image(data).size == (upright.shape[1], upright.shape[0])
    assert np.array_equal(whole(data), upright)
    # a crop is placed on the upright image, not on the stored one
    part = open_image(data).read(Map(crop((1, 2, 4, 5), (3, 3))), (3, 3), 3)
    assert np.array_equal(part, upright[2:5, 1:4])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("side", [16, 8])
def test_every_orientation_is_placed_right_when_decoded_small(orientation: int, side: int) -> None:
    """At 1/8, 129 columns become 17, of which the image covers 16.125, on the side where its first column is."""
    upright = ORIENTATIONS[orientation](ramps(129, 137))
    height, width = upright.shape[:2]
    view = Map(central_crop((width, height), (side, side), 1))
    data = encode(ramps(129, 137), "JPEG", quality=100, subsampling=0, exif=turned(orientation))
    small = open_image(data).read(view, (side, side), 3).astype(int)
    full = open_image(np.ascontiguousarray(upright)).read(view, (side, side), 3).astype(int)
    assert np.abs(small - full).max() <= 4  # 15 where the 17 columns are taken for the whole image


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_an_unknown_orientation_is_none(orientation: int) -> None:
    assert np.array_equal(whole(encode(noise(7, 5), exif=turned(orientation))), noise(7, 5))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL[.]")  # Pillow's, of the damage that this test makes
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
@given(data=st.data())
def test_damaged_metadata_raises_nothing_but_unreadable(format_: str, data: st.DataObject) -> None:
    exif = turned(6)
    exif[0x010F] = "Maker"
    exif[0x011A] = 72.0
    exif.get_ifd(0x8769)[0x829A] = 1 / 60
    block = bytearray(exif.tobytes())
    for place, value in data.draw(st.lists(st.tuples(st.integers(6, len(block) - 1), st.integers(0, 255)), max_size=4)):
        block[place] = value
    try:
        image = open_image(encode(noise(9, 5), format_, exif=bytes(block)))
        assert image.size in ((9, 5), (5, 9))
        assert image.read(Map(central_crop(image.size, (4, 4), 1)), (4, 4), 3).shape == (4, 4, 3)
    except UnreadableError as error:
        assert str(error)  # noqa: PT017 (either outcome is right)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL[.]")  # Pillow's, of the damage that this test makes
def test_a_tiff_with_a_field_of_another_type_is_read_or_refused() -> None:
    """Each of its fields is given each type; where the strips begin, text or a fraction is no place."""
    data = encode(noise(9, 5), "TIFF", exif=turned(6))
    first = int.from_bytes(data[4:8], "little")
    fields = [first + 2 + 12 * i for i in range(int.from_bytes(data[first : first + 2], "little"))]
    refused = set()
    for field in fields:
        for kind in range(1, 19):
            changed = bytearray(data)
            changed[field + 2] = kind
            try:
                assert open_image(bytes(changed)).read(Map(central_crop((5, 9), (4, 4), 1)), (4, 4), 3).shape == (
                    4,
                    4,
                    3,
                )
            except UnreadableError:
                refused.add((int.from_bytes(data[field : field + 2], "little"), kind))
    assert {(273, 2), (273, 5), (273, 16)} <= refused  # tag 273 says where the strips begin
    assert (274, 3) not in refused  # which is what the orientation's type is


# Modes ------------------------------------------------------------------------------------------------------------


def test_rgb_becomes_grey_by_its_luma() -> None:
    pixels = noise(7, 5)
    luma = pixels @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    assert np.abs(whole(encode(pixels), channels=1)[..., 0] - luma).max() <= 1


def test_a_palette_becomes_its_colours() -> None:
    colours = np.array([[250, 0, 10], [0, 200, 30], [5, 6, 7]], np.uint8)
    numbers = np.array([[0, 1, 2], [2, 1, 1]], np.uint8)
    image = Image.fromarray(numbers)
    image.putpalette(colours.tobytes())
    for format_ in ("PNG", "GIF", "BMP"):
        assert np.array_equal(whole(encode(image, format_)), colours[numbers])
    grey = whole(encode(image), channels=1)
    assert np.abs(grey[..., 0] - (colours @ [0.299, 0.587, 0.114])[numbers]).max() <= 1


@pytest.mark.parametrize(
    ("transparency", "alpha"), [(1, [255, 0, 255]), (bytes([0, 128, 255]), [0, 128, 255])], ids=["one", "each"]
)
def test_transparency_of_a_palette_is_laid_over_white(transparency: int | bytes, alpha: list[int]) -> None:
    colours = np.array([[250, 0, 10], [0, 200, 30], [5, 6, 7]], np.uint8)
    numbers = np.array([[0, 1, 2], [2, 1, 1]], np.uint8)
    image = Image.fromarray(numbers)
    image.putpalette(colours.tobytes())
    share = np.array(alpha)[:, None] / 255
    expected = (colours * share + 255 * (1 - share))[numbers]
    assert np.abs(whole(encode(image, transparency=transparency)) - expected).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_is_laid_over_white(channels: int) -> None:
    grey = np.array([[0, 100, 200, 255, 50]], np.uint8)
    alpha = np.array([[0, 0, 128, 255, 255]], np.uint8)
    expected = grey * (alpha / 255) + 255 * (1 - alpha / 255)
    for pixels in (np.stack([grey, alpha], axis=-1), np.stack([grey, grey, grey, alpha], axis=-1)):
        got = whole(encode(pixels), channels)
        assert got.shape == (1, 5, channels)
        assert np.abs(got - expected[..., None]).max() <= 1


def test_a_transparent_colour_is_laid_over_white() -> None:
    pixels = np.array([[[1, 2, 3], [9, 9, 9]]], np.uint8)
    assert whole(encode(pixels, transparency=(1, 2, 3))).tolist() == [[[255] * 3, [9] * 3]]
    assert whole(encode(pixels[..., 0], transparency=1)).tolist() == [[[255] * 3, [9] * 3]]


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_16_bit_values_are_divided_by_257(format_: str) -> None:
    values = np.array([[0, 128, 129, 257, 385, 386], [32767, 32768, 65278, 65406, 65407, 65535]], np.uint16)
    expected = [[0, 0, 1, 1, 1, 2], [127, 128, 254, 254, 255, 255]]
    assert whole(encode(values, format_), channels=1)[..., 0].tolist() == expected
    assert whole(encode(values, format_))[..., 2].tolist() == expected


def test_one_bit_is_black_or_white() -> None:
    bits = np.array([[True, False, False], [False, True, True]])
    image = Image.fromarray(bits)
    assert image.mode == "1"
    assert whole(encode(image), channels=1)[..., 0].tolist() == [[255, 0, 0], [0, 255, 255]]
    assert whole(encode(image)).shape == (2, 3, 3)


@pytest.mark.parametrize(
    ("ink", "rgb"),
    [((0, 0, 0, 0), (255, 255, 255)), ((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 255), (0, 0, 0))],
)
def test_cmyk_becomes_rgb(ink: tuple[int, ...], rgb: tuple[int, ...]) -> None:
    data = encode(Image.new("CMYK", (32, 32), ink), "JPEG", quality=100)
    assert np.abs(whole(data).astype(int) - rgb).max() <= 3
    assert np.abs(whole(data, channels=1).astype(float) - np.dot(rgb, [0.299, 0.587, 0.114])).max() <= 3


def test_floating_point_pixels_need_a_white() -> None:
    data = encode(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4), "TIFF")
    with pytest.raises(UnreadableError, match=r"^its numbers are of the kind f4, of which none is known to be white"):
        whole(data)
    assert open_image(data).own_levels == (0, 1)


# What cannot be read ----------------------------------------------------------------------------------------------


def png_header(width: int, height: int) -> bytes:
    """A PNG of 8-bit RGB that says its size and has no pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    """The file has no pixels at all: had they been asked for, the reason would be another."""
    data = png_header(5000, 4000)
    sentence = "5000 x 4000 pixels are more than the limit of 19,999,999: check and train with --max-pixels 20000000"
    assert reason(data, max_pixels=19_999_999) == sentence
    assert "limit" not in reason(data, max_pixels=20_000_000)
    for source in (noise(7, 5), encode(noise(7, 5), "JPEG"), Image.fromarray(noise(7, 5))):
        assert open_image(source, max_pixels=35).size == (7, 5)


def test_a_bomb_is_refused() -> None:
    assert reason(png_header(65_000, 65_000)) == "more pixels than --max-pixels can allow: save it in parts"


def test_a_bomb_inside_an_image_of_another_size_is_refused() -> None:
    """An icon of 16 x 16, says its header; the PNG in it has 400 million pixels."""
    inside = png_header(20_000, 20_000)
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inside), 22) + inside
    for limit in (1_000_000, 1_000_000_000):
        assert reason(icon, max_pixels=limit) == "more pixels than --max-pixels can allow: save it in parts"


@pytest.mark.parametrize("exif", [{}, {"exif": turned(6)}])
def test_a_jpeg_may_have_four_times_the_pixels(exif: dict[str, Any]) -> None:
    data = encode(noise(8, 5), "JPEG", **exif)
    assert open_image(data, max_pixels=10).stored == (8, 5)
    assert reason(data, max_pixels=9).endswith("more than the limit of 36: check and train with --max-pixels 10")


def test_a_jpeg_that_pillow_decodes_whole_may_not() -> None:
    file = io.BytesIO()
    Image.new("CMYK", (8, 5)).save(file, "JPEG")
    assert reason(file.getvalue(), max_pixels=39).endswith("--max-pixels 40")


@pytest.mark.parametrize("limit", [10, None])
@pytest.mark.parametrize("format_", sorted({*FORMATS, *LOSSLESS} - {"ICO"}))
def test_the_limit_is_not_pillows(
    format_: str, limit: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow warns above its limit, which is an error here, and raises above twice as much."""
    path = tmp_path / f"1{SUFFIXES[format_][0]}"
    path.write_bytes(encode(noise(20, 16), format_, **LOSSLESS.get(format_, {})))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert whole(path).shape == (16, 20, 3)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"")
    assert reason(tmp_path / "1.png") == "the file is empty"
    assert reason(b"") == "the file is empty"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert reason(tmp_path / "1.png") == "No such file or directory"
    assert reason(tmp_path) == "expected a regular file; got a folder"


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no image", "not an image of a known format (JPEG, PNG, TIFF, WebP and others)"),
        (b"\n<svg xmlns='http://www.w3.org/2000/svg'/>", "a drawing in SVG has no pixels: save it as PNG"),
        (EPS, "PostScript is a program, which is not run: save it as PNG"),
        (b"%PDF-1.7\n", "a PDF is no image: save its pages as PNG"),
        (b"\xff\x0a\x8fA$", "JPEG XL is not read: save it as PNG, as `djxl IN.jxl OUT.png` does"),
    ],
)
def test_other_formats_are_refused_with_what_to_do(data: bytes, why: str) -> None:
    assert reason(data) == why


def test_a_format_that_begins_like_anything_is_read_by_its_name_alone(tmp_path: Path) -> None:
    data = encode(noise(16, 16), "TGA")
    assert reason(data).startswith("not an image of a known format")
    (tmp_path / "1.tga").write_bytes(data)
    assert open_image(tmp_path / "1.tga").size == (16, 16)


def test_heic_is_read_with_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic"
    monkeypatch.setattr("striate.data.image_formats.formats", lambda: ("JPEG",))
    monkeypatch.setattr("striate.data.decode.formats_of", lambda suffix: ("JPEG",))  # which remembers its answers
    assert reason(data) == (
        "HEIC is read where pillow-heif is installed, which striate does not bring along because it holds code under "
        "the GPL: pip install pillow-heif, or save it as JPEG"
    )


def test_a_photo_in_heic() -> None:
    pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    assert "HEIF" in formats()
    data = encode(ramps(64, 48), "HEIF", quality=100)
    assert np.abs(whole(data).astype(int) - ramps(64, 48)).mean() <= 4


def test_why_a_photo_in_heic_is_not_read_is_one_line() -> None:
    pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    data = encode(ramps(64, 48), "HEIF")
    assert re.fullmatch(r"\S.*[^\s]", reason(data[: len(data) // 2]))


def test_no_format_that_starts_a_program_is_read() -> None:
    """By choice and not by accident: Pillow knows them."""
    assert Image.open(io.BytesIO(EPS)).format == "EPS"
    assert not {"EPS", "WMF", "FITS", "IPTC", "MPEG"} & {*formats()}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(format_: str, share: float) -> None:
    data = encode(noise(40, 30), format_)
    assert reason(data[: int(len(data) * share)])


@pytest.mark.filterwarnings("ignore::UserWarning:PIL[.]")  # Pillow's, of the damage that this test makes
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # where the damage makes the size large
@given(
    st.sampled_from([*FORMATS, *(name for name in LOSSLESS if name not in FORMATS)]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_a_damaged_file_raises_nothing_but_unreadable(format_: str, changes: list[tuple[float, int]]) -> None:
    options = {"exif": turned(6)} if format_ in FORMATS else LOSSLESS[format_]
    data = bytearray(encode(noise(20, 16), format_, **options))
    for place, value in changes:
        data[int(place * len(data))] = value
    try:
        image = open_image(bytes(data), max_pixels=10_000)
        assert image.read(Map(central_crop(image.size, (4, 4), 1)), (4, 4), 3).shape == (4, 4, 3)
    except UnreadableError as error:
        assert str(error)  # noqa: PT017 (either outcome is right)
