"""One resampling beside a chain of them: sharpness, and time.

usage: python benchmarks/resampling.py [PHOTOS]

Each photo is turned, enlarged and seen in perspective, by one resampling of the composed map and by three, one after
another. The error is the root of the mean square, of 255 values, against bilinear interpolation of the composed map in
float64. Then each is brought to fewer pixels and turned: by one resampling, by Pillow's resize and then a rotation, and
by bilinear interpolation alone, against the exact area of the source under each output pixel, inside the circle that
all of them fill. Then the time of one resampling from 640x480 to 224 pixels, for each kind of map, beside Pillow's
transform, and from two threads, with and without threads of OpenCV's own.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _timing import Work, race
from striate.augment import Map, compose, crop, resample
from striate.augment.geometry import KNOTS, about, bend, perspective, rotation, zoom

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "hymenoptera"
SIDE, SHOWN, REPEATS = 256, (224, 224), 100
WHOLE, SHRUNK_TO = 360, (300, 240, 190, 160, 130, 96)  # sides in pixels
FINE = 12  # points along a side of an output pixel, of which its area is the mean


def exact(source: NDArray[np.uint8], map_: Map, size: tuple[int, int]) -> NDArray[np.float64]:
    """What a map shows, interpolated in float64; beyond the border the image is reflected."""
    height, width = source.shape[:2]
    u, v = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    x, y = (map_.points(np.stack([u.ravel(), v.ravel()], axis=-1), size) - 0.5).T
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    shown = np.zeros((len(x), 3))
    for i in (0, 1):
        for j in (0, 1):
            weight = (x - x0 if i else 1 - x + x0) * (y - y0 if j else 1 - y + y0)
            at = [
                np.where(k % (2 * n) < n, k % (2 * n), 2 * n - 1 - k % (2 * n))
                for k, n in ((y0 + j, height), (x0 + i, width))
            ]
            shown += weight[:, None] * source[at[0], at[1]]
    return shown.reshape(size[1], size[0], 3)


def errors(count: int) -> None:
    """Prints the error of one resampling and of the chain."""
    size = (SIDE, SIDE)
    found: dict[str, list[float]] = {"once": [], "chained": []}
    for number, path in enumerate(sorted(PHOTOS.rglob("*.jpg"))[:count]):
        photo = np.asarray(Image.open(path).convert("RGB").resize(size, Image.Resampling.LANCZOS))
        rng = np.random.default_rng(number)
        middle = (SIDE / 2, SIDE / 2)
        parts = [
            about(middle, rotation(rng.uniform(-20, 20))),
            about(middle, zoom(rng.uniform(1, 1.2))),
            perspective(rng.uniform(-0.05, 0.05, (4, 2)) * SIDE, size),
        ]
        expected = exact(photo, Map(compose(*parts)), size)
        chained = photo
        for part in parts:
            chained = resample(chained, Map(part), size)
        for name, shown in (("once", resample(photo, Map(compose(*parts)), size)), ("chained", chained)):
            found[name].append(float(np.sqrt(((shown - expected) ** 2).mean())))
    once, chained_error = (float(np.mean(found[name])) for name in ("once", "chained"))
    print(f"{count} photos of {PHOTOS.name}: root mean square error, of 255 values")
    print(f"one resampling {once:.2f}, three {chained_error:.2f}: {once / chained_error:.3f} of it")


def area(source: NDArray[np.uint8], map_: Map, side: int) -> NDArray[np.float64]:
    """What a map shows, the mean over each output pixel; beyond the border there is its last pixel."""
    fine = (np.arange(side * FINE) + 0.5) / FINE
    u, v = np.meshgrid(fine, fine)
    points = map_.points(np.stack([u.ravel(), v.ravel()], axis=-1), (side, side))
    x, y = np.floor(points).astype(np.int64).clip(0, WHOLE - 1).T
    return np.asarray(source[y, x].reshape(side, FINE, side, FINE, 3).mean(axis=(1, 3)))


def shrinking(count: int) -> None:
    """Prints errors where an image is shrunk and turned."""
    print(f"\nshrunk and turned by 10 degrees, {count} photos: root mean square error against the exact area")
    print(f"{'times':>6}{'once':>8}{'chained':>9}{'bilinear':>10}{'once / chained':>16}")
    for side in SHRUNK_TO:
        size = (side, side)
        u, v = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
        circle = np.hypot(u - side / 2, v - side / 2) < side / 2 - 3
        whole, turn = crop((0, 0, WHOLE, WHOLE), size), about((side / 2, side / 2), rotation(10))
        map_ = Map(compose(whole, turn))
        found = []
        for path in sorted(PHOTOS.rglob("*.jpg"))[:count]:
            photo = np.asarray(Image.open(path).convert("RGB").resize((WHOLE, WHOLE), Image.Resampling.LANCZOS))
            chained = resample(resample(photo, Map(whole), size), Map(turn), size)
            shown = np.stack([resample(photo, map_, size), chained, exact(photo, map_, size)])
            found.append(np.sqrt(((shown - area(photo, map_, side))[:, circle] ** 2).mean(axis=(1, 2))))
        once, two, bilinear = np.mean(found, axis=0)
        print(f"{WHOLE / side:6.2f}{once:8.2f}{two:9.2f}{bilinear:10.2f}{once / two:16.2f}")


def times() -> None:
    """Prints milliseconds of one resampling."""
    source = np.asarray(Image.open(sorted(PHOTOS.rglob("*.jpg"))[0]).convert("RGB").resize((640, 480)))
    image = Image.fromarray(source)
    cropped, smaller = crop((100, 40, 520, 460), SHOWN), crop((100, 40, 380, 320), SHOWN)
    turned, less = (compose(each, about((112, 112), rotation(10))) for each in (cropped, smaller))
    tilted = compose(turned, perspective(np.array([(5, 3), (-4, 6), (-7, -2), (3, -5)], np.float64), SHOWN))
    bent = bend(np.random.default_rng(0).uniform(-4, 4, (KNOTS, KNOTS, 2)), SHOWN)
    maps = {
        "crop": Map(cropped),
        "rotation, shrinks 1.25 times": Map(less),
        "rotation, shrinks 1.9 times": Map(turned),
        "perspective": Map(tilted),
        "local warping": Map(turned, bent),
    }

    def work(map_: Map) -> Work:
        return lambda: len([resample(source, map_, SHOWN) for _ in range(REPEATS)])

    works = {name: work(map_) for name, map_ in maps.items()}
    terms = tuple(turned[:2].ravel())
    works["the second, by Pillow"] = lambda: len(
        [image.transform(SHOWN, Image.Transform.AFFINE, terms, Image.Resampling.BILINEAR) for _ in range(REPEATS)]
    )
    rates = race(works, 5)
    print("\n640x480 to 224x224, one thread: milliseconds, medians of 5 rounds")
    for name, values in rates.items():
        print(f"{name:30}{1e3 / median(values):8.3f}")
    from_two_threads(source, Map(turned))


def from_two_threads(source: NDArray[np.uint8], map_: Map) -> None:
    """Prints images a second where two threads resample, each with all of OpenCV's threads, and with one."""

    def work(pool: ThreadPoolExecutor, threads: int) -> Work:
        def once() -> int:
            cv2.setNumThreads(threads)
            return len(list(pool.map(lambda _: resample(source, map_, SHOWN), range(4 * REPEATS))))

        return once

    with ThreadPoolExecutor(2) as pool:
        rates = race({"OpenCV's own threads": work(pool, -1), "one thread each": work(pool, 1)}, 5)
    print("\nthe second rotation, from two threads: images a second, medians of 5 rounds, least and most")
    for name, values in rates.items():
        print(f"{name:30}{median(values):8.0f}{min(values):8.0f}{max(values):8.0f}")


def main() -> None:
    if not PHOTOS.exists():
        print(f"resampling: skipped, because {PHOTOS} is not there")
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    cv2.setNumThreads(1)
    errors(count)
    shrinking(count)
    times()


if __name__ == "__main__":
    main()
