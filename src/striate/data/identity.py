"""What a file holds, in sixteen bytes: the key of everything that is computed once and kept.

Reading all bytes of a data set takes long, so what was read once is remembered, with the size and times of the file.
The kernel sets the time of the last change of status, ctime, and no program can set it back; a file whose size and
times are as before is therefore the same file. Where the times are too new to tell two changes apart, it is read again.
"""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
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
from striate.files import open_regular, read_checked, write_checked

SIZE = 16  # bytes of a digest
CHUNK = 1 << 20
PART = 64  # files that a thread takes at a time: what waits for a thread takes more memory than a file's name
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
    advance: Callable[[int], None] = lambda count: None,
) -> list[bytes | None]:
    """The digest of each row's image; None where its file cannot be read.

    A file's is BLAKE2b of its bytes; that of an image in a file that holds many, of that file's digest and its number.

    Args:
        index: of the images.
        rows: (N,) row numbers.
        folder: where known digests are remembered; made where it is missing.
        workers: threads that read files.
        advance: called with the number of files done since the last call.
    """
    paths = index.table["path"].take(pa.array(rows, pa.int64())).combine_chunks()
    numbers: dict[int, int] = {}  # of the image in its file, by its place
    if pc.any(pc.match_substring(paths, "#")).as_py():
        places = [file_and_number(path) for path in paths.to_pylist()]
        numbers = {place: number for place, (_, number) in enumerate(places) if number is not None}
        paths = pa.array([file for file, _ in places], pa.string())
    files = paths.dictionary_encode()
    names = [to_name(text) for text in files.dictionary.to_pylist()]
    of_file = pa.array(file_digests(index.root, names, folder, workers, advance), pa.binary(SIZE))
    found: list[bytes | None] = of_file.take(files.indices).to_pylist()
    for place, number in numbers.items():
        digest = found[place]
        if digest is not None:
            found[place] = hashlib.blake2b(digest + str(number).encode(), digest_size=SIZE).digest()
    return found


def file_digests(
    root: Path,
    files: Sequence[str],
    folder: Path,
    workers: int = 1,
    advance: Callable[[int], None] = lambda count: None,
) -> list[bytes | None]:
    """The digest of each file's bytes; None where it cannot be read. `root` is what `files` start from."""
    root = root.absolute()
    started = time.time_ns()
    table = folder / f"{hashlib.blake2b(os.fsencode(root), digest_size=SIZE).hexdigest()}.digests"
    known = _load(table)
    texts = pa.array(map(to_text, files), pa.string())
    stamps = _stamps(root, files)
    digests = _recalled(known, texts, stamps)
    unknown = [i for i, digest in enumerate(digests) if digest is None and stamps[i, 0] >= 0]
    advance(len(files) - len(unknown))
    parts = [unknown[start : start + PART] for start in range(0, len(unknown), PART)]
    with ThreadPoolExecutor(workers) as pool:
        for part, found in zip(
            parts, pool.map(lambda part: [_digest(root / files[i]) for i in part], parts), strict=True
        ):
            for i, digest in zip(part, found, strict=True):
                digests[i] = digest
            advance(len(part))
    if unknown:  # a file that changed just before it was read may change again and keep its times
        is_old = stamps[:, 1:3].max(axis=1) < started - TOO_NEW_NS
        settled = [i for i, digest in enumerate(digests) if digest is not None and is_old[i]]
        values = [texts.take(pa.array(settled, pa.int64())), *stamps[settled].T, [digests[i] for i in settled]]
        columns = [pa.array(each, field.type) for each, field in zip(values, SCHEMA, strict=True)]
        _save(table, known, pa.table(columns, schema=SCHEMA))
    return digests


def _recalled(known: pa.Table, texts: pa.Array, stamps: Stamps) -> list[bytes | None]:
    """The digest of each file that has the size and times with which it is remembered."""
    at = pc.index_in(texts, value_set=known["path"])
    then = np.stack([np.asarray(known[name].take(at).fill_null(-2), np.int64) for name in STAMP], axis=1)
    same = pa.array((then == stamps).all(axis=1))
    found: list[bytes | None] = pc.if_else(same, known["digest"].take(at), None).to_pylist()
    return found


def _stamps(root: Path, files: Sequence[str]) -> Stamps:
    """The stamp of each file, (N, 4); of one that is not there, -1."""
    found = [_stamp(os.path.join(root, file)) or MISSING for file in files]  # noqa: PTH118 - a Path each takes longer
    return np.array(found, np.int64).reshape(len(files), len(STAMP))


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
