"""JPEG decoders beside each other: milliseconds a picture on one thread, whole and at the scales that JPEG has.

usage: python benchmarks/decode.py [ROUNDS]

A B C A B C, medians of the rounds. The files are a real photo brought to 640x480 and 4000x3000 pixels, with noise like
a sensor's, because enlarging alone makes files that are too easy to decode. Then, on the photos of a data set as they
are: how far a picture decoded at a scale is from the whole one averaged by area, and Pillow's reading from ours.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from _timing import race

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "hymenoptera"
SIZES = {"640x480": ((640, 480), 60), "12 megapixels": ((4000, 3000), 4)}  # and how often each is decoded at a time
QUALITY, NOISE = 90, 4.0
SCALES = (1, 2, 4, 8)


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
    print(f"\n{name}, {len(data) / 1e3:.0f} kB: milliseconds a picture, one thread, medians of {rounds} rounds")
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


def main() -> None:
    if not PHOTOS.exists():
        print(f"decode: skipped, because {PHOTOS} is not there")
        return
    cv2.setNumThreads(1)
    for name in SIZES:
        measure(name, int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    errors()


if __name__ == "__main__":
    main()
