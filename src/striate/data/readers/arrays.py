"""Arrays of NumPy: an .npz file of images and labels, or an .npy file of each.

Arrays of images are (N, H, W), (N, H, W, 1), (N, H, W, 3) or (N, 3, H, W); labels are (N,), (N, 1), or a column of 0
and 1 for each class. Pickles inside are never opened.

Source: NumPy's description of the format; the names of arrays are those of Keras (x_train, y_train) and MedMNIST
(train_images, train_labels).
"""

import math
import re
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from striate.data.index import Index, build
from striate.data.layouts.layout import Layout
from striate.data.layouts.names import parts_of
from striate.data.layouts.options import ReadOptions
from striate.data.paths import file_of
from striate.data.readers.cached_copy import cached_copy, numbered
from striate.data.readers.unpacking import RATIO, most_unpacked, require_room
from striate.errors import DataError
from striate.files import fit_to_print, list_names, open_regular

IMAGES = re.compile(r"(x|images?|imgs?|data|features|arr_0)")
LABELS = re.compile(r"(y|labels?|targets?|classes|class|arr_1)")
AT_A_TIME = 1 << 24  # bytes that are converted together
MOST_LABELS = 1 << 30  # numbers, and the largest of them
MOST_CLASSES = 10_000
UNREADABLE = (  # what damaged archives and headers end in
    OSError,
    ValueError,
    EOFError,
    SyntaxError,
    RuntimeError,  # also of a recursion too deep, and of what is not implemented
    MemoryError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
ORDER = ("train", "val", "test", None)


@dataclass(frozen=True)
class _Array:
    """An array in a file, its header read."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    open: Callable[[], Any]
    """Opens a context of a file that stands where the values begin."""

    @property
    def split(self) -> str | None:
        """What its name says."""
        return parts_of(self.name).split

    def values(self) -> NDArray[Any]:
        """All of it, in memory."""
        with self.open() as file:
            return np.frombuffer(file.read(math.prod(self.shape) * self.dtype.itemsize), self.dtype).reshape(self.shape)


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads arrays of images and the labels that belong to them; classes are named by their numbers.

    Raises:
        DataError: if an array of images has no labels, or is of no such shape.
    """
    root = layout.tree.root
    found = {file: arrays_of(file_of(root, file)) for file in layout.files}
    images = [(file, each) for file, arrays in found.items() for each in arrays if _is(IMAGES, each.name)]
    labels = [each for arrays in found.values() for each in arrays if _is(LABELS, each.name)]
    if not images:
        names = list_names(each.name for arrays in found.values() for each in arrays)
        raise DataError(f"{root}: expected an array of images called x, images or train_images; got {names or 'none'}.")
    images.sort(key=lambda pair: (pair[0], ORDER.index(pair[1].split)))
    paths, numbers, splits, several = [], [], [], False
    starts: dict[str, int] = {}
    for file, array in images:
        count = array.shape[0]
        _require_images(array, file)
        values = _labels_of(array, labels, file)
        several = several or values.ndim == 2
        numbers.append(values)
        start = starts.get(file, 0)
        paths.append(numbered(file, start + count)[start:])
        starts[file] = start + count
        splits += [array.split] * count
    if several:
        return _several(root, paths, numbers, splits)
    label = np.concatenate(numbers)
    present = np.unique(label[label >= 0])
    largest = int(present.max(initial=-1))
    if not 0 <= largest < MOST_CLASSES:
        raise DataError(f"{root}: expected labels from 0, below {MOST_CLASSES:,}, in {labels[0].name}; got {largest}.")
    classes = [str(number) for number in range(largest + 1)]
    return build(root, classes, pa.concat_arrays(paths), label=label, split=splits)


def _several(root: Path, paths: list[pa.Array], numbers: Sequence[NDArray[Any]], splits: Sequence[str | None]) -> Index:
    hot = np.concatenate(numbers)
    classes = [str(number) for number in range(hot.shape[1])]
    rows = [np.flatnonzero(row).tolist() for row in hot]
    return build(root, classes, pa.concat_arrays(paths), labels=rows, split=splits)


def _is(pattern: re.Pattern[str], name: str) -> bool:
    return any(pattern.fullmatch(word) for word in re.split(r"[-_. ]", name.lower())) or bool(
        pattern.fullmatch(name.lower())
    )


def _labels_of(images: _Array, labels: Sequence[_Array], file: str) -> NDArray[np.int64]:
    """The labels (N,) of an array of images, or (N, classes) of 0 and 1 where an image may have several."""
    same = [each for each in labels if each.split == images.split and each.shape[:1] == images.shape[:1]]
    if len(same) != 1:
        raise DataError(
            f"{file}: expected one array of {images.shape[0]:,} labels for `{images.name}`; got "
            f"{list_names(each.name for each in same) or 'none'}."
        )
    array = same[0]
    if array.dtype.kind not in "biuf" or len(array.shape) > 2 or math.prod(array.shape) > MOST_LABELS:
        raise DataError(f"{file}: expected labels that are numbers in `{array.name}`; got {array.dtype} {array.shape}.")
    if math.prod(array.shape[1:]) > MOST_CLASSES:
        raise DataError(f"{file}: expected at most {MOST_CLASSES:,} columns in `{array.name}`; got {array.shape}.")
    try:
        numbers = array.values()
    except UNREADABLE as error:
        raise DataError(f"{file}: expected labels in `{array.name}`; {fit_to_print(str(error), 200)}.") from error
    if numbers.dtype.kind == "f" and not _are_whole(numbers):
        raise DataError(f"{file}: expected labels that are whole numbers in `{array.name}`; got others.")
    values = numbers.astype(np.int64)
    if values.ndim == 1 or values.shape[1] == 1:
        return values.reshape(-1)
    if not np.isin(values, (0, 1)).all():
        raise DataError(f"{file}: expected a class number or columns of 0 and 1 in `{array.name}`; got other numbers.")
    return values.argmax(axis=1) if (values.sum(axis=1) == 1).all() else values


def _require_images(array: _Array, file: str) -> None:
    shape = array.shape
    has_channels = len(shape) == 4 and (shape[3] in (1, 3) or shape[1] in (1, 3))
    if (len(shape) != 3 and not has_channels) or 0 in shape[1:] or array.dtype.kind not in "buif":
        raise DataError(
            f"{file}: expected images N x H x W or N x H x W x 3 of numbers in `{array.name}`; "
            f"got {array.dtype} {shape}."
        )


def _are_whole(numbers: NDArray[np.floating[Any]]) -> bool:
    """Whether all can be the numbers of classes."""
    return bool((np.isfinite(numbers) & (np.abs(numbers) < MOST_LABELS) & (numbers % 1 == 0)).all())


def load_images(path: Path) -> NDArray[np.uint8]:
    """The images of one file (N, H, W, C), mapped into memory from a copy in the user's cache.

    Of several arrays in a file, those of train come first, then val, then test.

    Raises:
        DataError: if the file holds no such arrays.
    """
    try:
        copy = cached_copy(path, "arrays", partial(_convert, path))
        return np.load(copy, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except UNREADABLE as error:
        require_room(path, error)
        raise DataError(f"{path}: expected arrays of images; {error}.") from error


def _convert(path: Path, to: Path) -> None:
    """Writes all images of a file as bytes, one array after the other."""
    arrays = [each for each in arrays_of(path) if _is(IMAGES, each.name)]
    arrays.sort(key=lambda each: ORDER.index(each.split))
    shapes = {_shown_shape(each)[1:] for each in arrays}
    if len(shapes) != 1:
        raise DataError(f"{path}: expected images of one size; got {list_names(map(str, shapes))}.")
    count = sum(each.shape[0] for each in arrays)
    scale, shift = _scale(arrays)
    with to.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (count, *shapes.pop())}
        )
        for array in arrays:
            for chunk in _chunks(array):
                shown = np.moveaxis(chunk, 1, -1) if _is_channels_first(array.shape) else chunk
                if shown.dtype != np.uint8 or (scale, shift) != (1.0, 0.0):
                    shown = np.rint(shown.astype(np.float64) * scale + shift).clip(0, 255).astype(np.uint8)
                file.write(np.ascontiguousarray(shown).tobytes())


