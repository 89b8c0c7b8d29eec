"""Segmentation: the three upsamplings of a U-Net at equal budget, and SegNet and FCN-8s from scratch.

usage: python benchmarks/segmentation.py [upsampling|networks [DATA [EPOCHS [SIZE [SEEDS]]]]]

A U-Net begins with the weights of EfficientNet-Lite0; SegNet and FCN-8s, whose encoder is a VGG, with drawn values,
because an installation brings no weights of it. All train on batches of 8. A seed decides the split, the drawn values
and the order of the images. Prints, for each arm and seed, mean IoU and boundary F1 on test, and the seconds of the
processor over all threads until the model was there; for each seed, the mean IoU of an answer that calls every pixel
of test background; and of each two arms, the mean over the seeds of the difference of mean IoU, with Student's 95 %
interval.
"""

import json
import resource
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np

from striate.augment.resample import IGNORED
from striate.data.index_file import load_index
from striate.data.masks import load_mask
from striate.evaluation.intervals import student

SHARED = Path(__file__).parents[2] / "shared"
STRIATE = [sys.executable, "-m", "striate"]
UNET = ("--weights", "efficientnet_lite0", "--freeze", "none")
SUITES: dict[str, dict[str, tuple[str, ...]]] = {
    "upsampling": {name: (*UNET, "--model-args.upsampling", name) for name in ("nearest", "unpool", "transposed")},
    "networks": {name: ("--model", name, "--weights", "none") for name in ("segnet", "fcn8s")},
}
BUDGETS = {"upsampling": (5, 96, 3), "networks": (20, 64, 1)}  # epochs, pixels a side, seeds
BATCH = 8


def background(run: Path) -> float:
    """The mean IoU on a run's test images of an answer that calls every pixel background."""
    index = load_index(run / "index.parquet")
    counts = np.zeros(len(index.mask_classes), np.int64)
    for row in index.rows("test").tolist():
        mask = load_mask(index, row)
        counts += np.bincount(mask[mask != IGNORED], minlength=len(counts))
    return float(counts[0] / counts.sum() / len(index.mask_classes))


def trained(data: Path, run: Path, flags: tuple[str, ...]) -> tuple[dict[str, float], float]:
    """The scores on test of a model that was trained into a folder, and the seconds of the processor it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = ["train", str(data), "--task", "segment", "--no-report", "--output", str(run), *flags]
    subprocess.run([*STRIATE, *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    words = ["evaluate", str(run / "model.safetensors"), str(data), "--split", "test", "--json"]
    done = subprocess.run([*STRIATE, *words], check=True, capture_output=True)
    return {name: found["value"] for name, found in json.loads(done.stdout)["metrics"].items()}, seconds


def main() -> None:
    words = sys.argv[1:]
    suite = words[0] if words else "upsampling"
    data = Path(words[1]) if len(words) > 1 else SHARED / "data" / "human-segmentation"
    epochs, size, seeds = (
        int(words[place]) if len(words) > place else default for place, default in enumerate(BUDGETS[suite], 2)
    )
    if not data.exists():
        print(f"segmentation: skipped, because {data} is not there")
        return
    print(f"{data.name}, epochs: {epochs}, at {size} pixels")
    print(f"{'':12}{'seed':>6}{'mean IoU':>10}{'boundary F1':>13}{'processor s':>13}", flush=True)
    budget = ("--epochs", str(epochs), "--img-size", str(size), "--batch-size", str(BATCH))
    found: dict[str, list[float]] = {name: [] for name in SUITES[suite]}
    with tempfile.TemporaryDirectory() as room:
        for seed in range(seeds):
            for name, flags in SUITES[suite].items():
                run = Path(room) / f"{name}-{seed}"
                scores, seconds = trained(data, run, (*flags, *budget, "--seed", str(seed)))
                found[name].append(scores["mean_iou"])
                shown = f"{scores['mean_iou']:>10.3f}{scores['boundary_f1']:>13.3f}{seconds:>13.0f}"
                print(f"{name:<12}{seed:>6}{shown}", flush=True)
            print(f"{'background':<12}{seed:>6}{background(run):>10.3f}", flush=True)
    for first, second in combinations(found, 2) if seeds > 1 else ():
        difference = student(np.subtract(found[first], found[second]))
        print(f"{first} less {second}: {difference:+.3f}")


if __name__ == "__main__":
    main()
