"""What was seen of images, kept from one check to the next by the content of their files."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.data.check.scan import RECORD, Records
from striate.files import read_checked, write_checked

VERSION = 2  # of what a record means: raised when the same file would be seen differently
ENTRY = np.dtype([("digest", "V16"), ("record", RECORD)])
DIGEST = pa.binary(16)
Digest = bytes | None  # 16 bytes that name the content of an image's file; None where it cannot be read


Pairs = NDArray[np.int64]  # (P, 3): the places of two images, the first below the second, and how they are alike


def cache_file(folder: Path, root: Path) -> Path:
    """Where what was seen of the images below `root` is kept; beside it, which of them are alike."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return folder / f"{name}-v{VERSION}.seen"


def recall(path: Path, digests: list[Digest]) -> Records:
    """What is known of the images with these digests, (N,); zeros where nothing is.

    A file that is not there, or is not whole, counts as one that knows nothing.
    """
    records = np.zeros(len(digests), RECORD)
    entries = _load(path)
    at = pc.index_in(pa.array(digests, DIGEST), value_set=_digests(entries))
    rows = np.flatnonzero(at.is_valid())
    records[rows] = entries["record"][np.asarray(at.drop_null())]
    return records


def remember(path: Path, digests: list[Digest], records: Records) -> None:
    """Keeps what was seen, beside what is kept already of other images."""
    seen = np.flatnonzero(records["count"] * np.array([digest is not None for digest in digests]))
    added = np.zeros(len(seen), ENTRY)
    added["digest"] = np.frombuffer(b"".join(digests[row] or b"" for row in seen.tolist()), ENTRY["digest"])
    added["record"] = records[seen]
    entries = np.concatenate([added, _load(path)])
    _, first = np.unique(np.asarray(_digests(entries).dictionary_encode().indices), return_index=True)
    with suppress(OSError):  # a full disk, say: what is not kept is looked at again
        write_checked(path, entries[first].tobytes())


def _digests(entries: NDArray[np.void]) -> pa.Array:
    content = pa.py_buffer(np.ascontiguousarray(entries["digest"]).tobytes())
    return pa.FixedSizeBinaryArray.from_buffers(DIGEST, len(entries), [None, content])


def _load(path: Path) -> NDArray[np.void]:
    content = read_checked(path)
    whole = content is not None and len(content) % ENTRY.itemsize == 0
    return np.frombuffer(content if content is not None and whole else b"", ENTRY)


def recall_pairs(path: Path, digests: list[Digest]) -> Pairs | None:
    """The pairs that were found among the images with these digests, in this order; None where that is not known."""
    key, content = _key(digests), read_checked(_beside(path))
    if key is None or content is None or content[: len(key)] != key:
        return None
    return np.frombuffer(content[len(key) :], np.int64).reshape(-1, 3)


def remember_pairs(path: Path, digests: list[Digest], pairs: Pairs) -> None:
    """Keeps the pairs that were found among the images with these digests, in place of those of others."""
    if (key := _key(digests)) is not None:
        with suppress(OSError):
            write_checked(_beside(path), key + pairs.tobytes())


def _beside(path: Path) -> Path:
    return path.with_suffix(".pairs")


def _key(digests: list[Digest]) -> bytes | None:
    """Names the images with these digests in this order; None where one is not known."""
    known = [digest for digest in digests if digest is not None]
    return hashlib.sha256(b"".join(known)).digest() if len(known) == len(digests) else None
