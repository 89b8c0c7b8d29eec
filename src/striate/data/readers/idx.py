"""idx files, the format of MNIST: TRAIN-images-idx3-ubyte and TRAIN-labels-idx1-ubyte, gzipped or not.

Source: the description on the MNIST page: two zero bytes, a byte for the type, a byte for the number of dimensions,
each dimension as a big-endian 32-bit number, then the values.
"""

import gzip
import io
import math
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from striate.data.index import Index, build
from striate.data.layouts.layout import Layout
from striate.data.layouts.names import parts_of
from striate.data.layouts.options import ReadOptions
from striate.data.readers.cached_copy import cached_copy, numbered
from striate.data.readers.unpacking import RATIO, most_unpacked
from striate.errors import DataError
from striate.files import open_regular, regular

CHUNK = 1 << 20
UBYTE = 0x08
DIMENSIONS = 4  # of images in colour: N x H x W x 3
SPLIT_PREFIXES = {"t10k": "test"}  # beside the words that folders have


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads pairs of idx files; classes are named by their numbers.

    Raises:
        DataError: if a file is missing, or is not what its header says.
    """
    paths: list[pa.Array] = []
    split: list[str | None] = []
    labels: list[NDArray[np.int64]] = []
    for file in layout.files:
        images_path = layout.tree.read_name(_renamed(file, "labels", "images"))
        labels_path = layout.tree.read_name(_renamed(file, "images", "labels"))
        packed = labels_path.with_name(f"{labels_path.name}.gz")
        labels_path = next((path for path in (labels_path, packed) if path.exists()), labels_path)
        for path, what in ((labels_path, "labels"), (images_path, "images")):
            if not path.exists():
                raise DataError(f"{layout.tree.read_name(file)}: expected its {what} in {path.name}; got no such file.")
        values = load_array(labels_path).astype(np.int64)
        count = len(load_images(images_path))
        if values.shape != (count,):
            raise DataError(f"{labels_path}: expected {count} labels, one an image; got shape {values.shape}.")
        paths.append(numbered(_renamed(file, "labels", "images"), count))
        prefix = images_path.name.lower().partition("images")[0]
        split += [next((s for word, s in SPLIT_PREFIXES.items() if word in prefix), parts_of(prefix).split)] * count
        labels.append(values)
    label = np.concatenate(labels)
    classes = [str(i) for i in range(int(label.max(initial=-1)) + 1)]
    return build(layout.tree.root, classes, pa.concat_arrays(paths), label=label, split=split)


def _renamed(file: str, before: str, after: str) -> str:
    """The file of the images that go with labels, or the other way round."""
    folder, slash, name = file.rpartition("/")
    numbers = {"images": ("idx1", "idx3"), "labels": ("idx3", "idx1")}[after]
    if before not in name:
        return file
    return (
        folder
        + slash
        + name.replace(before, after).replace(*numbers).replace("idx4" if after == "labels" else "idx1", numbers[1])
    )


def load_images(path: Path) -> NDArray[np.uint8]:
    """The images of one idx file, mapped into memory: (N, H, W), (N, H, W, 1) or (N, H, W, 3).

    Raises:
        DataError: if the file holds no array of bytes of such a shape.
    """
    values = load_array(path)
    if values.ndim not in (3, 4) or values.shape[3:] not in ((), (1,), (3,)) or 0 in values.shape[1:]:
        raise DataError(f"{path}: expected images, N x H x W or N x H x W x 3; got shape {values.shape}.")
    return values


def load_array(path: Path) -> NDArray[np.uint8]:
    """The values of one idx file, mapped into memory; of a gzipped one, from an unpacked copy in the user's cache.

    Where the cache has no room for that, they are held in memory.

    Raises:
        DataError: if the file is not an idx file of bytes, or holds more or less than its header says.
    """
    try:
        data = _unzipped(path) if path.suffix == ".gz" else _mapped(path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}.") from error
    shape, start = _header(data[: 4 + 4 * DIMENSIONS].tobytes(), path)
    values = data[start:]
    if values.size != math.prod(shape):
        raise DataError(
            f"{path}: expected {' x '.join(map(str, shape))} values, as its header says; got {values.size}."
        )
    return values.reshape(shape)


def _header(start: bytes, path: Path) -> tuple[tuple[int, ...], int]:
    """The shape that a file's first bytes say, and where its values begin."""
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] != UBYTE or len(start) < 4 + 4 * min(start[3], DIMENSIONS):
        raise DataError(f"{path}: expected an idx file of bytes; got a header of {start[:4].hex(' ') or 'nothing'}.")
    if not 1 <= start[3] <= DIMENSIONS:
        raise DataError(f"{path}: expected an idx file of 1 to {DIMENSIONS} dimensions; got {start[3]}.")
    end = 4 + 4 * start[3]
    return struct.unpack(f">{start[3]}I", start[4:end]), end


def _mapped(path: Path) -> NDArray[np.uint8]:
    """The bytes of a file, read from the disk where they are used."""
    if regular(path).stat().st_size == 0:  # which cannot be mapped
        return np.empty(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, "r"))


def _unzipped(path: Path) -> NDArray[np.uint8]:
    _unzip(path, None)  # what is wrong with the header is said before anything is written
    try:
        return _mapped(cached_copy(path, "idx", partial(_gunzip, path)))
    except OSError:  # of the cache; if of the file, the next lines say so
        unzipped = io.BytesIO()
        _unzip(path, unzipped)
        return np.frombuffer(unzipped.getvalue(), np.uint8)


def _gunzip(path: Path, to: Path) -> None:
    with to.open("wb") as file:
        _unzip(path, file)


def _unzip(path: Path, to: BinaryIO | None) -> None:
    """Copies as much as the header says and a byte more, which tells of too much; without `to`, looks at the header."""
    with open_regular(path) as packed, gzip.open(packed) as content:
        start = content.read(4 + 4 * DIMENSIONS)
        shape, begin = _header(start, path)
        size = begin + math.prod(shape)
        if size > most_unpacked(path.stat().st_size):
            raise DataError(
                f"{path}: expected at most {RATIO} times its own size unpacked; its header says {size:,} bytes. "
                "Unpack it yourself if you trust it."
            )
        if to is None:
            return
        to.write(start)
        left = size + 1 - len(start)
        while left > 0 and (chunk := content.read(min(left, CHUNK))):
            to.write(chunk)
            left -= len(chunk)
