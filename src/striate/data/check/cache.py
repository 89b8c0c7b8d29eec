"""What was seen of pictures, kept from one check to the next by the content of their files."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.data.check.look import LOOK, Looks
from striate.files import write_whole

VERSION = 1  # of what a look means: raised when the same file would be seen differently
ENTRY = np.dtype([("digest", "V16"), ("look", LOOK)])
Digest = bytes | None  # 16 bytes that name the content of a picture's file; None where it cannot be read


def cache_file(folder: Path, root: Path) -> Path:
    """Where what was seen of the pictures below `root` is kept."""
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return folder / f"{name}-v{VERSION}.npy"


def recall(path: Path, digests: list[Digest]) -> Looks:
    """What is known of the pictures with these digests, (N,); zeros where nothing is.

    A file that is not there, or is not whole, counts as one that knows nothing.
    """
    looks = np.zeros(len(digests), LOOK)
    entries = _load(path)
    places = {digest: place for place, digest in enumerate(entries["digest"].tolist())}
    found = [(row, places[digest]) for row, digest in enumerate(digests) if digest is not None and digest in places]
    if found:
        rows, at = np.array(found).T
        looks[rows] = entries["look"][at]
    return looks


def remember(path: Path, digests: list[Digest], looks: Looks) -> None:
    """Keeps what was seen, beside what is kept already of other pictures."""
    entries = {entry["digest"].item(): entry for entry in _load(path)}
    for digest, look in zip(digests, looks, strict=True):
        if digest is not None and look["count"]:
            entries[digest] = np.array((np.void(digest), look), ENTRY)[()]
    table = np.array(list(entries.values()), ENTRY)

    def write(aside: Path) -> None:
        with aside.open("wb") as file:  # np.save would add a suffix to a path
            np.save(file, table, allow_pickle=False)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, write)
    except OSError:  # a full disk, say: what is not kept is looked at again
        return


def _load(path: Path) -> NDArray[np.void]:
    try:
        entries = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return np.zeros(0, ENTRY)
    whole = isinstance(entries, np.ndarray) and entries.dtype == ENTRY and entries.ndim == 1
    return entries if whole else np.zeros(0, ENTRY)
