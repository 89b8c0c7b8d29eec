"""What photos of 108 and 200 megapixels take: seconds and peak memory, to show them to a network and to decode all.

usage: python benchmarks/large_photos.py

A real photo is brought to 108 and 200 megapixels, with noise like a sensor's, and saved as JPEG as telephones do, as a
progressive JPEG and as PNG. Each is read in a process of its own: at 224 x 224 pixels, and whole. The peak is what the
process holds beyond what it held before.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from striate.data import Preprocessing, open_image
from striate.machine.peak import peak_bytes
from striate.recipe.ranges import MOST_FILE_PIXELS

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "hymenoptera"
SIZES = {"108": (12_000, 9_000), "200": (16_384, 12_288)}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("jpg", {}),
    "progressive JPEG": ("jpg", {"progressive": True}),
    "PNG": ("png", {"compress_level": 1}),
}
TILE, NOISE, QUALITY = 1024, 4.0, 90
SHOWN = Preprocessing((3, 224, 224), (0.5,) * 3, (0.5,) * 3)


def photo(size: tuple[int, int]) -> Image.Image:
    """A photo of `size`, whose noise repeats, because a draw for every pixel would take minutes."""
    source = Image.open(sorted(PHOTOS.rglob("*.jpg"))[0]).convert("RGB").resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(source).copy()
    noise = np.random.default_rng(0).normal(0, NOISE, (TILE, TILE, 3))
    for y in range(0, size[1], TILE):
        for x in range(0, size[0], TILE):
            tile = pixels[y : y + TILE, x : x + TILE]
            tile[...] = (tile + noise[: tile.shape[0], : tile.shape[1]]).clip(0, 255)
    return Image.fromarray(pixels)


def read(path: Path, how: str) -> None:
    """Reads a file, and prints seconds and peak megabytes."""

    def work() -> None:
        image = open_image(path, MOST_FILE_PIXELS)
        if how == "shown":
            SHOWN.read(image)
        else:
            image.decode(1, 3)

    start = time.perf_counter()
    peak = peak_bytes(torch.device("cpu"), work) or 0
    print(f"{time.perf_counter() - start:.1f} {peak / 1e6:.0f}")


def main() -> None:
    print(f"{'megapixels':12}{'file':20}{'MB':>6}   {'at 224 x 224: s, peak MB':28}whole: s, peak MB")
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            image = photo(size)
            for kind, (suffix, options) in KINDS.items():
                path = Path(folder) / f"{name}.{suffix}"
                image.save(path, quality=QUALITY, **options)
                found = [
                    subprocess.run([sys.executable, __file__, path, how], check=True, capture_output=True, text=True)
                    for how in ("shown", "whole")
                ]
                shown, whole = (each.stdout.strip().replace(" ", ", ") for each in found)
                print(f"{name:12}{kind:20}{path.stat().st_size / 1e6:6.0f}   {shown:28}{whole}", flush=True)
                path.unlink()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        read(Path(sys.argv[1]), sys.argv[2])
    else:
        main()
