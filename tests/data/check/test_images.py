from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import Index, build
from striate.data.check.images import left_out, odd_images, wrong_suffixes
from striate.data.check.scan_index import scan_index

Save = Callable[..., Path]


def found(index: Index) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(finding.kind, finding.reason, finding.paths) for finding in odd_images(index, scan_index(index))]


def test_ordinary_images_are_not_worth_a_word(tmp_path: Path, save_picture: Save) -> None:
    names = [save_picture(tmp_path / f"{n}.png", size=(8 + 10 * n, 8 + n), seed=n).name for n in range(4)]
    assert found(build(tmp_path, ("ant",), names)) == []


@pytest.mark.parametrize(
    ("size", "kinds"),
    [((8, 8), []), ((7, 8), ["tiny"]), ((8, 3), ["tiny"]), ((79, 8), []), ((80, 8), ["narrow"]), ((8, 80), ["narrow"]),
     ((90, 5), ["tiny", "narrow"])],
)  # fmt: skip
def test_sizes(tmp_path: Path, save_picture: Save, size: tuple[int, int], kinds: list[str]) -> None:
    save_picture(tmp_path / "1.png", size=size)
    reason = f"{size[0]} x {size[1]} pixels"
    assert found(build(tmp_path, ("ant",), ["1.png"])) == [(kind, reason, ("1.png",)) for kind in kinds]


@pytest.mark.parametrize(("size", "usual", "odd"), [
    ((80, 20), (20, 20), True), ((79, 20), (20, 20), False), ((20, 80), (20, 20), True),
    ((80, 20), (60, 20), False), ((20, 20), (80, 20), True),
])  # fmt: skip
def test_an_image_of_another_shape_than_the_others(
    tmp_path: Path, save_picture: Save, size: tuple[int, int], usual: tuple[int, int], odd: bool
) -> None:
    names = [save_picture(tmp_path / f"{n}.png", size=size if n == 0 else usual, seed=n).name for n in range(4)]
    reason = f"{size[0]} x {size[1]} pixels"
    assert found(build(tmp_path, ("ant",), names)) == ([("narrow", reason, ("0.png",))] if odd else [])


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_transparent_colour_is_transparency(tmp_path: Path, save_picture: Save, mode: str) -> None:
    with Image.open(save_picture(tmp_path / "0.png", size=(20, 20))) as photo:
        shown = photo.quantize(8) if mode == "P" else photo.convert(mode)
    shown.save(tmp_path / "1.png")
    shown.save(tmp_path / "2.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    said = {kind: paths for kind, _, paths in found(build(tmp_path, ("ant",), ["0.png", "1.png", "2.png"]))}
    assert said["alpha"] == ("2.png",)


def test_images_that_hold_nothing(tmp_path: Path) -> None:
    noisy = np.random.default_rng(0).normal((250, 100, 20), 1, (40, 40, 3))
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(tmp_path / "sensor.png")
    faint = np.full((40, 40), 100, np.uint8)
    faint[:20] = 106
    Image.fromarray(faint).convert("RGB").save(tmp_path / "faint.png")
    index = build(tmp_path, ("ant",), ["sensor.png", "faint.png"])
    assert found(index) == [("blank", "one colour alone, 40 x 40 pixels", ("sensor.png",))]


def test_what_many_have_in_common_is_said_once(tmp_path: Path, save_picture: Save) -> None:
    names = [save_picture(tmp_path / f"{n}.png", size=(20, 20), seed=n).name for n in range(4)]
    photo = Image.open(tmp_path / "0.png")
    exif = Image.Exif()
    exif[0x0112] = 8
    photo.save(tmp_path / "turned.jpg", exif=exif)
    photo.convert("L").save(tmp_path / "grey.jpg")
    photo.convert("RGBA").save(tmp_path / "alpha.png")
    photo.convert("P").save(tmp_path / "film.gif", save_all=True, append_images=[Image.open(tmp_path / "1.png")])
    index = build(tmp_path, ("ant",), [*names, "turned.jpg", "grey.jpg", "alpha.png", "film.gif"])
    assert found(index) == [
        ("animated", "2 images in one file", ("film.gif",)),
        ("mixed-grey", "1 of 8 images", ("grey.jpg",)),
        ("alpha", "1 of 8 images", ("alpha.png",)),
        ("turned", "1 of 8 images", ("turned.jpg",)),
    ]


def test_grey_among_grey_is_not_odd(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)
    for name in ("1.png", "2.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    assert found(build(tmp_path, ("ant",), ["1.png", "2.png"])) == []


def test_grey_of_any_depth_is_odd_among_colours(tmp_path: Path, save_picture: Save) -> None:
    values = np.random.default_rng(0).random((20, 20), np.float32)
    Image.fromarray(values).save(tmp_path / "float.tif")
    Image.fromarray((values * 60000).astype(np.uint16)).save(tmp_path / "deep.png")
    names = ["float.tif", "deep.png", save_picture(tmp_path / "1.png", size=(20, 20)).name]
    assert found(build(tmp_path, ("ant",), names)) == [("mixed-grey", "2 of 3 images", ("float.tif", "deep.png"))]


def test_rows_that_are_not_used(tmp_path: Path, save_picture: Save) -> None:
    save_picture(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"")
    index = build(tmp_path, ("ant",), ["1.png", "2.png", "3.xml"], reason=[None, None, "not an image by its name"])
    assert [(each.kind, each.path, each.reason, each.used) for each in left_out(index, scan_index(index))] == [
        ("unreadable", "2.png", "the file is empty", False),
        ("left-out", "3.xml", "not an image by its name", False),
    ]


def test_names_that_promise_another_format(tmp_path: Path, save_picture: Save) -> None:
    save_picture(tmp_path / "1.bmp").rename(tmp_path / "1.JPG")
    save_picture(tmp_path / "2.png").rename(tmp_path / "2")
    save_picture(tmp_path / "3.png").rename(tmp_path / "photo#3")
    save_picture(tmp_path / "4.jpeg")
    save_picture(tmp_path / "below/5.jpeg").rename(tmp_path / "below/5")
    index = build(tmp_path, ("ant",), ["1.JPG", "2", "photo#3", "4.jpeg", "below/5"])
    assert [(each.path, each.reason, each.used) for each in wrong_suffixes(index, scan_index(index))] == [
        ("1.JPG", "its content is BMP, its name ends in .jpg", True),
        ("2", "2 files without a suffix in the root, PNG by content", True),
        ("below/5", "1 file without a suffix in below, JPEG by content", True),
    ]
