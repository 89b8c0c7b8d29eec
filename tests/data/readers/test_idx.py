import gzip
import mmap
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from reading import column, refusal

from striate.augment import Map, central_crop
from striate.data import Index, IndexedImages, read
from striate.data.readers.idx import load_images


def pixels_of(index: Index, row: int) -> NDArray[np.uint8]:
    image = IndexedImages(index).open(row)
    return image.read(Map(central_crop(image.size, image.size, 1)), image.size, 3)


def idx_bytes(values: NDArray[np.uint8]) -> bytes:
    """An idx file, written from its description: zeros, the type, the number of dimensions, each, the values."""
    return b"\0\0\x08" + bytes([values.ndim]) + b"".join(struct.pack(">I", n) for n in values.shape) + values.tobytes()


def idx_pair(
    folder: Path, images: NDArray[np.uint8], labels: Sequence[int], prefix: str = "train", suffix: str = ""
) -> Path:
    for kind, values in ((f"images-idx{images.ndim}", images), ("labels-idx1", np.array(labels, np.uint8))):
        data = idx_bytes(values)
        path = folder / f"{prefix}-{kind}-ubyte{suffix}"
        path.write_bytes(gzip.compress(data) if suffix else data)
    return folder


def random_images(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(len(shape)).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_are_read(suffix: str, tmp_path: Path) -> None:
    train, test = random_images(3, 4, 5), random_images(2, 4, 5)
    idx_pair(tmp_path, train, [1, 0, 3], "train", suffix)
    idx_pair(tmp_path, test, [2, 2], "t10k", suffix)
    index = read(tmp_path)
    assert index.classes == ("0", "1", "2", "3")
    assert column(index, "split") == ["test", "test", "train", "train", "train"]
    assert column(index, "label") == [2, 2, 1, 0, 3]
    assert index.paths()[-1] == f"train-images-idx3-ubyte{suffix}#2"
    for row, expected in enumerate([*test, *train]):
        assert np.array_equal(pixels_of(index, row)[..., 1], expected)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_images_are_mapped(suffix: str, tmp_path: Path) -> None:
    images = random_images(3, 4, 5)
    idx_pair(tmp_path, images, [1, 0, 3], suffix=suffix)
    mapped = load_images(tmp_path / f"train-images-idx3-ubyte{suffix}")
    assert np.array_equal(mapped, images)
    source: object = mapped
    while isinstance(source, np.ndarray):
        source = source.base
    assert isinstance(source, mmap.mmap)


def test_without_room_in_the_cache_images_are_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "file"))  # in which no folder can be made
    images = random_images(3, 4, 5)
    index = read(idx_pair(tmp_path, images, [1, 0, 3], suffix=".gz"))
    assert column(index, "label") == [1, 0, 3]
    assert np.array_equal(pixels_of(index, 2)[..., 0], images[2])


def test_idx_files_in_colour(tmp_path: Path) -> None:
    images = random_images(2, 4, 5, 3)
    index = read(idx_pair(tmp_path, images, [0, 1], "val"))
    assert column(index, "split") == ["val", "val"]
    assert np.array_equal(pixels_of(index, 1), images[1])


def test_idx_files_of_no_known_split(tmp_path: Path) -> None:
    assert column(read(idx_pair(tmp_path, random_images(1, 2, 2), [0], "emnist")), "split") == [None]


def test_idx_images_need_their_labels(tmp_path: Path) -> None:
    idx_pair(tmp_path, random_images(2, 4, 5), [0, 1])
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    images = tmp_path / "train-images-idx3-ubyte"
    assert refusal(tmp_path) == f"{images}: expected its labels in train-labels-idx1-ubyte; got no such file."


def test_idx_labels_are_one_a_image(tmp_path: Path) -> None:
    labels = idx_pair(tmp_path, random_images(2, 4, 5), [0, 1, 2]) / "train-labels-idx1-ubyte"
    assert refusal(tmp_path) == f"{labels}: expected 2 labels, one an image; got shape (3,)."


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "nothing"),
        (b"\0\0\x08", "00 00 08"),
        (b"\x89PNG\r\n", "89 50 4e 47"),
        (b"\0\0\x0d\x03" + bytes(12), "00 00 0d 03"),  # floating-point values
        (b"\0\0\x08\x03" + bytes(11), "00 00 08 03"),  # three dimensions, and no room for them
    ],
)
def test_an_idx_header_is_checked(content: bytes, got: str, tmp_path: Path) -> None:
    path = idx_pair(tmp_path, random_images(2, 4, 5), [0, 1]) / "train-images-idx3-ubyte"
    path.write_bytes(content)
    assert refusal(tmp_path) == f"{path}: expected an idx file of bytes; got a header of {got}."


@pytest.mark.parametrize(
    ("shape", "values", "expected"),
    [
        ((2, 4, 5), 39, "2 x 4 x 5 values, as its header says; got 39"),
        ((2, 4, 5), 41, "2 x 4 x 5 values, as its header says; got 41"),
        ((2**16,) * 4, 0, "65536 x 65536 x 65536 x 65536 values, as its header says; got 0"),  # 0 modulo 2^64
    ],
)
def test_an_idx_file_holds_what_its_header_says(
    shape: tuple[int, ...], values: int, expected: str, tmp_path: Path
) -> None:
    path = idx_pair(tmp_path, random_images(2, 4, 5), [0, 1]) / "train-images-idx3-ubyte"
    path.write_bytes(b"\0\0\x08" + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes(values))
    assert refusal(tmp_path) == f"{path}: expected {expected}."


@pytest.mark.parametrize("shape", [(2,), (2, 4), (2, 4, 5, 2), (2, 4, 0)])
def test_idx_images_have_the_shape_of_images(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = idx_pair(tmp_path, random_images(2, 4, 5), [0, 1]) / "train-images-idx3-ubyte"
    path.write_bytes(idx_bytes(random_images(*shape)))
    assert refusal(tmp_path) == f"{path}: expected images, N x H x W or N x H x W x 3; got shape {shape}."


def test_idx_files_of_many_dimensions_are_refused(tmp_path: Path) -> None:
    path = idx_pair(tmp_path, random_images(2, 4, 5), [0, 1]) / "train-images-idx3-ubyte"
    path.write_bytes(bytes([0, 0, 8, 255]) + bytes([0, 0, 0, 1] * 255) + b"x")
    assert refusal(tmp_path) == f"{path}: expected an idx file of 1 to 4 dimensions; got 255."


def test_idx_files_of_no_images(tmp_path: Path) -> None:
    index = read(idx_pair(tmp_path, random_images(0, 4, 5), []))
    assert (len(index), index.classes) == (0, ())


def test_a_damaged_gzip_is_named(tmp_path: Path) -> None:
    path = idx_pair(tmp_path, random_images(9, 9, 9), range(9), suffix=".gz") / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    for damaged in (whole[:-9], b"text", whole[:30] + bytes(40) + whole[70:], whole[:10] + b"\xff" + whole[11:]):
        path.write_bytes(damaged)
        assert refusal(tmp_path).startswith(f"{path}: ")
