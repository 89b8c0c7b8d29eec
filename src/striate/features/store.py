"""What was computed of each image, kept in files that only ever grow, under what the image's file holds.

A store is a folder. Every process that adds entries writes a file of its own and reads those of all others, so that no
process waits for another or can harm it. An entry is whole or not there: its length is fixed, and a checksum is part
of it. An extraction that was interrupted leaves the entries that it finished.
"""

import json
import os
import shutil
import struct
import uuid
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.errors import StriateError
from striate.files import open_regular

SUFFIX = ".features"
START = struct.Struct("<8sII")  # mark, length of the JSON that follows, its CRC-32
MARK = b"striateF"
GB = 10**9
STORED = {torch.float16: "<f2", torch.bfloat16: "<i2", torch.int64: "<i8"}  # NumPy has no bfloat16: its bits
Log = Callable[[str], None]
Place = tuple[NDArray[Any], int]  # a file's entries, and which of them


@dataclass(frozen=True)
class Layout:
    """The values of an entry."""

    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[torch.dtype, ...]

    def header(self) -> bytes:
        """How a file begins."""
        values = [[str(dtype), shape] for shape, dtype in zip(self.shapes, self.dtypes, strict=True)]
        text = json.dumps(values).encode()
        return START.pack(MARK, len(text), zlib.crc32(text)) + text

    def entry(self) -> np.dtype[np.void]:
        """One image: the checksum of what follows, the digest of its file, its values."""
        values = [(f"v{i}", STORED[d], s) for i, (s, d) in enumerate(zip(self.shapes, self.dtypes, strict=True))]
        return np.dtype([("checksum", "<u4"), ("digest", "V16"), *values])

    def pack(self, digests: Sequence[bytes], values: Sequence[Tensor]) -> NDArray[Any]:
        """Entries of images.

        Args:
            digests: (N,), 16 bytes each.
            values: (N, …) each, of any precision.

        Raises:
            StriateError: a value is beyond the range of the precision it is kept in.
        """
        entries = np.empty(len(digests), self.entry())
        entries["digest"] = np.frombuffer(b"".join(digests), "V16")
        for i, (value, dtype) in enumerate(zip(values, self.dtypes, strict=True)):
            kept = value.cpu().to(dtype)
            if kept.is_floating_point() and not kept.isfinite().all():
                raise StriateError(
                    f"features: expected values that {str(dtype).removeprefix('torch.')} can hold; got larger ones. "
                    "Try --precision bfloat16."
                )
            bits = kept.view(torch.int16) if dtype is torch.bfloat16 else kept
            entries[f"v{i}"] = bits.numpy()
        entries["checksum"] = [_checksum(entries, i) for i in range(len(entries))]
        return entries

    def unpack(self, entries: NDArray[Any]) -> tuple[Tensor, ...]:
        """The values (N, …) of entries, in the precision that they are kept in."""
        values = [torch.from_numpy(entries[f"v{i}"].copy()) for i in range(len(self.dtypes))]
        return tuple(
            value.view(torch.bfloat16) if dtype is torch.bfloat16 else value
            for value, dtype in zip(values, self.dtypes, strict=True)
        )


def _checksum(entries: NDArray[Any], place: int) -> int:
    return zlib.crc32(entries[place : place + 1].tobytes()[4:])


class Store:
    """The entries of one kind, found by digest.

    Args:
        folder: of its files; made when the first entry is added.
        layout: of an entry.
        log: is told what is damaged.
    """

    def __init__(self, folder: Path, layout: Layout, log: Log = print) -> None:
        self.folder = folder
        self.layout = layout
        self.log = log

    def find(self, digests: Iterable[bytes]) -> dict[bytes, Place]:
        """Where the entries of some images lie; those that are not there, or damaged, are left out."""
        wanted, found, damaged = set(digests), dict[bytes, Place](), set[bytes]()
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            entries = self._open(path)
            for place, digest in enumerate(map(np.void.tobytes, entries["digest"])):
                if digest not in wanted or digest in found:
                    continue
                if _checksum(entries, place) == entries["checksum"][place]:
                    found[digest] = entries, place
                else:
                    damaged.add(digest)
        if damaged - found.keys():
            count = len(damaged - found.keys())
            self.log(f"feature cache: {self.folder}: {count} damaged entries are computed anew.")
        return found

    def _open(self, path: Path) -> NDArray[Any]:
        """The entries of a file, mapped into memory; none, where it is not one of ours."""
        header, none = self.layout.header(), np.empty(0, self.layout.entry())
        try:
            with open_regular(path, links=False) as file:
                begins = file.read(len(header))
                if begins == header:
                    return _mapped(file, self.layout.entry(), len(header))
        except OSError:  # removed since it was listed, or no file
            return none
        if not header.startswith(begins):  # else another process has just begun it
            self.log(f"feature cache: {path} is damaged; it is removed, and its entries are computed anew.")
            path.unlink(missing_ok=True)
        return none

    def writer(self) -> "Writer":
        """To add entries with, in a file of their own."""
        return Writer(self.folder, self.layout)


def _mapped(file: BinaryIO, entry: np.dtype[np.void], start: int) -> NDArray[Any]:
    """The whole entries of an open file; the last may have been cut short."""
    count = (os.fstat(file.fileno()).st_size - start) // entry.itemsize
    return np.memmap(file, entry, "r", start, (count,)) if count else np.empty(0, entry)


class Writer:
    """Adds entries to a new file of a store; a context that closes it."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self._path = folder / f"{uuid.uuid4().hex}{SUFFIX}"
        self._layout = layout
        self._file: BinaryIO | None = None
        self._digests: list[bytes] = []

    def add(self, digests: Sequence[bytes], values: Sequence[Tensor]) -> None:
        """Adds entries, and hands them to the system.

        Args:
            digests: (N,), 16 bytes each.
            values: (N, …) each.

        Raises:
            StriateError: they cannot be written, or do not fit the precision.
        """
        entries = self._layout.pack(digests, values)
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("x+b")
                self._file.write(self._layout.header())
            self._file.write(entries.tobytes())
            self._file.flush()
        except OSError as error:
            raise StriateError(
                f"{self._path}: expected to write the feature cache; {error.strerror}. "
                "Make room, or name another folder in STRIATE_CACHE."
            ) from error
        self._digests += digests

    def places(self) -> dict[bytes, Place]:
        """Where the entries that were added lie."""
        if self._file is None:
            return {}
        entries = _mapped(self._file, self._layout.entry(), len(self._layout.header()))
        return {digest: (entries, place) for place, digest in enumerate(self._digests)}

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def remove_oldest(root: Path, budget: float, keep: Path) -> None:
    """Removes the stores that were used longest ago, until all together are within a budget.

    Args:
        root: folder of the stores.
        budget: in gigabytes.
        keep: the store in use, which stays.
    """
    folders = [folder for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []
    folders.sort(key=lambda folder: (folder != keep, -folder.stat().st_mtime))
    total = 0
    for folder in folders:
        total += sum(file.stat().st_size for file in folder.glob(f"*{SUFFIX}"))
        if folder != keep and total > budget * GB:
            shutil.rmtree(folder, ignore_errors=True)  # who has a file of it open keeps what it has
