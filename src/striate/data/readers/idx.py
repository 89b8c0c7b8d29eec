"""idx files, the format of MNIST: TRAIN-images-idx3-ubyte and TRAIN-labels-idx1-ubyte, gzipped or not.

Source: the description on the MNIST page: two zero bytes, a byte for the type, a byte for the number of dimensions,
each dimension as a big-endian 32-bit number, then the values.
"""

import gzip
import math
import re
import shutil
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from striate.data.index import Index, build
from striate.data.readers.cached_copy import cached_copy, numbered
from striate.errors import DataError

UBYTE = 0x08
SPLIT_PREFIXES = {"train": "train", "t10k": "test", "test": "test", "val": "val"}
IMAGES = re.compile(r"(?P<prefix>.+?)[-.]images[-.]idx[34][-.]ubyte(\.gz)?")


def recognises(path: Path) -> bool:
    """Whether `path` is a folder that holds idx pictures."""
    return path.is_dir() and any(IMAGES.fullmatch(entry.name) for entry in path.iterdir())


def read(root: Path) -> Index:
    """Reads every pair of idx files of a folder; classes are named by their numbers.

    Raises:
        DataError: if a labels file is missing, or a file is not what its header says.
    """
    paths: list[pa.Array] = []
    split: list[str | None] = []
    labels: list[NDArray[np.int64]] = []
    for entry in sorted(root.iterdir()):
        match = IMAGES.fullmatch(entry.name)
        if match is None:
            continue
        labels_path = root / entry.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
        if not labels_path.exists():
            raise DataError(f"{entry}: expected its labels in {labels_path.name}; got no such file.")
        values = load_array(labels_path).astype(np.int64)
        count = len(load_pictures(entry))
        if values.shape != (count,):
            raise DataError(f"{labels_path}: expected {count} labels, one a picture; got shape {values.shape}.")
        paths.append(numbered(entry.name, count))
        split += [SPLIT_PREFIXES.get(match["prefix"])] * count
        labels.append(values)
    label = np.concatenate(labels)
    classes = [str(i) for i in range(int(label.max(initial=-1)) + 1)]
    return build(root, classes, pa.concat_arrays(paths), label=label, split=split)


def load_pictures(path: Path) -> NDArray[np.uint8]:
    """The pictures of one idx file, mapped into memory: (N, H, W), (N, H, W, 1) or (N, H, W, 3).

    Raises:
        DataError: if the file holds no array of bytes of such a shape.
    """
    values = load_array(path)
    if values.ndim not in (3, 4) or values.shape[3:] not in ((), (1,), (3,)) or 0 in values.shape[1:]:
        raise DataError(f"{path}: expected pictures, N x H x W or N x H x W x 3; got shape {values.shape}.")
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
    start = data[:4].tobytes()
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] != UBYTE or len(data) < 4 + 4 * start[3]:
        raise DataError(f"{path}: expected an idx file of bytes; got a header of {start.hex(' ') or 'nothing'}.")
    end = 4 + 4 * start[3]
    shape: tuple[int, ...] = tuple(data[4:end].view(">u4").tolist())
    values = data[end:]
    if values.size != math.prod(shape):
        raise DataError(
            f"{path}: expected {' x '.join(map(str, shape))} values, as its header says; got {values.size}."
        )
    return values.reshape(shape)


def _mapped(path: Path) -> NDArray[np.uint8]:
    """The bytes of a file, read from the disk where they are used."""
    if path.stat().st_size == 0:  # which cannot be mapped
        return np.empty(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, "r"))


def _unzipped(path: Path) -> NDArray[np.uint8]:
    try:
        return _mapped(cached_copy(path, "idx", partial(_gunzip, path)))
    except OSError:  # of the cache; if of the file, the next line says so
        return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8)


def _gunzip(path: Path, to: Path) -> None:
    with gzip.open(path) as packed, to.open("wb") as file:
        shutil.copyfileobj(packed, file)
