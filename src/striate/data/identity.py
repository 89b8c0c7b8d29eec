"""What a file holds, in sixteen bytes: the key of everything that is computed once and kept.

Reading all bytes of a data set takes long, so what was read once is remembered, with the size and times of the file.
The kernel sets the time of the last change of status, ctime, and no program can set it back; a file whose size and
times are as before is therefore the same file. Where the times are too new to tell two changes apart, it is read again.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from striate.data.index import Index, Rows
from striate.data.paths import file_and_number, to_name, to_text
from striate.data.workers import Done, Workers, silent
from striate.files import open_regular, read_checked, write_checked

SIZE = 16  # bytes of a digest
CHUNK = 1 << 20
PART = 64  # files that a worker takes at a time: what waits for one takes more memory than a file's name
AT_A_TIME = 1 << 14  # files whose names are held beside the index
TOO_NEW_NS = 2_000_000_000  # two seconds, the coarsest clock of a common file system (FAT)
Stamp = tuple[int, int, int, int]  # size, modification and change of status in ns, inode
Stamps = NDArray[np.int64]  # (N, 4)
MISSING = (-1, -1, -1, -1)
STAMP = ("size", "mtime_ns", "ctime_ns", "inode")
SCHEMA = pa.schema([("path", pa.string()), *((name, pa.int64()) for name in STAMP), ("digest", pa.binary(SIZE))])


def digests(
    index: Index,
    rows: Rows,
    folder: Path,
    *,
    workers: int = 1,
    advance: Done = silent,
) -> list[bytes | None]:
    """The digest of each row's image, as by `digest_column`; None where its file cannot be read."""
    found: list[bytes | None] = digest_column(index, rows, folder, Workers(workers), advance).to_pylist()
    return found


def digest_column(
    index: Index,
    rows: Rows,
    folder: Path,
    workers: Workers,
    advance: Done = silent,
) -> pa.Array:
    """The digest of each row's image, 16 bytes; null where its file cannot be read.

    A file's is BLAKE2b of its bytes; that of an image in a file that holds many, of that file's digest and its number.

    Args:
        index: of the images.
        rows: (N,) row numbers.
        folder: where known digests are remembered; made where it is missing.
        workers: that read files.
        advance: called with the number of files done since the last call.
    """
    paths = index.table["path"].take(pa.array(rows, pa.int64())).combine_chunks()
    numbers: dict[int, int] = {}  # of the image in its file, by its place
    if pc.any(pc.match_substring(paths, "#")).as_py():
        places = [file_and_number(path) for path in paths.to_pylist()]
        numbers = {place: number for place, (_, number) in enumerate(places) if number is not None}
        paths = pa.array([file for file, _ in places], pa.string())
    files = paths.dictionary_encode()
    of_file = _digests_of_files(index.root, files.dictionary, folder, workers, advance)
    found = of_file.take(files.indices)
    if not numbers:
        return found
    each: list[bytes | None] = found.to_pylist()
    for place, number in numbers.items():
        digest = each[place]
        if digest is not None:
            each[place] = hashlib.blake2b(digest + str(number).encode(), digest_size=SIZE).digest()
    return pa.array(each, pa.binary(SIZE))


def file_digests(root: Path, files: Sequence[str], folder: Path) -> list[bytes | None]:
    """The digest of each file's bytes; None where it cannot be read. `root` is what `files` start from."""
    texts = pa.array(map(to_text, files), pa.string())
    found: list[bytes | None] = _digests_of_files(root, texts, folder, Workers(1), silent).to_pylist()
    return found


def _digests_of_files(root: Path, files: pa.Array, folder: Path, workers: Workers, advance: Done) -> pa.Array:
    """The digests of files, whose names are written as in an index; null where a file cannot be read."""
    root = root.absolute()
    started = time.time_ns()
    table = folder / f"{hashlib.blake2b(os.fsencode(root), digest_size=SIZE).hexdigest()}.digests"
    known = _load(table)
    stamps = _stamps(root, files)
    digests = _recalled(known, files, stamps)
    unknown = np.flatnonzero(np.asarray(digests.is_null()) & (stamps[:, 0] >= 0))
    advance(len(files) - len(unknown))
    if not len(unknown):
        return digests
    workers.expect(len(unknown))
    parts = [unknown[start : start + PART] for start in range(0, len(unknown), PART)]

    def read(part: Rows) -> list[bytes | None]:
        return workers.call(_read, root, files.take(pa.array(part)).to_pylist())

    found: list[bytes | None] = []
    with ThreadPoolExecutor(workers.count) as pool:
        for part, of_part in zip(parts, pool.map(read, parts), strict=True):
            found += of_part
            advance(len(part))
    is_unknown = np.zeros(len(files), bool)
    is_unknown[unknown] = True
    digests = pc.replace_with_mask(digests, pa.array(is_unknown), pa.array(found, pa.binary(SIZE)))
    # a file that changed just before it was read may change again and keep its times
    settled = np.asarray(digests.is_valid()) & (stamps[:, 1:3].max(axis=1) < started - TOO_NEW_NS)
    columns = [files.filter(pa.array(settled)), *map(pa.array, stamps[settled].T), digests.filter(pa.array(settled))]
    _save(table, known, pa.table(columns, schema=SCHEMA))
    return digests


def _read(root: Path, files: list[str]) -> list[bytes | None]:
    """The digests of some files."""
    return [_digest(root / to_name(file)) for file in files]


def _recalled(known: pa.Table, files: pa.Array, stamps: Stamps) -> pa.Array:
    """The digest of each file that has the size and times with which it is remembered; null for another."""
    at = pc.index_in(files, value_set=known["path"])
    same = np.ones(len(files), bool)
    for name, stamp in zip(STAMP, stamps.T, strict=True):
        same &= np.asarray(known[name].take(at).fill_null(-2), np.int64) == stamp
    return known["digest"].take(pc.if_else(pa.array(same), at, None)).combine_chunks()


def _stamps(root: Path, files: pa.Array) -> Stamps:
    """The stamp of each file, (N, 4); of one that is not there, -1."""
    stamps = np.empty((len(files), len(STAMP)), np.int64)
    for start in range(0, len(files), AT_A_TIME):
        names = map(to_name, files.slice(start, AT_A_TIME).to_pylist())
        found = [_stamp(os.path.join(root, name)) or MISSING for name in names]  # noqa: PTH118 - a Path takes longer
        stamps[start : start + AT_A_TIME] = found
    return stamps


def _stamp(path: str) -> Stamp | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _digest(path: Path) -> bytes | None:
    """Of a file's bytes; None where they cannot be read, or the file changed while they were."""
    before = _stamp(str(path))
    digest = hashlib.blake2b(digest_size=SIZE)
    try:
        with open_regular(path) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError:
        return None
    return digest.digest() if _stamp(str(path)) == before else None


def _load(table: Path) -> pa.Table:
    """What is remembered; nothing where that is not there or not whole."""
    content = read_checked(table)
    if content is None:
        return SCHEMA.empty_table()
    return pq.read_table(pa.BufferReader(content), schema=SCHEMA).combine_chunks()


def _save(table: Path, known: pa.Table, settled: pa.Table) -> None:
    """Remembers; of two processes at once, the last one's table is kept, and the other reads its files again."""
    others = known.filter(pc.invert(pc.is_in(known["path"], value_set=settled["path"])))
    content = pa.BufferOutputStream()
    pq.write_table(pa.concat_tables([others, settled]), content)
    with suppress(OSError):  # a full disk, say: what is not remembered is read again
        write_checked(table, content.getvalue().to_pybytes())
