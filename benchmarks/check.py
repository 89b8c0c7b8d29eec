"""The check of a data set: how long it takes, and which copies it tells from others.

usage: python benchmarks/check.py [IMAGES] [HASHES]

Three parts. A first and a second check of IMAGES photos of 640 x 480 (2,000 unless given), beside opening each with
Pillow and decoding it whole in as many threads, which is the least that finds a file cut off. The search for near pairs
among HASHES random hashes (100,000 unless given), beside comparing each with each in blocks. And over the real data
sets, how many pairs of images lie at each distance of their hashes, and at each correlation of their detail: what the
thresholds of striate.data.check.near were chosen by.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from _timing import compare
from striate.data import IndexedImages, build, read
from striate.data.check import examine
from striate.data.check.duplicates import worth_comparing
from striate.data.check.near import RADIUS, Hashes, close_pairs, detail
from striate.data.check.scan import thumbnail, view
from striate.data.check.scan_index import scan_index
from striate.data.index import Index
from striate.data.readers.folders import image_files
from striate.data.workers import Workers
from striate.processors import cores

IMAGES, HASHES = 2000, 100_000
SIZE = (640, 480)
BLOCK = 1000  # hashes that are compared with all others at a time
EDGES = (-1.0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 1.01)
DATA = Path(__file__).parents[2] / "shared" / "data"
SETS = ("hymenoptera", "raccoon/images", "caltech3-boxes/images", "human-segmentation/Training_Images", "cifar10-jpeg")


def write_photos(folder: Path, count: int) -> None:
    """Photos of hymenoptera, each brought to SIZE with noise of its own, in one class folder."""
    (folder / "photos").mkdir()
    sources = sorted((DATA / "hymenoptera").rglob("*.jpg"))
    rng = np.random.default_rng(0)
    for number in range(count):
        photo = Image.open(sources[number % len(sources)]).convert("RGB").resize(SIZE, Image.Resampling.BICUBIC)
        noisy = np.asarray(photo, np.float32) + rng.normal(0, 4, (SIZE[1], SIZE[0], 3)).astype(np.float32)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / "photos" / f"{number}.jpg", quality=90)


def decode_whole(index: Index) -> int:
    """Opens and decodes every image with Pillow, by threads."""
    paths = [index.root / path for path in index.paths()]
    with ThreadPoolExecutor(cores()) as pool:
        return len(list(pool.map(lambda path: Image.open(path).convert("RGB").size, paths)))


def check_anew(index: Index) -> int:
    """A check that knows nothing yet."""
    with tempfile.TemporaryDirectory() as cache:
        return len(examine(index, workers=cores(), folder=Path(cache)).index)


def time_checks(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        write_photos(Path(folder), count)
        index = read(Path(folder))
        first, reference, ratio = compare(lambda: check_anew(index), lambda: decode_whole(index))
        print(f"{count} photos of 640 x 480, {cores()} threads")
        print(f"first check   {first:8.0f} images/s, {ratio:.2f} times as many as decoding whole ({reference:.0f})")
        time.sleep(2.1)  # a file that has just been written is read again, see striate.data.identity
        examine(index, workers=cores(), folder=Path(cache))
        again, reference, ratio = compare(
            lambda: len(examine(index, workers=cores(), folder=Path(cache)).index), lambda: decode_whole(index)
        )
        print(f"second check  {again:8.0f} images/s, {ratio:.2f} times as many as decoding whole ({reference:.0f})")


def each_with_each(hashes: Hashes, others: Hashes) -> int:
    """Pairs found by comparing all, a block at a time."""
    found = 0
    for start in range(0, len(hashes), BLOCK):
        distance = np.bitwise_count(hashes[start : start + BLOCK, None] ^ others[None])
        found += int((distance <= RADIUS).sum())
    return found


def time_search(count: int) -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, count, np.uint64)

    def search(method: Callable[[Hashes, Hashes], object]) -> int:
        method(hashes, hashes)
        return count

    rate, reference, ratio = compare(lambda: search(close_pairs), lambda: search(each_with_each), rounds=1)
    print(f"{count} hashes: bands {count / rate:.2f} s, each with each {count / reference:.2f} s, {ratio:.0f} times")


def all_of(folder: Path) -> Index:
    """All images below a folder, whatever they are of."""
    if any(folder.glob("*.parquet")):
        return read(folder)
    return build(folder, ("image",), [str(path.relative_to(folder)) for path in image_files(folder)])


def count_pairs(name: str) -> None:
    """Prints pairs by the distance of their hashes, and by the correlation of their detail."""
    index = all_of(DATA / name)
    scan = scan_index(index, workers=Workers(cores()))
    rows = worth_comparing(scan)
    hashes = scan.records["hash"][rows]
    pairs = close_pairs(hashes, hashes)
    distance = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]])
    images = IndexedImages(index)
    thumbnails = {place: thumbnail(view(images.open(int(rows[place]))))[None] for place in np.unique(pairs).tolist()}
    alike = [float(np.vdot(detail(thumbnails[i]), detail(thumbnails[j]))) for i, j in pairs.tolist()]
    counted = np.histogram(alike, EDGES)[0].tolist()
    print(f"{name}: {len(rows)} images, {len(pairs)} pairs within {RADIUS} bits")
    print("  bits   " + "  ".join(f"{bits}: {int((distance == bits).sum())}" for bits in range(RADIUS + 1)))
    print("  detail " + "  ".join(f"{low:.2f}: {n}" for (low, _), n in zip(pairwise(EDGES), counted, strict=True)))


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    hashes = int(sys.argv[2]) if len(sys.argv) > 2 else HASHES
    if (DATA / "hymenoptera").exists():
        time_checks(images)
    time_search(hashes)
    for name in SETS:
        if (DATA / name).exists():
            count_pairs(name)


if __name__ == "__main__":
    main()
