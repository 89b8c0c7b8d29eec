"""Where images come from: a file each, files that hold many, or memory."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from striate.data.decode import OpenedImage, Source, UnreadableError, open_image
from striate.data.index import Index, Rows
from striate.data.paths import ARRAY_SUFFIXES, PARQUET_SUFFIX, file_and_number, file_of, to_text
from striate.data.preprocessing import Readable
from striate.data.readers import arrays, idx, parquet
from striate.errors import DataError
from striate.recipe.ranges import MAX_PIXELS


class Images(Protocol):
    """Images by number; safe to use from many threads."""

    def path(self, row: int) -> str:
        """What the image is called in messages and tables."""
        ...

    def open(self, row: int) -> Readable:
        """The image, its header read.

        Raises:
            UnreadableError: if that cannot be done.
        """
        ...


class GivenImages:
    """Images that a caller holds: paths, bytes, pixels or Pillow images."""

    def __init__(self, sources: Sequence[Source], max_pixels: int = MAX_PIXELS) -> None:
        self._sources = sources
        self._max_pixels = max_pixels

    def path(self, row: int) -> str:
        """The path where there is one, else the place in the sequence."""
        source = self._sources[row]
        return to_text(str(source)) if isinstance(source, Path) else f"image {row}"

    def open(self, row: int) -> OpenedImage:
        """The image, its header read."""
        return open_image(self._sources[row], self._max_pixels)


class IndexedImages:
    """The images of an index by row number. idx and Parquet files are mapped into memory from their first use."""

    def __init__(self, index: Index, max_pixels: int = MAX_PIXELS) -> None:
        self._root = index.root
        self._paths = index.table["path"].combine_chunks()
        self._max_pixels = max_pixels
        self._containers: dict[str, Any] = {}
        self._lock = threading.Lock()

    def path(self, row: int) -> str:
        """The row's path as it stands in the index."""
        path: str = self._paths[row].as_py()
        return path

    def files(self, rows: Rows) -> list[Path] | None:
        """The file of each row's image; None where one of them is in a file that holds many."""
        found = [file_and_number(path) for path in self._paths.take(pa.array(rows)).to_pylist()]
        return [file_of(self._root, name) for name, _ in found] if all(number is None for _, number in found) else None

    def _source(self, row: int) -> Source | None:
        name, number = file_and_number(self.path(row))
        if number is None:
            return file_of(self._root, name)
        container = self._container(name)
        if isinstance(container, DataError):
            raise UnreadableError(str(container))
        if number >= len(container):  # a path of a CSV may name any
            raise UnreadableError(f"{name} holds {len(container)} images, numbered from 0")
        value = container[number]
        source: Source | None = value.as_py() if name.lower().endswith(PARQUET_SUFFIX) else value
        return source

    def open(self, row: int) -> OpenedImage:
        """The row's image, its header read."""
        source = self._source(row)
        if source is None:
            raise UnreadableError("the row holds no image")
        return open_image(source, self._max_pixels)

    def _container(self, name: str) -> Any:
        with self._lock:
            if name not in self._containers:
                self._containers[name] = self._load(name)
            return self._containers[name]

    def _load(self, name: str) -> Any:
        """The images of a file that holds many, or what is wrong with it."""
        try:
            file = file_of(self._root, name)
            if name.lower().endswith(PARQUET_SUFFIX):
                return parquet.load_images(file)
            if name.lower().endswith(ARRAY_SUFFIXES):
                return arrays.load_images(file)
            return idx.load_images(file)
        except DataError as error:
            return error
