"""The pixel cache: every picture decoded once, and kept at the resolution that training works at.

One file holds the pictures of a data set, whole or not at all. It is mapped into memory, so that a picture that is
asked for costs the pages of what is shown of it. Each picture is kept under what its file holds
(`striate.data.identity`): one that was changed or added is decoded, the others are taken over from the file before.
What a cached picture shows is decided by its file and the settings alone, never by whether the cache was there.
"""

import hashlib
import mmap
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from striate.augment import Map, Size, crop, resample
from striate.data.decode import Picture, UnreadableError, open_picture
from striate.data.identity import digests
from striate.data.index import Index, Rows
from striate.data.pictures import IndexedPictures, Pictures
from striate.files import cache_folder, write_whole
from striate.recipe import DataRecipe

VERSION = 1
QUALITY = 95  # of JPEG, with its colours at full resolution
AHEAD = 64  # pictures that are decoded before the first of them is written
GB = 10**9
SAMPLE = 200  # pictures, spread evenly, that tell the size of all
WORTH = 4  # how many times the pixels that would be kept a picture has, on average, where `auto` keeps them
TRAILER = struct.Struct("<8sqqI")  # mark, where the table starts, its rows, its CRC-32: the end of a file
MARK = b"striate1"
ENTRY = np.dtype(
    [
        ("digest", "V16"),  # of the picture's file
        ("start", "<i8"),  # of its bytes in the cache; -1 for a picture that cannot be read
        ("length", "<i8"),
        ("checksum", "<u4"),  # CRC-32 of its bytes
        ("size", "<i4", 2),  # width and height of the upright picture
    ]
)

Encoding = Literal["raw", "jpeg"]
Say = Callable[[str], None]
Advance = Callable[[int], None]
Data = bytes | memoryview
Job = Future[tuple[Size, Data | None]]


@dataclass(frozen=True)
class Policy:
    """What decides the pixels that are kept of a picture."""

    side: int
    """Pixels of the shorter side; a smaller picture is kept as it is."""

    channels: int
    encoding: Encoding

    def kept(self, size: Size) -> Size:
        """The size at which a picture of `size` is kept."""
        scale = min(1.0, self.side / min(size))
        return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)

    def pyramid(self, size: Size) -> list[Size]:
        """The sizes at which a picture of `size` is kept raw, each half of the one before."""
        sizes = [self.kept(size)]
        while min(sizes[-1]) >= max(self.side // 2, 2):
            sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
        return sizes

    def encode(self, picture: Picture) -> bytes:
        """What is kept of a picture: the pixels of its pyramid one after the other, or a JPEG.

        Raises:
            UnreadableError: if the picture cannot be decoded.
        """
        kept = self.kept(picture.size)
        pixels = picture.read(Map(crop((0, 0, *picture.size), kept)), kept, self.channels)
        if self.encoding == "jpeg":
            colours = ("GRAY", "Gray") if self.channels == 1 else ("RGB", "444")
            encoded: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), QUALITY, *colours)
            return encoded
        levels = [pixels]
        for smaller in self.pyramid(picture.size)[1:]:
            level = cv2.resize(levels[-1], smaller, interpolation=cv2.INTER_AREA)
            levels.append(np.asarray(level, np.uint8).reshape(smaller[1], smaller[0], self.channels))
        return b"".join(level.tobytes() for level in levels)


@dataclass(frozen=True)
class CachedPicture:
    """What is kept of a picture, to be asked as a `Picture` is."""

    policy: Policy
    size: Size
    """Width and height of the upright picture in its file, which maps lead to."""

    data: Data

    def read(self, map_: Map, size: Size, channels: int) -> NDArray[np.uint8]:
        """What `map_` shows, resampled once from the smallest level that has all of its detail.

        Args:
            map_: from output to the upright picture.
            size: width and height of the output.
            channels: as many as are kept.

        Returns:
            (H, W, channels) values 0 to 255.
        """
        if self.policy.encoding == "jpeg":
            kept = self.policy.kept(self.size)
            return open_picture(bytes(self.data)).read(map_.then(crop((0, 0, *kept), self.size)), size, channels)
        across, down = map_.reduction(size)
        start, (level, *smaller) = 0, self.policy.pyramid(self.size)
        while smaller and across * smaller[0][0] >= self.size[0] and down * smaller[0][1] >= self.size[1]:
            start += level[0] * level[1] * channels
            level, *smaller = smaller
        pixels = np.frombuffer(self.data, np.uint8, level[0] * level[1] * channels, start)
        into_level = map_.then(crop((0, 0, *level), self.size))
        return resample(pixels.reshape(level[1], level[0], channels), into_level, size)


class BrokenError(Exception):
    """What is wrong with a cache's file."""


