import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import GivenImages, IndexedImages, UnreadableError, build, read
from striate.data.readers import idx


def idx_file(path: Path, *shape: int) -> None:
    header = b"\0\0\x08" + bytes([len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    path.write_bytes(header + bytes(int(np.prod(shape))))


def test_given_images_are_named_by_path_or_place(tmp_path: Path, save_picture: Callable[..., Path]) -> None:
    path = save_picture(tmp_path / "1.png", size=(4, 3))
    images = GivenImages([path, path.read_bytes(), np.zeros((5, 6), np.uint8), Image.new("RGB", (7, 8))])
    assert [images.path(row) for row in range(4)] == [str(path), "image 1", "image 2", "image 3"]
    assert [images.open(row).size for row in range(4)] == [(4, 3), (4, 3), (6, 5), (7, 8)]


def test_the_limit_of_pixels_holds_for_each_kind(tmp_path: Path, save_picture: Callable[..., Path]) -> None:
    path = save_picture(tmp_path / "ant/1.png", size=(4, 3))
    for images in (GivenImages([path], max_pixels=11), IndexedImages(read(tmp_path), max_pixels=11)):
        with pytest.raises(UnreadableError, match=r"^4 x 3 pixels are more than the limit of 11: .* --max-pixels 12$"):
            images.open(0)
    assert IndexedImages(read(tmp_path), max_pixels=12).open(0).size == (4, 3)


def test_a_number_sign_in_a_name_is_a_letter_like_others(tmp_path: Path, save_picture: Callable[..., Path]) -> None:
    save_picture(tmp_path / "1.png", size=(4, 3)).rename(tmp_path / "photo#1")
    save_picture(tmp_path / "a#b.png", size=(5, 3))
    images = IndexedImages(build(tmp_path, ("ant",), ["photo#1", "a#b.png"], label=[0, 0]))
    assert [images.open(row).size for row in (0, 1)] == [(4, 3), (5, 3)]
    assert [images.path(row) for row in (0, 1)] == ["photo#1", "a#b.png"]


def test_a_file_of_many_images_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    idx_file(tmp_path / "train-ubyte", 64, 3, 4)
    loads = []
    load, lock = idx.load_array, threading.Lock()

    def counted(path: Path) -> object:
        with lock:
            loads.append(path)
        return load(path)

    monkeypatch.setattr(idx, "load_array", counted)
    images = IndexedImages(build(tmp_path, ("ant",), [f"train-ubyte#{i}" for i in range(64)], label=[0] * 64))
    assert loads == []
    with ThreadPoolExecutor(8) as pool:
        assert [image.size for image in pool.map(images.open, range(64))] == [(4, 3)] * 64
    assert loads == [tmp_path / "train-ubyte"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("letters-ubyte#0", r"expected images, N x H x W or N x H x W x 3; got shape \(2,\)"),
        ("none-ubyte#0", "cannot be read"),
        ("images-ubyte#2", "^images-ubyte holds 2 images, numbered from 0$"),
        ("none.parquet#0", "expected a Parquet file of images"),
        ("text.parquet#0", "expected a Parquet file of images"),
        ("plain#0", "^No such file or directory$"),
        ("", "^expected a regular file; got a folder$"),
    ],
)
def test_a_path_that_names_no_image_has_a_reason(path: str, reason: str, tmp_path: Path) -> None:
    """A CSV may name any path; none of them stops the check."""
    idx_file(tmp_path / "letters-ubyte", 2)
    idx_file(tmp_path / "images-ubyte", 2, 3, 3)
    (tmp_path / "text.parquet").write_bytes(b"text")
    images = IndexedImages(build(tmp_path, ("ant",), [path], label=[0]))
    for _ in range(2):
        with pytest.raises(UnreadableError, match=reason):
            images.open(0)
