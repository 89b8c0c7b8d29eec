"""How many bytes a packed file may unpack to: more is a trap, made to fill a memory or a disk."""

RATIO = 200  # unpacked bytes a packed one
ALLOWED = 1 << 30  # bytes to which any file may unpack


def most_unpacked(packed: int) -> int:
    """The bytes to which a file of `packed` bytes may unpack.

    >>> most_unpacked(1_000), most_unpacked(10_000_000)
    (1073741824, 2000000000)
    """
    return max(ALLOWED, RATIO * packed)
