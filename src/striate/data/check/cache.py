"""What was seen of images, kept from one check to the next by the content of their files."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.data.check.scan import RECORD, Records
from striate.files import read_checked, write_checked

PART = 1 << 16  # records that are copied at a time
VERSION = 3  # of what a record means: raised when the same file would be seen differently
ENTRY = np.dtype([("digest", "V16"), ("record", RECORD)])
DIGEST = pa.binary(16)
Digests: TypeAlias = (
    pa.Array
)  # (N,) of type DIGEST: what names the content of each image's file; null where it cannot be read


Pairs = NDArray[np.int64]  # (P, 3): the places of two images, the first below the second, and how they are alike


def cache_file(folder: Path, root: Path) -> Path:
    """Where what was seen of the images below `root` is kept; beside it, which of them are alike."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return folder / f"{name}-v{VERSION}.seen"


def recall(path: Path, digests: Digests) -> Records:
    """What is known of the images with these digests, (N,); zeros where nothing is.

    A file that is not there, or is not whole, counts as one that knows nothing.
    """
    records = np.zeros(len(digests), RECORD)
    entries = _load(path)
    at = pc.index_in(digests, value_set=_digests(entries))
    rows, places = np.flatnonzero(at.is_valid()), np.asarray(at.drop_null())
    for start in range(0, len(rows), PART):
        records[rows[start : start + PART]] = entries["record"][places[start : start + PART]]
    return records


def remember(path: Path, digests: Digests, records: Records) -> None:
    """Keeps what was seen, beside what is kept already of other images."""
    seen = np.flatnonzero((records["count"] > 0) & np.asarray(digests.is_valid()))
    _, first = np.unique(np.asarray(digests.take(pa.array(seen)).dictionary_encode().indices), return_index=True)
    seen = seen[first]
    others = _load(path)
    old = np.flatnonzero(~np.asarray(pc.is_in(_digests(others), value_set=digests.take(pa.array(seen)))))

    def pieces() -> Iterator[memoryview]:
        for start in range(0, len(seen), PART):
            rows = seen[start : start + PART]
            added = np.zeros(len(rows), ENTRY)
            added["digest"] = _values(digests.take(pa.array(rows)))
            added["record"] = records[rows]
            yield added.view(np.uint8).data
        for start in range(0, len(old), PART):
            yield others[old[start : start + PART]].view(np.uint8).data

    with suppress(OSError):  # a full disk, say: what is not kept is looked at again
        write_checked(path, pieces())


def _values(digests: Digests) -> NDArray[np.void]:
    """(N,) the bytes of digests of which none is null."""
    content = digests.buffers()[1]
    values = np.frombuffer(content if content is not None else b"", ENTRY["digest"])
    return values[digests.offset : digests.offset + len(digests)]


def _digests(entries: NDArray[np.void]) -> pa.Array:
    content = pa.py_buffer(np.ascontiguousarray(entries["digest"]).tobytes())
    return pa.FixedSizeBinaryArray.from_buffers(DIGEST, len(entries), [None, content])


def _load(path: Path) -> NDArray[np.void]:
    content = read_checked(path)
    whole = content is not None and len(content) % ENTRY.itemsize == 0
    return np.frombuffer(content if content is not None and whole else b"", ENTRY)


def recall_pairs(path: Path, digests: Digests) -> Pairs | None:
    """The pairs that were found among the images with these digests, in this order; None where that is not known."""
    key, content = _key(digests), read_checked(_beside(path))
    if key is None or content is None or content[: len(key)] != key:
        return None
    return np.frombuffer(content[len(key) :], np.int64).reshape(-1, 3)


def remember_pairs(path: Path, digests: Digests, pairs: Pairs) -> None:
    """Keeps the pairs that were found among the images with these digests, in place of those of others."""
    if (key := _key(digests)) is not None:
        with suppress(OSError):
            write_checked(_beside(path), key + pairs.tobytes())


def _beside(path: Path) -> Path:
    return path.with_suffix(".pairs")


def _key(digests: Digests) -> bytes | None:
    """Names the images with these digests in this order; None where one is not known."""
    return None if digests.null_count else hashlib.sha256(_values(digests).tobytes()).digest()
