"""Archives as they were downloaded: unpacked once, into the user's cache, and never outside of it."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from striate.caches import cache_folder
from striate.data.identity import file_digests
from striate.data.layouts.names import is_litter
from striate.data.layouts.tree import Tree
from striate.data.readers.unpacking import MAKE_ROOM, RATIO, most_unpacked, require_room
from striate.errors import DataError, StriateError
from striate.files import (
    fit_to_print,
    list_names,
    open_regular,
    read_checked,
    remove,
    walk,
    write_checked,
)

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz")
TABLES = (".csv", ".tsv", ".json", ".jsonl")  # that may say what is in an archive beside them
TOGETHER = "archives"  # the folder of several
FILES = 20_000_000
DEPTH = 100  # folders within folders
CHUNK = 1 << 20
HEADER = 1 << 24  # bytes of a member's header
Member = tuple[str, int, IO[bytes]]  # name, size, content


def is_archive(path: Path) -> bool:
    """Whether a file is an archive by its name."""
    return path.name.lower().endswith(SUFFIXES)


def archives_of(tree: Tree) -> list[Path]:
    """The archives of a folder that holds no images: one or several, such as train.zip and test.zip.

    Raises:
        DataError: if a table lies beside them, or two would be unpacked into the same folder.
    """
    found = list(tree.others(*SUFFIXES)) if not tree.top.count else []
    names = [_folder_name(tree.read_name(each)).lower() for each in found]
    if len(set(names)) < len(names):
        raise DataError(
            f"data: expected archives of different names in {tree.root}; got {list_names(found, 4)}. "
            "Unpack them, each into a folder of its name."
        )
    beside = list(tree.others(*TABLES)) if found else []
    if beside:
        raise DataError(
            f"data: expected images or archives alone in {tree.root}; got {found[0]} and {list_names(beside, 3)}. "
            "Unpack it there, and both are read."
        )
    return [tree.read_name(each) for each in found]


def unpacked(*paths: Path) -> Path:
    """The folder in the cache that an archive is unpacked in, once for the same bytes; of several, each in its own.

    Members that lead out of it, links and whatever is no file are left out.

    Raises:
        DataError: if an archive cannot be read, or would be far larger unpacked.
        StriateError: if the cache has no room for it.
    """
    path = paths[0]
    try:
        whole, key = hashlib.sha256(), ""
        for path in paths:
            open_regular(path).close()
            [digest] = file_digests(path.parent, [path.name], cache_folder("digests"))
            if digest is None:
                raise DataError(f"{path}: expected an archive; it changed while it was read.")
            key = digest.hex()
            whole.update(digest + _folder_name(path).encode("utf-8", "surrogateescape"))
        alone = len(paths) == 1
        folder = cache_folder("archives") / (key if alone else whole.hexdigest())
        folder /= _folder_name(path) if alone else TOGETHER
        kept = read_checked(_stamps_file(folder))
        if kept is None or kept != _stamps(folder):
            remove(folder)
            for path in paths:
                _unpack(path, folder if alone else folder / _folder_name(path))
            write_checked(_stamps_file(folder), _stamps(folder) or b"")
    except (
        OSError,
        EOFError,
        RuntimeError,
        NotImplementedError,
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        ValueError,
    ) as error:
        require_room(path, error)
        raise DataError(
            f"{path}: expected an archive that can be unpacked; {fit_to_print(str(error), 200)}."
        ) from error
    return folder


def _stamps_file(folder: Path) -> Path:
    """Where the stamps of what was unpacked are kept."""
    return folder.with_name(f"{folder.name}.stamps")


def _stamps(folder: Path) -> bytes | None:
    """The names, sizes and times of all files in a folder, as bytes; None where there is none.

    The kernel sets the time of the last change of status, so a file that was cut or written to since is told apart
    without reading it.
    """
    if folder.is_symlink() or not folder.is_dir():
        return None
    digest = hashlib.blake2b()
    for name in walk(folder, hidden=True):
        status = (folder / name).lstat()
        digest.update(repr((name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)).encode())
    return digest.digest()


def _folder_name(path: Path) -> str:
    name = path.name
    ending = max((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), key=len)
    return name[: -len(ending)] or "archive"


def _unpack(path: Path, folder: Path) -> None:
    """Unpacks beside the folder, and only then gives it its name."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    limit = most_unpacked(path.stat().st_size)
    total = count = 0
    try:
        for name, size, content in _members(path):
            total, count = total + size, count + 1
            if total > limit or count > FILES:
                raise DataError(
                    f"{path}: expected at most {RATIO} times its own size unpacked; got more. Unpack it yourself "
                    "if you trust it."
                )
            if total > shutil.disk_usage(aside).free + total - size:
                raise StriateError(
                    f"{path}: expected room for {total:,} bytes in {aside.parent}; the disk is full. {MAKE_ROOM}"
                )
            _write(aside / name, content, size, path)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(to: Path, content: IO[bytes], size: int, path: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("wb") as file:
        left = size
        while chunk := content.read(min(CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise DataError(f"{path}: expected members as large as it says; got a larger one.")
            file.write(chunk)


def _members(path: Path) -> Iterator[Member]:
    """The files of an archive that are no litter and stay within it."""
    with open_regular(path) as packed:
        yield from _zip_members(packed) if path.name.lower().endswith(".zip") else _tar_members(packed)


def _zip_members(packed: BinaryIO) -> Iterator[Member]:
    with zipfile.ZipFile(packed) as archive:
        for each in archive.infolist():
            if not each.is_dir() and not _is_link(each) and _stays(each.filename):
                with archive.open(each) as content:
                    yield each.filename, each.file_size, content


def _tar_members(packed: BinaryIO) -> Iterator[Member]:
    with tarfile.open(fileobj=_Bounded(_decompressed(packed)), mode="r:") as archive:
        for each in archive:
            content = archive.extractfile(each) if each.isreg() and _stays(each.name) else None
            if content is not None:
                yield each.name, each.size, content


def _decompressed(packed: BinaryIO) -> IO[bytes]:
    """The content of a compressed file, by how it begins; itself where it is not compressed."""
    start = packed.read(6)
    packed.seek(0)
    for mark, opened in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open)):
        if start.startswith(mark):
            return cast("IO[bytes]", opened(packed))
    return packed


class _Bounded(io.RawIOBase):
    """A file that is never asked for more than a header's bytes at once: one that says more would fill the memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of a file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of a file."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """As of a file.

        Raises:
            ValueError: so many bytes are no header of an archive.
        """
        if not 0 <= size <= HEADER:
            raise ValueError(f"expected headers of at most {HEADER:,} bytes; got more")
        return self._file.read(size)


def _is_link(each: zipfile.ZipInfo) -> bool:
    return (each.external_attr >> 28) == 0o12


def _stays(name: str) -> bool:
    """Whether a member's name leads into the folder, and no part of it is litter."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if len(parts) > DEPTH:
        raise ValueError(f"expected folders of at most {DEPTH} levels; got {len(parts):,}")
    if not parts or parts[0] == "/" or ".." in parts or "\0" in name or ":" in parts[0]:
        return False
    return not any(is_litter(part, folder=True) for part in parts[:-1]) and not is_litter(parts[-1])
