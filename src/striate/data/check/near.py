"""Pairs of images that look alike, found without comparing each with each.

Two perceptual hashes of 64 bits that differ in at most 7 agree but for at most one bit in one of their four 16-bit
bands, because four bands with two differences each would be eight. So each hash is looked up, band by band, with every
bit flipped and with none: 4 x 17 look-ups in a sorted table. N hashes that are spread evenly give about N * N / 2,000
candidates to compare, a few million for 100,000 images: less than a second.

What agrees so far is compared again by the detail of a thumbnail, which a plain background adds nothing to.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RADIUS = 7  # bits that may differ, of 64
BANDS, BAND_BITS = 4, 16
CHUNK = 1 << 20  # candidates at a time: some tens of megabytes
DETAIL_CHUNK = 1024  # pairs of thumbnails at a time
SAME = 0.92  # correlation of detail from which two images are copies; see docs/check.md for what was measured

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]  # (P, 2), first below second


def close_pairs(hashes: Hashes, others: Hashes) -> Pairs:
    """All pairs i < j for which hash i of `hashes` and hash j of `others` differ in at most RADIUS bits.

    Args:
        hashes: (N,).
        others: (N,), the same ones; or those of the images' mirror images.

    Returns:
        (P, 2), in order.
    """
    found = [np.zeros((0, 2), np.int64), *(pairs for band in range(BANDS) for pairs in _in_band(hashes, others, band))]
    return np.unique(np.concatenate(found), axis=0)


def _in_band(hashes: Hashes, others: Hashes, band: int) -> Iterator[Pairs]:
    """The close pairs of which this band differs in at most one bit."""
    mine, theirs = ((each >> np.uint64(band * BAND_BITS)).astype(np.uint16) for each in (hashes, others))
    order = np.argsort(theirs, kind="stable")
    starts = np.searchsorted(theirs[order], np.arange((1 << BAND_BITS) + 1))
    for flip in (0, *(1 << bit for bit in range(BAND_BITS))):
        wanted = (mine ^ np.uint16(flip)).astype(np.int64)
        first, counts = starts[wanted], starts[wanted + 1] - starts[wanted]
        for begin, end in _chunks(counts):
            i = np.repeat(np.arange(begin, end), counts[begin:end])
            within = np.arange(len(i)) - np.repeat(np.cumsum(counts[begin:end]) - counts[begin:end], counts[begin:end])
            j = order[np.repeat(first[begin:end], counts[begin:end]) + within]
            close = (i < j) & (np.bitwise_count(hashes[i] ^ others[j]) <= RADIUS)
            yield np.stack([i[close], j[close]], axis=1)


def _chunks(counts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of hashes that have about CHUNK candidates together."""
    total = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        done = total[begin - 1] if begin else 0
        end = max(int(np.searchsorted(total, done + CHUNK, side="right")), begin + 1)
        yield begin, end
        begin = end


def same_detail(thumbnails: NDArray[np.uint8], pairs: Pairs, *, mirrored: bool) -> NDArray[np.bool_]:
    """Which pairs show the same detail.

    Args:
        thumbnails: (N, SIDE, SIDE, 3).
        pairs: (P, 2), places in `thumbnails`.
        mirrored: whether the first of each pair is mirrored before they are compared.
    """
    same = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), DETAIL_CHUNK):
        i, j = pairs[start : start + DETAIL_CHUNK].T
        one = thumbnails[i, :, ::-1] if mirrored else thumbnails[i]
        same[start : start + DETAIL_CHUNK] = (detail(one) * detail(thumbnails[j])).sum(axis=1) >= SAME
    return same


def detail(thumbnails: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """How neighbouring values of thumbnails (N, H, W, 3) differ, (N, D), each scaled to length 1.

    Brightness falls out of it, and contrast, and plain areas count for nothing.
    """
    values = thumbnails.astype(np.float32)
    down, across = np.diff(values, axis=1), np.diff(values, axis=2)
    flat = np.concatenate([down.reshape(len(values), -1), across.reshape(len(values), -1)], axis=1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(length, np.finfo(np.float32).tiny))
