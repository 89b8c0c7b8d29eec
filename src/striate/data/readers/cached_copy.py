"""Files that hold many images: unpacked once, into the user's cache, so that any image can be mapped from there."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from striate.caches import cache_folder
from striate.data.identity import file_digests
from striate.files import open_regular, read_checked, remove, write_checked, write_whole

_one_at_a_time = threading.Lock()  # two threads of a process would write the same file


def cached_copy(path: Path, kind: str, unpack: Callable[[Path], object]) -> Path:
    """The unpacked form of a file, kept under the digest of the file's bytes.

    Args:
        path: of the packed file.
        kind: of the cache's folder.
        unpack: writes the unpacked form to the path that it is given; called only where it is not kept yet.

    Raises:
        OSError: if the file cannot be read, or the cache cannot be written to.
    """
    open_regular(path).close()  # says what is wrong, where it cannot be read
    [digest] = file_digests(path.parent, [path.name], cache_folder("digests"))
    if digest is None:
        raise OSError(f"{path} changed while it was read")
    copy = cache_folder(kind) / digest.hex()
    with _one_at_a_time:
        if not _is_whole(copy):
            copy.parent.mkdir(parents=True, exist_ok=True)
            remove(copy)
            write_whole(copy, unpack, links=False)
            [made] = file_digests(copy.parent, [copy.name], cache_folder("digests"))
            write_checked(_digest_file(copy), made or b"")
    return copy


def _digest_file(copy: Path) -> Path:
    """Where the digest of a copy's bytes is kept."""
    return copy.with_name(f"{copy.name}.digest")


def _is_whole(copy: Path) -> bool:
    """Whether a copy is there, and what was written; its bytes are read again only where it was touched."""
    kept = read_checked(_digest_file(copy))
    return (
        bool(kept)
        and not copy.is_symlink()
        and file_digests(copy.parent, [copy.name], cache_folder("digests")) == [kept]
    )


def numbered(file: str, count: int) -> pa.Array:
    """The paths of the images of a file that holds `count` of them.

    >>> numbered("train.parquet", 2).to_pylist()
    ['train.parquet#0', 'train.parquet#1']
    """
    return pc.binary_join_element_wise(file, pa.array(np.arange(count)).cast(pa.string()), "#")
