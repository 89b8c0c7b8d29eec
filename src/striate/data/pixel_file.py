"""The file of a pixel cache: what is kept of many images, then a table of contents, then a trailer.

The trailer comes last, so that a file that was cut short has none. Table and trailer are checked when the file is
opened; an image's bytes are checked when they are first asked for, because reading all of them takes long.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.augment import Size
from striate.files import open_regular

TRAILER = struct.Struct("<8sqqI")  # mark, where the table starts, its rows, its CRC-32
MARK = b"striate1"
SUFFIX = ".pixels"
LEFT_BEHIND_S = 3600  # since the last byte of a file that is being written, above which its process must have died
ENTRY = np.dtype(
    [
        ("digest", "V16"),  # of the image's file
        ("start", "<i8"),  # of its bytes in the cache; -1 for an image that could not be read
        ("length", "<i8"),
        ("checksum", "<u4"),  # CRC-32 of its bytes
        ("width", "<i4"),  # of the upright image
        ("height", "<i4"),
    ]
)


class BrokenError(Exception):
    """What is wrong with a cache's file."""


@dataclass(frozen=True)
class Kept:
    """What is kept of one image."""

    size: Size
    """Width and height of the upright image."""

    data: bytes | memoryview | None
    """None for an image that could not be read."""


UNREADABLE = Kept((0, 0), None)


class PixelFile:
    """A cache's file, mapped into memory; safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        """Opens it.

        Raises:
            FileNotFoundError: if there is none.
            BrokenError: if it is not whole.
        """
        with open_regular(path, links=False) as file:
            length = file.seek(0, 2)
            if length < TRAILER.size:
                raise BrokenError("it is too short")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        mark, start, count, checksum = TRAILER.unpack(mapped[-TRAILER.size :])
        if mark != MARK or start < 0 or start + count * ENTRY.itemsize + TRAILER.size != length:
            raise BrokenError("its end is not that of a cache")
        table = mapped[start : -TRAILER.size]
        if zlib.crc32(table) != checksum:
            raise BrokenError("its table of contents is damaged")
        self._view = memoryview(mapped)
        self._entries = np.frombuffer(table, ENTRY)
        self._verified = np.zeros(count, bool)
        self.places = {digest.tobytes(): i for i, digest in enumerate(self._entries["digest"])}
        """Number in the table of each digest."""

    def get(self, digest: bytes) -> Kept | None:
        """What is kept of the image with this digest; None where the file does not know it.

        Raises:
            BrokenError: if it is damaged.
        """
        place = self.places.get(digest)
        if place is None:
            return None
        _, start, length, checksum, width, height = self._entries[place].tolist()
        if start < 0:
            return UNREADABLE
        data = self._view[start : start + length]
        if not self._verified[place]:
            if zlib.crc32(data) != checksum:
                raise BrokenError("an image in it is damaged")
            self._verified[place] = True
        return Kept((width, height), data)


def write(path: Path, images: Iterable[tuple[bytes, Kept]], confirmed: Callable[[], Container[bytes]]) -> None:
    """Writes a whole file.

    Args:
        path: of the file, which need not be there.
        images: digest of each image's file, each once, and what is kept of it.
        confirmed: gives, when all images are written, the digests of those whose files are still as they were; no
            other is entered in the table, because what was decoded may be what the file holds now.
    """
    entries = []
    with path.open("wb") as file:
        for digest, kept in images:
            if kept.data is None:
                entries.append((digest, -1, 0, 0, *kept.size))
            else:
                entries.append((digest, file.tell(), len(kept.data), zlib.crc32(kept.data), *kept.size))
                file.write(kept.data)
        unchanged = confirmed()
        entries = [entry for entry in entries if entry[0] in unchanged]
        start, table = file.tell(), np.array(entries, ENTRY).tobytes()
        file.write(table)
        file.write(TRAILER.pack(MARK, start, len(entries), zlib.crc32(table)))


def tidy(path: Path, budget: float) -> None:
    """Removes what killed processes left behind, and the caches that were used longest ago, beyond the budget.

    What is gone already, another process has removed; one that has a file open keeps what it has.
    """
    with suppress(OSError):
        os.utime(path)  # the latest used
        now = path.stat().st_mtime
        for aside in path.parent.glob(f".*{SUFFIX}.*"):
            with suppress(OSError):
                if now - aside.stat().st_mtime > LEFT_BEHIND_S:
                    aside.unlink()
    status = {}
    for file in path.parent.glob(f"*{SUFFIX}"):
        with suppress(OSError):
            status[file] = file.stat()
    files = sorted(status, key=lambda file: (file != path, -status[file].st_mtime))
    for file, total in zip(files, np.cumsum([status[file].st_size for file in files]), strict=True):
        if file != path and total > budget:
            with suppress(OSError):
                file.unlink()
