"""How many bytes a packed file may unpack to: more is a trap, made to fill a memory or a disk; and room for them."""

import errno
from pathlib import Path

from striate.errors import StriateError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
MAKE_ROOM = "Make room, or name another folder in STRIATE_CACHE."
RATIO = 200  # unpacked bytes a packed one
ALLOWED = 1 << 30  # bytes to which any file may unpack


def most_unpacked(packed: int) -> int:
    """The bytes to which a file of `packed` bytes may unpack.

    >>> most_unpacked(1_000), most_unpacked(10_000_000)
    (1073741824, 2000000000)
    """
    return max(ALLOWED, RATIO * packed)


def require_room(path: Path, error: BaseException) -> None:
    """Tells a cache that has no room for what is in a file from a file that cannot be read.

    Raises:
        StriateError: if the error is of the disk that was written to.
    """
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        raise StriateError(f"{path}: expected room to unpack it in the cache; {error.strerror}. {MAKE_ROOM}") from error
