import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scanned import scan_image
from scipy.fft import dctn

from striate.data import UnreadableError, open_image
from striate.data.check.scan import (
    FREQUENCIES,
    RECORD,
    SIDE,
    VIEW,
    WAVES,
    colour_sums,
    contrast,
    frequencies,
    perceptual_hash,
    thumbnail,
    view,
)


def scene(seed: int = 0, size: tuple[int, int] = (300, 200)) -> Image.Image:
    """Smooth blobs of colour: no two seeds look alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def distance(one: np.uint64, other: np.uint64) -> int:
    return int(np.bitwise_count(one ^ other))


def test_what_a_look_tells() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    scan = scan_image(open_image(encoded(scene(), "JPEG", exif=exif)))
    assert scan.dtype == RECORD
    assert (scan["width"], scan["height"], scan["orientation"]) == (200, 300, 6)
    assert (scan["format"], scan["mode"], scan["frames"]) == (b"JPEG", b"RGB", 1)
    assert scan["count"] == VIEW * VIEW


def test_bare_pixels_have_no_format() -> None:
    scan = scan_image(open_image(np.zeros((5, 6), np.uint8)))
    assert (scan["format"], scan["mode"]) == (b"", b"L")
    assert (scan["width"], scan["height"]) == (6, 5)


def test_frames_are_counted() -> None:
    frames = [scene(seed).convert("P") for seed in range(3)]
    animated = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert scan_image(open_image(animated))["frames"] == 3
    phone = encoded(scene(), "MPO", save_all=True, append_images=[scene(1)])
    assert scan_image(open_image(phone))["frames"] == 1


def test_an_image_that_is_cut_off_is_not_seen() -> None:
    whole = encoded(scene(), "JPEG")
    with pytest.raises(UnreadableError, match="truncated"):
        scan_image(open_image(whole[:-200]))


def test_the_waves_are_those_of_the_cosine_transform() -> None:
    pixels = view(open_image(encoded(scene(), "PNG")))
    grey = thumbnail(pixels) @ np.array([0.299, 0.587, 0.114])
    expected = dctn(grey, type=2)[:FREQUENCIES, :FREQUENCIES] / 4
    np.testing.assert_allclose(frequencies(pixels), expected, atol=1e-6)
    assert WAVES.shape == (FREQUENCIES, SIDE)


def test_a_hash_has_as_many_ones_as_zeros() -> None:
    for seed in range(5):
        value = perceptual_hash(frequencies(view(open_image(encoded(scene(seed), "PNG")))))
        assert abs(int(np.bitwise_count(value)) - 32) <= 1


@pytest.mark.parametrize(
    "copy",
    [
        encoded(scene(), "JPEG", quality=30),
        encoded(scene().resize((150, 100)), "JPEG"),
        encoded(scene().resize((900, 600)), "PNG"),
        encoded(scene().point(lambda value: value * 0.8 + 20), "PNG"),
    ],
    ids=["poorer", "smaller", "larger", "paler"],
)
def test_copies_have_near_hashes_and_others_far_ones(copy: bytes) -> None:
    original, other = (scan_image(open_image(encoded(scene(seed), "PNG"))) for seed in (0, 1))
    assert distance(scan_image(open_image(copy))["hash"], original["hash"]) <= 4
    assert distance(original["hash"], other["hash"]) > 15


def test_the_mirrored_hash_is_that_of_the_mirror_image() -> None:
    image = scene(size=(256, 256))
    one = scan_image(open_image(encoded(image, "PNG")))
    mirrored = scan_image(open_image(encoded(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG")))
    assert distance(one["mirrored"], mirrored["hash"]) <= 2
    assert distance(one["hash"], mirrored["hash"]) > 15


def test_the_digest_of_pixels_forgets_the_file_and_knows_the_size() -> None:
    one = scan_image(open_image(encoded(scene(), "PNG")))["pixels"]
    assert scan_image(open_image(encoded(scene(), "BMP")))["pixels"] == one
    assert scan_image(open_image(encoded(scene(1), "PNG")))["pixels"] != one
    white = [scan_image(open_image(np.full((side, side), 255, np.uint8)))["pixels"] for side in (8, 9)]
    assert white[0] != white[1]


def records(*pixels: NDArray[np.uint8]) -> NDArray[np.void]:
    return np.stack([scan_image(open_image(each)) for each in pixels])


def test_contrast_is_about_each_channels_own_mean() -> None:
    half = np.zeros((VIEW, VIEW, 3), np.uint8)
    half[:, VIEW // 2 :] = 200
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 255
    np.testing.assert_allclose(contrast(records(half, red)), [100, 0], atol=1e-6)


def test_the_colours_of_all_are_the_sums_of_each() -> None:
    grey = np.full((VIEW, VIEW, 3), 10, np.uint8)
    red = np.zeros((VIEW, VIEW, 3), np.uint8)
    red[..., 0] = 4
    sums = colour_sums(records(grey, red))
    assert sums.count == 2 * VIEW * VIEW
    assert sums.total == (14 * VIEW * VIEW, 10 * VIEW * VIEW, 10 * VIEW * VIEW)
    assert sums.products[0] == (100 + 16) * VIEW * VIEW
    assert sums == colour_sums(records(red, grey))


def test_a_header_read_without_pillow_says_what_pillow_would(tmp_path: Path) -> None:
    for mode in ("L", "RGB", "CMYK"):
        Image.new(mode, (40, 30)).save(tmp_path / "1.jpg")
        opened = open_image(tmp_path / "1.jpg")
        assert opened.format_and_mode == ("JPEG", mode) == (opened.pillow.format, opened.pillow.mode)
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green")]
    frames[0].save(tmp_path / "2.jpg", "MPO", save_all=True, append_images=frames[1:])
    assert open_image(tmp_path / "2.jpg").format_and_mode == ("MPO", "RGB")


def test_thumbnails_and_hashes_are_those_of_plain_numpy() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (VIEW, VIEW, 3), np.uint8)
    expected = pixels.reshape(VIEW // 2, 2, VIEW // 2, 2, 3).mean(axis=(1, 3), dtype=np.float32)
    assert np.array_equal(thumbnail(pixels), expected)
    waves = frequencies(pixels)
    bits = waves.ravel() > np.median(waves.ravel()[1:])
    assert perceptual_hash(waves) == int.from_bytes(np.packbits(bits).tobytes())
