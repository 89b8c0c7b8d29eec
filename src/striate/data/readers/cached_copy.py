"""Files that hold many images: unpacked once, into the user's cache, so that any image can be mapped from there."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from striate.data.identity import file_digests
from striate.files import cache_folder, write_whole

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
    path.open("rb").close()  # says what is wrong, where it cannot be read
    [digest] = file_digests(path.parent, [path.name], cache_folder("digests"))
    if digest is None:
        raise OSError(f"{path} changed while it was read")
    copy = cache_folder(kind) / digest.hex()
    with _one_at_a_time:
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_whole(copy, unpack)
    return copy


def numbered(file: str, count: int) -> pa.Array:
    """The paths of the images of a file that holds `count` of them.

    >>> numbered("train.parquet", 2).to_pylist()
    ['train.parquet#0', 'train.parquet#1']
    """
    return pc.binary_join_element_wise(file, pa.array(np.arange(count)).cast(pa.string()), "#")
