"""Long images, such as panoramas: how much is learned of them in their own shape, and in a square.

usage: python benchmarks/long_photos.py [RATIO ...]

Prints Markdown, a line a way: accuracy by cross-validation on train and of the model file on val, with 95 % intervals,
of one run each with every stage frozen, and seconds of the processor, with an empty cache. The images are the ants and
bees of `../shared`, each cut to a square and pasted somewhere into a strip of another photo, RATIO times as wide.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from transfer import SHARED, cache

STRIATE = [sys.executable, "-m", "striate", "train"]
SAID = (
    re.compile(r"cross-validation on train: accuracy ([\d.]+ \[.*?\])"),
    re.compile(r"val, as the model file answers: accuracy ([\d.]+ \[.*?\])"),
)
SIDE = 200  # pixels
WAYS = {
    "a square from the middle": ("--img-size", "224"),
    "all of it, squashed to a square": ("--img-size", "224", "--crop-mode", "squash"),
    "all of it, with a border": ("--img-size", "224", "--crop-mode", "border"),
    "its own shape, as `striate train` alone": (),
}


def strips(folder: Path, ratio: int) -> None:
    """Lays the photos out in class folders of train and val, each somewhere in a strip of another photo."""
    rng = np.random.default_rng(ratio)
    others = sorted((SHARED / "data/imagenet-photos").rglob("*.JPEG"))
    for path in sorted((SHARED / "data/hymenoptera").rglob("*.jpg")):
        with Image.open(others[rng.integers(len(others))]) as file:
            other = file.convert("RGB")
        height = other.width // ratio
        top = int(rng.integers(other.height - height))
        strip = other.crop((0, top, other.width, top + height)).resize((SIDE * ratio, SIDE))
        with Image.open(path) as file:
            strip.paste(ImageOps.fit(file.convert("RGB"), (SIDE, SIDE)), (int(rng.integers(SIDE * (ratio - 1))), 0))
        to = folder / path.relative_to(SHARED / "data/hymenoptera")
        to.parent.mkdir(parents=True, exist_ok=True)
        strip.save(to, quality=90)


def trained(data: Path, run: Path, flags: tuple[str, ...]) -> str:
    """Both accuracies and seconds of the processor of one run, as cells of the table."""
    before = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    with cache(run.with_name(f"{run.name}-cache")):
        command = [*STRIATE, str(data), "--freeze", "all", "--no-report", "--output", str(run), *flags]
        subprocess.run(command, check=True, capture_output=True, env=os.environ)
    seconds = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before
    log = (run / "log.txt").read_text()
    return f"{' | '.join(said.findall(log)[0] for said in SAID)} | {seconds:.0f}"


def main() -> None:
    print("| wide by high | shown | cross-validation on train | val | seconds |")
    print("| --- | --- | --- | --- | ---: |")
    for ratio in map(int, sys.argv[1:] or ("8", "3", "2")):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "images"
            strips(folder, ratio)
            for number, (way, flags) in enumerate(WAYS.items()):
                print(f"| {ratio}:1 | {way} | {trained(folder, Path(temporary) / str(number), flags)} |", flush=True)


if __name__ == "__main__":
    main()
