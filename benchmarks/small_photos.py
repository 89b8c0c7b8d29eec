"""Small and grey images: what `striate train` alone gives, which trains from scratch, and what published weights give.

usage: python benchmarks/small_photos.py [JOB ...]

Prints Markdown, a line a job: accuracy of the model file on val with its 95 % interval, and seconds of the processor,
of one run each, with an empty cache. At most 2,000 images, laid out as `benchmarks/transfer.py` does, are reduced to a
short side of so many pixels.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from transfer import SHARED, cache, laid_out

STRIATE = [sys.executable, "-m", "striate", "train"]
SAID = re.compile(r"val, as the model file answers: accuracy ([\d.]+) (\[.*?\])")
WAYS = {"alone": (), "published": ("--weights", "efficientnet_lite0")}
JOBS: dict[str, tuple[str, int, str]] = {  # data, pixels of the short side, and mode
    "cifar10": ("cifar10-jpeg", 32, "RGB"),
    "hymenoptera, 32": ("hymenoptera", 32, "RGB"),
    "hymenoptera, 48": ("hymenoptera", 48, "RGB"),
    "hymenoptera, grey, 96": ("hymenoptera", 96, "L"),
    "caltech3, 32": ("caltech3-boxes/images", 32, "RGB"),
    "mnist": ("mnist", 28, "L"),
}


def reduce(folder: Path, side: int, mode: str) -> None:
    """Puts a small PNG in the place of each image below a folder."""
    for path in sorted(folder.rglob("*.jpg")):
        with Image.open(path) as file:
            image = file.convert(mode)
        scale = side / min(image.size)
        if scale < 1:
            size = (round(image.width * scale), round(image.height * scale))
            image = image.resize(size, Image.Resampling.BICUBIC)
        path.unlink()
        image.save(path.with_suffix(".png"))


def trained(data: Path, run: Path, flags: tuple[str, ...]) -> str:
    """Accuracy on val and seconds of the processor of one run, as cells of the table."""
    before = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    with cache(run.with_name(f"{run.name}-cache")):
        command = [*STRIATE, str(data), "--no-report", "--output", str(run), *flags]
        subprocess.run(command, check=True, capture_output=True, env=os.environ)
    seconds = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before
    [(accuracy, interval)] = SAID.findall((run / "log.txt").read_text())
    return f"{accuracy} {interval} | {seconds:.0f}"


def main() -> None:
    print("| images | train, val | from scratch | seconds | EfficientNet-Lite0, frozen | seconds |")
    print("| --- | --- | --- | ---: | --- | ---: |")
    for name in sys.argv[1:] or JOBS:
        source, side, mode = JOBS[name]
        data = SHARED / "data" / source
        if not data.exists():
            print(f"{name}: skipped, because {data} is not there")
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = laid_out(data, Path(temporary) / "images")
            reduce(folder, side, mode)
            counts = " and ".join(f"{len(list((folder / part).rglob('*.png'))):,}" for part in ("train", "val"))
            cells = [trained(folder, Path(temporary) / way, flags) for way, flags in WAYS.items()]
        print(f"| {name} | {counts} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