def _is_channels_first(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3)


def _shown_shape(array: _Array) -> tuple[int, ...]:
    shape = array.shape
    return (shape[0], shape[2], shape[3], shape[1]) if _is_channels_first(shape) else shape


def _scale(arrays: Sequence[_Array]) -> tuple[float, float]:
    """What turns values into 0 to 255: of bytes, nothing; else by the least and the largest value of all."""
    if all(each.dtype == np.uint8 for each in arrays):
        return 1.0, 0.0
    least, largest = math.inf, -math.inf
    for array in arrays:
        for chunk in _chunks(array):
            least, largest = min(least, float(np.nanmin(chunk))), max(largest, float(np.nanmax(chunk)))
    if not math.isfinite(least) or not math.isfinite(largest):
        raise DataError(f"{arrays[0].name}: expected finite numbers in images; got {least} to {largest}.")
    if least < 0:
        reach = max(-least, largest)
        return 127.5 / reach, 127.5
    return (1.0 if 1 < largest <= 255 else 255.0 / max(largest, 1.0)), 0.0


def _chunks(array: _Array) -> Iterator[NDArray[Any]]:
    size = max(math.prod(array.shape[1:]) * array.dtype.itemsize, 1)
    step = max(AT_A_TIME // size, 1)
    with array.open() as file:
        for start in range(0, array.shape[0], step):
            count = min(step, array.shape[0] - start)
            yield np.frombuffer(file.read(count * size), array.dtype).reshape(count, *array.shape[1:])


def arrays_of(path: Path) -> list[_Array]:
    """The arrays of a file, their headers read and compared with its size.

    Raises:
        DataError: if the file is not one of NumPy's, holds pickles, or would be far larger unpacked.
    """
    try:
        if path.suffix.lower() == ".npy":
            return [_array(path, path.stem, path.stat().st_size, partial(open_regular, path))]
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
            for each in members:
                if each.file_size > most_unpacked(each.compress_size):
                    raise DataError(
                        f"{path}: expected at most {RATIO} times its size unpacked; `{each.filename}` says more."
                    )
        return [
            _array(path, each.filename.removesuffix(".npy"), each.file_size, partial(_member, path, each.filename))
            for each in members
        ]
    except UNREADABLE as error:
        raise DataError(f"{path}: expected arrays of NumPy; {error}.") from error


@contextmanager
def _member(path: Path, name: str) -> Iterator[IO[bytes]]:
    with open_regular(path) as file, zipfile.ZipFile(file) as archive, archive.open(name) as member:
        yield member


def _array(path: Path, name: str, size: int, open_file: Callable[[], Any]) -> _Array:
    with open_file() as file:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(
            version
        )
        if read_header is None:
            raise DataError(f"{path}: expected an array of NumPy's format 1 or 2; got {version}.")
        shape, is_fortran, dtype = read_header(file)
        begin = file.tell()
    if dtype.hasobject:
        raise DataError(f"{path}: expected numbers in `{name}`; got a pickle, which is never opened.")
    if is_fortran and len(shape) > 1:
        raise DataError(
            f"{path}: expected the array `{name}` in C order; got Fortran order. Save it with np.ascontiguousarray."
        )
    if begin + math.prod(shape) * dtype.itemsize != size or not shape:
        raise DataError(f"{path}: expected {shape} values in `{name}`, as its header says; got {size - begin} bytes.")

    @contextmanager
    def open_values() -> Iterator[IO[bytes]]:
        with open_file() as file:
            file.read(begin)
            yield file

    return _Array(name, tuple(shape), dtype, open_values)
