"""JPEG decoders beside each other: milliseconds an image on one thread, whole and at the scales that JPEG has.

usage: python benchmarks/decode.py [ROUNDS]

A B C A B C, medians of the rounds. The files are a real photo brought to 640x480 and 4000x3000 pixels, with noise like
a sensor's, because enlarging alone makes files that are too easy to decode. Then, on the photos of a data set as they
are: how far an image decoded at a scale is from the whole one averaged by area, and Pillow's reading from ours. Last,
what the pixel cache wins: random crops of ever larger files, from the file, from raw pixels and from a JPEG kept of it.
"""

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from _timing import race
from striate.augment import Augmentation, draw_map
from striate.data import open_image
from striate.data.pixel_policy import CachedImage, Policy

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "hymenoptera"
SIZES = {"640x480": ((640, 480), 60), "12 megapixels": ((4000, 3000), 4)}  # and how often each is decoded at a time
QUALITY, NOISE = 90, 4.0
SCALES = (1, 2, 4, 8)
WIDTHS = (500, 640, 800, 1024, 1280, 1600, 2048, 4000)  # of images of 4:3
IMG_SIZE, CROPS = 224, 20  # what the network sees, and crops of an image that are timed at a time
LIGHT = Augmentation(crop_scale=(0.35, 1.0), mirror=0.5)


def photo(size: tuple[int, int]) -> bytes:
    """A JPEG file of `size`."""
    source = Image.open(sorted(PHOTOS.rglob("*.jpg"))[0]).convert("RGB").resize(size, Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, NOISE, (size[1], size[0], 3))
    file = io.BytesIO()
    Image.fromarray((np.asarray(source) + noise).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def with_pillow(data: bytes, scale: int) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (image.width // scale, image.height // scale))
    return np.asarray(image.convert("RGB"))


def with_opencv(data: bytes, scale: int) -> np.ndarray:
    flags = {1: cv2.IMREAD_COLOR_RGB, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flags.get(scale, cv2.IMREAD_REDUCED_COLOR_8)))


def with_simplejpeg(data: bytes, scale: int, fast: bool = False) -> np.ndarray:
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    least = {"min_height": -(-height // scale), "min_width": -(-width // scale)}
    return np.asarray(simplejpeg.decode_jpeg(data, "RGB", fastdct=fast, fastupsample=fast, **least))


DECODERS: dict[str, Callable[[bytes, int], np.ndarray]] = {
    "Pillow": with_pillow,
    "OpenCV": with_opencv,
    "simplejpeg": with_simplejpeg,
    "simplejpeg, fast": lambda data, scale: with_simplejpeg(data, scale, fast=True),
}


def measure(name: str, rounds: int) -> None:
    """Prints one table of milliseconds."""
    size, repeats = SIZES[name]
    data = photo(size)
    print(f"\n{name}, {len(data) / 1e3:.0f} kB: milliseconds an image, one thread, medians of {rounds} rounds")
    print(f"{'':20}" + "".join(f"{'whole' if scale == 1 else f'1/{scale}':>10}" for scale in SCALES))
    works = {
        f"{decoder}/{scale}": lambda decode=decode, scale=scale: len([decode(data, scale) for _ in range(repeats)])
        for decoder, decode in DECODERS.items()
        for scale in SCALES
    }
    rates = race(works, rounds)
    for decoder in DECODERS:
        times = (1e3 / median(rates[f"{decoder}/{scale}"]) for scale in SCALES)
        print(f"{decoder:20}" + "".join(f"{milliseconds:10.2f}" for milliseconds in times))


def errors(count: int = 100) -> None:
    """Prints mean differences, of 255 values."""
    files = [path.read_bytes() for path in sorted(PHOTOS.rglob("*.jpg"))[:count]]
    print(f"\n{len(files)} photos of {PHOTOS.name}: mean difference, of 255 values")
    for scale in SCALES[1:]:
        found = []
        for data in files:
            whole = with_simplejpeg(data, 1)
            height, width = whole.shape[0] // scale, whole.shape[1] // scale
            area = cv2.resize(whole[: height * scale, : width * scale], (width, height), interpolation=cv2.INTER_AREA)
            found.append(np.abs(with_simplejpeg(data, scale)[:height, :width].astype(int) - area).mean())
        print(
            f"decoded at 1/{scale} against decoded whole and averaged: {np.mean(found):.2f}, at most {max(found):.2f}"
        )
    pairs: dict[str, Callable[[bytes], tuple[np.ndarray, np.ndarray]]] = {
        "simplejpeg against Pillow": lambda data: (with_simplejpeg(data, 1), with_pillow(data, 1)),
        "simplejpeg, fast against simplejpeg": lambda data: (with_simplejpeg(data, 1, True), with_simplejpeg(data, 1)),
    }
    for name, pair in pairs.items():
        found = [np.abs(np.subtract(*pair(data), dtype=int)).mean() for data in files]
        print(f"{name}: {np.mean(found):.4f}, at most {max(found):.4f}")


def keeping(width: int, rounds: int) -> None:
    """Prints what reading a crop of an image takes, and what making what is kept of it."""
    data, size = photo((width, width * 3 // 4)), (width, width * 3 // 4)
    maps = [draw_map(LIGHT, size, (IMG_SIZE, IMG_SIZE), 0.875, 0, 0, row) for row in range(CROPS)]
    policy = Policy(2 * IMG_SIZE, 3, "raw")
    raw, jpeg = (
        CachedImage(each, size, each.encode(open_image(data))) for each in (policy, replace(policy, encoding="jpeg"))
    )
    works = {
        "file": lambda: len([open_image(data).read(map_, (IMG_SIZE, IMG_SIZE), 3) for map_ in maps]),
        "raw": lambda: len([raw.read(map_, (IMG_SIZE, IMG_SIZE), 3) for map_ in maps]),
        "jpeg": lambda: len([jpeg.read(map_, (IMG_SIZE, IMG_SIZE), 3) for map_ in maps]),
        "make": lambda: len([policy.encode(open_image(data)) for _ in range(2)]),
    }
    times = [1e3 / median(rates) for rates in race(works, rounds).values()]
    ratio = size[0] * size[1] / np.prod(policy.kept(size))
    lengths = [len(content) / 1e3 for content in (data, raw.data, jpeg.data)]
    print(
        f"{width:8}{ratio:8.1f}"
        + "".join(f"{number:10.2f}" for number in times)
        + "".join(f"{length:10.0f}" for length in lengths)
    )


def main() -> None:
    if not PHOTOS.exists():
        print(f"decode: skipped, because {PHOTOS} is not there")
        return
    cv2.setNumThreads(1)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for name in SIZES:
        measure(name, rounds)
    errors()
    print(f"\ncrops of {IMG_SIZE} x {IMG_SIZE}: milliseconds a crop, one thread, medians of {rounds} rounds; kilobytes")
    columns = ("from file", "raw", "JPEG", "make raw", "kB: file", "raw", "JPEG")
    print("   width   times" + "".join(f"{column:>10}" for column in columns))
    for width in WIDTHS:
        keeping(width, rounds)


if __name__ == "__main__":
    main()
