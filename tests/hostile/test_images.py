"""Images and folders made to take long: each is left out with a reason that names the limit."""

import gzip
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scanned import scan_image

from striate.data.check.scan import MOST_PAGES
from striate.data.decode import UnreadableError, open_image

Refusal = Callable[..., str]


def encoded(kind: str, **options: bool) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(content, kind, **options)
    return content.getvalue()


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded() -> None:
    content = encoded("JPEG", progressive=True)
    assert scan_image(open_image(content))["width"] == 40
    start = content.rindex(b"\xff\xda")
    header = content[start : start + 2 + struct.unpack(">H", content[start + 2 : start + 4])[0]]
    with pytest.raises(UnreadableError, match=r"^a JPEG of 20,010 scans, which are more than the limit of 100$"):
        open_image(content[:-2] + header * 20_000 + content[-2:])


def test_a_tiff_of_many_pages_is_counted_as_far_as_the_limit() -> None:
    content = bytearray(encoded("TIFF"))
    directory = struct.unpack("<I", content[4:8])[0]
    length = 2 + 12 * struct.unpack("<H", content[directory : directory + 2])[0]
    entries = bytes(content[directory : directory + length])
    struct.pack_into("<I", content, directory + length, len(content))
    for _ in range(20_000):
        content += entries + struct.pack("<I", len(content) + length + 4)
    content[-4:] = bytes(4)
    assert scan_image(open_image(bytes(content)))["frames"] == MOST_PAGES


@pytest.mark.parametrize(("count", "told"), [(1, 1), (2, 2), (30, 30), (3 * MOST_PAGES, MOST_PAGES)])
def test_frames_of_a_gif_are_counted_up_to_a_limit(count: int, told: int) -> None:
    file = io.BytesIO()
    frames = [Image.fromarray(np.full((9, 11), 100 * (n % 2), np.uint8)) for n in range(2)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    content = file.getvalue()
    start = content.rindex(b"\x21\xf9")  # the second frame, with its extension
    frame = content[start:-1]
    opened = open_image(content[:start] + frame * (count - 1) + b";")
    assert scan_image(opened)["frames"] == told
    assert opened.decode(1, 1).shape[:2] == (9, 11)


def test_a_gzip_that_holds_more_than_its_header_says(tmp_path: Path, refusal: Refusal) -> None:
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz", "wb", compresslevel=1) as file:
        file.write(struct.pack(">4B3I", 0, 0, 8, 3, 10, 28, 28) + bytes(100_000_000))
    with gzip.open(tmp_path / "train-labels-idx1-ubyte.gz", "wb") as file:
        file.write(struct.pack(">4BI", 0, 0, 8, 1, 10) + bytes(10))
    assert "expected 10 x 28 x 28 values, as its header says; got 7841" in refusal("check", tmp_path, code=3)


def test_an_idx_of_255_dimensions(tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 255]) + bytes(2000))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 0))
    assert "dimensions; got 255" in refusal("check", tmp_path, code=3)


def test_folders_1500_deep(tmp_path: Path, refusal: Refusal) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert "expected at most 32 folders below one another" in refusal("check", tmp_path, code=3)
    for _ in range(1500):  # pytest's own removal goes as deep as Python's stack
        (tmp_path / "d").rename(tmp_path / "up")
        for each in (tmp_path / "up").iterdir():
            each.rename(tmp_path / "d")
        (tmp_path / "up").rmdir()


def test_a_label_of_a_megabyte(tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    (tmp_path / "labels.csv").write_text(f"path,label\na.png,{'x' * 1_000_000}\n")
    assert "no labels" in refusal("check", tmp_path, code=3)
    assert "field larger than field limit" in refusal("check", tmp_path / "labels.csv", code=3)