class _File:
    """A cache's file, mapped into memory."""

    def __init__(self, path: Path) -> None:
        """Opens it.

        Raises:
            FileNotFoundError: if there is none.
            BrokenError: if it is not whole.
        """
        with path.open("rb") as file:
            length = file.seek(0, 2)
            if length < TRAILER.size:
                raise BrokenError("it is too short")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        mark, start, count, checksum = TRAILER.unpack(self._map[-TRAILER.size :])
        if mark != MARK or start < 0 or start + count * ENTRY.itemsize + TRAILER.size != length:
            raise BrokenError("its end is not that of a cache")
        table = self._map[start : -TRAILER.size]
        if zlib.crc32(table) != checksum:
            raise BrokenError("its table of contents is damaged")
        self._view = memoryview(self._map)
        self.entries = np.frombuffer(table, ENTRY)
        self.places = {digest.tobytes(): i for i, digest in enumerate(self.entries["digest"])}
        self._verified = np.zeros(count, bool)

    def data(self, place: int) -> memoryview | None:
        """The bytes of an entry; None for a picture that could not be read.

        Raises:
            BrokenError: if they are damaged, which is found out when they are first asked for.
        """
        start, length, checksum = (int(self.entries[name][place]) for name in ("start", "length", "checksum"))
        if start < 0:
            return None
        data = self._view[start : start + length]
        if not self._verified[place]:
            if zlib.crc32(data) != checksum:
                raise BrokenError("a picture in it is damaged")
            self._verified[place] = True
        return data

    def size(self, place: int) -> Size:
        """Width and height of the upright picture."""
        width, height = self.entries["size"][place].tolist()
        return width, height


@dataclass
class CachedPictures:
    """Pictures as a policy keeps them, from its file or, where that has not got them, made now: the same pixels."""

    source: IndexedPictures
    policy: Policy
    path_of_file: Path
    say: Say
    contents: dict[int, bytes] = field(default_factory=dict)
    """Digest of each row's file."""

    file: _File | None = None

    def path(self, row: int) -> str:
        """The row's path as it stands in the index."""
        return self.source.path(row)

    def open(self, row: int) -> CachedPicture:
        """The row's picture."""
        file = self.file
        place = None if file is None else file.places.get(self.contents.get(row, b""))
        if file is not None and place is not None:
            try:
                data = file.data(place)
            except BrokenError as error:
                self._discard(error)
            else:
                if data is not None:
                    return CachedPicture(self.policy, file.size(place), data)
        picture = self.source.open(row)
        return CachedPicture(self.policy, picture.size, self.policy.encode(picture))

    def _discard(self, error: BrokenError) -> None:
        """Says once that the file is damaged, and sees to it that the next run makes it anew."""
        if self.file is not None:
            self.file = None
            self.path_of_file.unlink(missing_ok=True)
            self.say(f"pixel cache: {self.path_of_file}: {error}. Pictures are decoded; the next run makes it anew.")


def open_pictures(
    index: Index,
    rows: Rows,
    recipe: DataRecipe,
    *,
    img_size: int,
    channels: int,
    epochs: int,
    workers: int = 1,
    say: Say = print,
    advance: Advance = lambda count: None,
) -> Pictures:
    """The pictures of an index, through a pixel cache where the recipe has one; it is made or renewed here.

    Args:
        index: of the data set.
        rows: (N,) of the pictures that will be read.
        recipe: says whether to keep pixels, and how many bytes at most.
        img_size: height and width that the network sees; pictures are kept at twice that.
        channels: 1 for grey, 3 for RGB.
        epochs: times that each picture will be read.
        workers: threads that decode.
        say: is told what was decided and why, and what went wrong.
        advance: called with the number of pictures done since the last call.
    """
    pictures = IndexedPictures(index, recipe.max_pixels)
    policy, why = _choose(pictures, rows, recipe, 2 * img_size, channels, epochs)
    say(f"pixel cache: {why}")
    if policy is None:
        return pictures
    root = str(index.root.absolute())
    key = hashlib.blake2b(repr((VERSION, root, policy)).encode(), digest_size=8).hexdigest()
    path = cache_folder("pixels") / f"{key}.pixels"
    known = digests(index, rows, cache_folder("digests"), workers=workers)
    contents = {row: digest for row, digest in zip(rows.tolist(), known, strict=True) if digest is not None}
    cached = CachedPictures(pictures, policy, path, say, contents)
    before = _open(path, say)
    wanted = {digest: row for row, digest in reversed(contents.items())}  # one row for each
    try:
        if before is None or wanted.keys() != before.places.keys():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda aside: _write(aside, wanted, pictures, policy, before, workers, advance))
        path.touch()  # the latest used
        _remove_others(path, recipe.cache_budget * GB)
        cached.file = _open(path, say)
    except OSError as error:  # a full disk, or no right to write
        say(f"pixel cache: {path}: {error.strerror or error}. Pictures are decoded every epoch.")
    return cached


