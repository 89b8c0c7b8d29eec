"""The pixel cache: every image decoded once, and kept at the resolution that training works at.

One file holds the images of a data set, whole or not at all. It is mapped into memory, so that an image that is
asked for costs the pages of what is shown of it. Each image is kept under what its file holds
(`striate.data.identity`): one that was changed or added is decoded, the others are taken over from the file before.
What a cached image shows is decided by its file and the settings alone, never by whether the cache was there.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import PIL
import simplejpeg

from striate.caches import cache_folder
from striate.data.decode import UnreadableError
from striate.data.identity import digests
from striate.data.images import Images, IndexedImages
from striate.data.index import Index, Rows
from striate.data.pixel_file import SUFFIX, UNREADABLE, BrokenError, Kept, PixelFile, tidy, write
from striate.data.pixel_policy import CachedImage, Policy, choose
from striate.data.raw_pixels import Levels
from striate.data.workers import Done, silent
from striate.files import GB, write_whole
from striate.recipe import DataRecipe

VERSION = 1
LIBRARIES = (simplejpeg.__version__, PIL.__version__, cv2.__version__)  # another release may decode to other bits
AHEAD = 64  # images that are decoded before the first of them is written

Say = Callable[[str], None]


@dataclass
class CachedImages:
    """Images as a policy keeps them, from the cache's file or, where that has not got them, made now: the same."""

    source: IndexedImages
    policy: Policy
    path_of_file: Path
    say: Say
    contents: dict[int, bytes]
    """Digest of each row's file."""

    file: PixelFile | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _damaged: bool = False

    def path(self, row: int) -> str:
        """The row's path as it stands in the index."""
        return self.source.path(row)

    def open(self, row: int) -> CachedImage:
        """The row's image. One that could not be read is tried again, because the disk, not it, may be at fault."""
        kept = self._kept(row)
        if kept is not None and kept.data is not None:
            return CachedImage(self.policy, kept.size, kept.data)
        image = self.source.open(row)
        return CachedImage(self.policy, image.size, self.policy.encode(image))

    def _kept(self, row: int) -> Kept | None:
        if self.file is None or row not in self.contents:
            return None
        try:
            return self.file.get(self.contents[row])
        except BrokenError as error:
            self._report(error)
            return None

    def _report(self, error: BrokenError) -> None:
        """Says once that the file is damaged, and sees to it that the next run makes it anew."""
        with self._lock:
            first, self._damaged = not self._damaged, True
        if first:
            with suppress(OSError):
                self.path_of_file.unlink(missing_ok=True)
            self.say(
                f"pixel cache: {self.path_of_file}: {error}. What is damaged is decoded; the next run makes it anew."
            )


def open_images(
    index: Index,
    rows: Rows,
    recipe: DataRecipe,
    *,
    img_size: int,
    channels: int,
    levels: Levels | None = None,
    epochs: int,
    workers: int = 1,
    say: Say = print,
    advance: Done = silent,
) -> Images:
    """The images of an index, through a pixel cache where the recipe has one; it is made or renewed here.

    Args:
        index: of the data set.
        rows: (N,) of the images that will be read.
        recipe: says whether to keep pixels, and how many bytes at most.
        img_size: the longer side that the network sees; the shorter side of an image is kept at twice that.
        channels: 1 for grey, 3 for RGB, else the number of bands.
        levels: what of more than 8 bits becomes 0 and 255.
        epochs: times that each image will be read.
        workers: threads that decode.
        say: is told what was decided and why, and what went wrong.
        advance: called with the number of images done since the last call.
    """
    images = IndexedImages(index, recipe.max_pixels)
    policy, why = choose(images, rows, recipe, 2 * img_size, channels, epochs, levels)
    say(f"pixel cache: {why}")
    if policy is None:
        return images

    def contents_of(rows: Rows) -> dict[int, bytes]:
        known = digests(index, rows, cache_folder("digests"), workers=workers)
        return {row: digest for row, digest in zip(rows.tolist(), known, strict=True) if digest is not None}

    contents = contents_of(rows)
    wanted = {digest: row for row, digest in reversed(contents.items())}  # one row for each

    def unchanged() -> set[bytes]:
        now = contents_of(np.array(list(wanted.values()), np.int64))
        return {digest for digest, row in wanted.items() if now.get(row) == digest}

    path = _path(index, policy, recipe)
    before = _open(path, say)
    cached = CachedImages(images, policy, path, say, contents, before)
    try:
        if before is None or wanted.keys() != before.places.keys():
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(_made(wanted, images, policy, before, workers, advance)) as made:
                cached.file = _written(path, made, unchanged)
    except (OSError, BrokenError) as error:  # a full disk, say, or no right to write
        reason = error.strerror if isinstance(error, OSError) else None
        say(f"pixel cache: {path}: {reason or error}. Images that it has not got are decoded every epoch.")
    tidy(path, recipe.cache_budget * GB)
    return cached


def _written(path: Path, made: Iterator[tuple[bytes, Kept]], unchanged: Callable[[], set[bytes]]) -> PixelFile:
    opened = []

    def make(aside: Path) -> None:
        write(aside, made, unchanged)
        opened.append(PixelFile(aside))  # before it has the name, which another process may give to its own

    write_whole(path, make, links=False)
    return opened[0]


def _path(index: Index, policy: Policy, recipe: DataRecipe) -> Path:
    """Of the file for a data set and all that decides, besides what its files hold, which pixels are kept."""
    key = repr((VERSION, LIBRARIES, str(index.root.absolute()), policy, recipe.max_pixels))
    return cache_folder("pixels") / f"{hashlib.blake2b(key.encode(), digest_size=8).hexdigest()}{SUFFIX}"


def _open(path: Path, say: Say) -> PixelFile | None:
    try:
        return PixelFile(path)
    except FileNotFoundError:
        return None
    except (BrokenError, OSError) as error:
        say(f"pixel cache: {path}: {error}. It is made anew.")
        return None


def _made(
    wanted: dict[bytes, int],
    images: IndexedImages,
    policy: Policy,
    before: PixelFile | None,
    workers: int,
    advance: Done,
) -> Generator[tuple[bytes, Kept], None, None]:
    """What is kept of each image: what the file `before` has is taken over, the rest is decoded, some ahead."""

    def make(digest: bytes, row: int) -> Kept:
        with suppress(BrokenError):
            kept = before.get(digest) if before is not None else None
            if kept is not None:
                return kept
        try:
            image = images.open(row)
            return Kept(image.size, policy.encode(image))
        except UnreadableError:
            return UNREADABLE

    pending: deque[tuple[bytes, Future[Kept]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for digest, row in wanted.items():
            pending.append((digest, pool.submit(make, digest, row)))
            if len(pending) == AHEAD:
                yield _done(*pending.popleft(), advance)
        while pending:
            yield _done(*pending.popleft(), advance)


def _done(digest: bytes, job: Future[Kept], advance: Done) -> tuple[bytes, Kept]:
    kept = job.result()
    advance(1)
    return digest, kept
