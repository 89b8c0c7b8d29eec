"""What was seen of images, kept from one check to the next by the content of their files."""

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.data.check.scan import RECORD, Records
from striate.files import read_checked, write_checked

VERSION = 2  # of what a record means: raised when the same file would be seen differently
ENTRY = np.dtype([("digest", "V16"), ("record", RECORD)])
Digest = bytes | None  # 16 bytes that name the content of an image's file; None where it cannot be read


def cache_file(folder: Path, root: Path) -> Path:
    """Where what was seen of the images below `root` is kept."""
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return folder / f"{name}-v{VERSION}.seen"


def recall(path: Path, digests: list[Digest]) -> Records:
    """What is known of the images with these digests, (N,); zeros where nothing is.

    A file that is not there, or is not whole, counts as one that knows nothing.
    """
    records = np.zeros(len(digests), RECORD)
    entries = _load(path)
    places = {digest: place for place, digest in enumerate(entries["digest"].tolist())}
    found = [(row, places[digest]) for row, digest in enumerate(digests) if digest is not None and digest in places]
    if found:
        rows, at = np.array(found).T
        records[rows] = entries["record"][at]
    return records


def remember(path: Path, digests: list[Digest], records: Records) -> None:
    """Keeps what was seen, beside what is kept already of other images."""
    entries = {entry["digest"].item(): entry for entry in _load(path)}
    for digest, record in zip(digests, records, strict=True):
        if digest is not None and record["count"]:
            entries[digest] = np.array((np.void(digest), record), ENTRY)[()]
    with suppress(OSError):  # a full disk, say: what is not kept is looked at again
        write_checked(path, np.array(list(entries.values()), ENTRY).tobytes())


def _load(path: Path) -> NDArray[np.void]:
    content = read_checked(path)
    whole = content is not None and len(content) % ENTRY.itemsize == 0
    return np.frombuffer(content if content is not None and whole else b"", ENTRY)