def _choose(
    pictures: IndexedPictures, rows: Rows, recipe: DataRecipe, side: int, channels: int, epochs: int
) -> tuple[Policy | None, str]:
    """Whether and how to keep pixels, and the reason: decided by the data and the recipe alone."""
    if recipe.pixel_cache == "off" or not len(rows):
        return None, "off, as asked"
    if recipe.pixel_cache == "auto" and epochs < 2:
        return None, "off, because each picture is read once"
    sample = _readable(pictures, rows[:: max(len(rows) // SAMPLE, 1)])
    if not sample:
        return None, "off, because no picture can be read"
    raw, jpeg = Policy(side, channels, "raw"), Policy(side, channels, "jpeg")
    pixels, kept = (
        np.mean([width * height for width, height in sizes])
        for sizes in ([picture.size for picture in sample], [raw.kept(picture.size) for picture in sample])
    )
    ratio = pixels / kept
    if recipe.pixel_cache == "auto" and ratio < WORTH:
        return None, f"off, because pictures are small: {ratio:.1f} times the pixels that would be kept, of {WORTH}"
    shown = f"pictures have {ratio:.1f} times the pixels that are kept, {side} on the shorter side"
    for policy in (raw, jpeg):
        total = len(rows) * float(np.mean(_lengths(policy, sample)))
        if total <= recipe.cache_budget * GB:
            return policy, f"{policy.encoding}, about {total / GB:.2f} GB: {shown}"
    return None, f"off, because even JPEG would take about {total / GB:.1f} GB. Try a larger --cache-budget."


def _lengths(policy: Policy, sample: Sequence[Picture]) -> list[int]:
    """Bytes that are kept of each picture; those of a JPEG are found out by a few."""
    if policy.encoding == "raw":
        levels = [policy.pyramid(picture.size) for picture in sample]
        return [policy.channels * sum(width * height for width, height in sizes) for sizes in levels]
    lengths = []
    for picture in sample[:: max(len(sample) // 20, 1)]:
        try:
            lengths.append(len(policy.encode(picture)))
        except UnreadableError:
            continue
    return lengths or [0]


def _readable(pictures: IndexedPictures, rows: Rows) -> list[Picture]:
    found = []
    for row in rows.tolist():
        try:
            found.append(pictures.open(row))
        except UnreadableError:
            continue
    return found


def _open(path: Path, say: Say) -> _File | None:
    try:
        return _File(path)
    except FileNotFoundError:
        return None
    except (BrokenError, OSError) as error:
        say(f"pixel cache: {path}: {error}. It is made anew.")
        return None


def _write(
    aside: Path,
    wanted: dict[bytes, int],
    pictures: IndexedPictures,
    policy: Policy,
    before: _File | None,
    workers: int,
    advance: Advance,
) -> None:
    """Writes a whole cache: what the one `before` has is taken over, the rest is decoded."""

    def encode(digest: bytes, row: int) -> tuple[Size, Data | None]:
        place = None if before is None else before.places.get(digest)
        if before is not None and place is not None:
            try:
                return before.size(place), before.data(place)
            except BrokenError:
                pass
        try:
            picture = pictures.open(row)
            return picture.size, policy.encode(picture)
        except UnreadableError:
            return (0, 0), None

    with aside.open("wb") as file, ThreadPoolExecutor(workers) as pool:
        jobs = _ahead((pool.submit(encode, digest, row) for digest, row in wanted.items()), AHEAD)
        entries = [_entry(file, digest, *job, advance) for digest, job in zip(wanted, jobs, strict=True)]
        start, table = file.tell(), np.array(entries, ENTRY).tobytes()
        file.write(table)
        file.write(TRAILER.pack(MARK, start, len(entries), zlib.crc32(table)))


def _entry(
    file: BinaryIO, digest: bytes, size: Size, data: Data | None, advance: Advance
) -> tuple[bytes, int, int, int, Size]:
    """Writes one picture; returns its row of the table."""
    advance(1)
    if data is None:
        return digest, -1, 0, 0, size
    start = file.tell()
    file.write(data)
    return digest, start, len(data), zlib.crc32(data), size


def _ahead(jobs: Iterator[Job], count: int) -> Iterator[tuple[Size, Data | None]]:
    """The results of jobs in their order, of which `count` at most are begun before they are asked for."""
    pending: deque[Job] = deque()
    for job in jobs:
        pending.append(job)
        if len(pending) == count:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _remove_others(path: Path, budget: float) -> None:
    """Removes the caches that were used longest ago, until all together are within the budget."""
    files = sorted(path.parent.glob("*.pixels"), key=lambda file: (file != path, -file.stat().st_mtime))
    for file, total in zip(files, np.cumsum([file.stat().st_size for file in files]), strict=True):
        if file != path and total > budget:
            file.unlink(missing_ok=True)  # a process that has it open keeps what it has
