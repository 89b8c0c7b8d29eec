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

import pyarrow as pa
import pyarrow.parquet as pq

from striate.data.index import Index, Rows
from striate.data.paths import file_and_number, to_name, to_text
from striate.files import open_regular, read_checked, write_checked

SIZE = 16  # bytes of a digest
CHUNK = 1 << 20
TOO_NEW_NS = 2_000_000_000  # two seconds, the coarsest clock of a common file system (FAT)
Stamp = tuple[int, int, int, int]  # size, modification and change of status in ns, inode
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
    places = [file_and_number(path) for path in index.paths(rows)]
    files = list(dict.fromkeys(file for file, _ in places))
    names = [to_name(file) for file in files]
    of_file = dict(zip(files, file_digests(index.root, names, folder, workers, advance), strict=True))
    found: list[bytes | None] = []
    for file, number in places:
        digest = of_file[file]
        if digest is not None and number is not None:
            digest = hashlib.blake2b(digest + str(number).encode(), digest_size=SIZE).digest()
        found.append(digest)
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
    stamps = [_stamp(root / file) for file in files]
    digests = [
        known[file][1] if stamp is not None and file in known and known[file][0] == stamp else None
        for file, stamp in zip(files, stamps, strict=True)
    ]
    unknown = [i for i, (digest, stamp) in enumerate(zip(digests, stamps, strict=True)) if digest is None and stamp]
    advance(len(files) - len(unknown))
    with ThreadPoolExecutor(workers) as pool:
        for i, digest in zip(unknown, pool.map(lambda i: _digest(root / files[i]), unknown), strict=True):
            digests[i] = digest
            advance(1)
    if unknown:
        settled = {  # a file that changed just before it was read may change again and keep its times
            file: (stamp, digest)
            for file, stamp, digest in zip(files, stamps, digests, strict=True)
            if stamp is not None and digest is not None and max(stamp[1:3]) < started - TOO_NEW_NS
        }
        _save(table, known | settled)
    return digests


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _digest(path: Path) -> bytes | None:
    """Of a file's bytes; None where they cannot be read, or the file changed while they were."""
    before = _stamp(path)
    digest = hashlib.blake2b(digest_size=SIZE)
    try:
        with open_regular(path) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError:
        return None
    return digest.digest() if _stamp(path) == before else None


def _load(table: Path) -> dict[str, tuple[Stamp, bytes]]:
    """What is remembered; nothing where that is not there or not whole."""
    content = read_checked(table)
    if content is None:
        return {}
    columns = pq.read_table(pa.BufferReader(content), schema=SCHEMA).to_pydict()
    stamps = zip(*(columns[name] for name in STAMP), strict=True)
    return dict(zip(map(to_name, columns["path"]), zip(stamps, columns["digest"], strict=True), strict=True))


def _save(table: Path, known: dict[str, tuple[Stamp, bytes]]) -> None:
    """Remembers; of two processes at once, the last one's table is kept, and the other reads its files again."""
    columns = [
        pa.array(map(to_text, known), pa.string()),
        *([stamp[i] for stamp, _ in known.values()] for i in range(4)),
        [digest for _, digest in known.values()],
    ]
    content = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=SCHEMA), content)
    with suppress(OSError):  # a full disk, say: what is not remembered is read again
        write_checked(table, content.getvalue().to_pybytes())
