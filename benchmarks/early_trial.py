"""Whether a trial of bfloat16 on few training images decides as the trial of the whole model file does, and its costs.

usage: python benchmarks/early_trial.py [IMAGES [SEEDS]]

Prints Markdown. Each setting is images with labels, and published weights that stay frozen. For each seed the images
are dealt to train and val anew. The early trial is that of `striate.features.fit_head`: how many of 128 images of train
are answered otherwise by heads that are fitted to the other half of them. The file's trial is that of
`striate.training.trial`: a head on all of train answers up to 256 images of val in both precisions. Vectors are those
of one view of each image.

The last table has what each limit on the early trial costs, in passes over the features in bfloat16: one where the file
passes; that and one in float32 where it does not; and one in float32 alone where the early trial says so.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from striate.data import Index, IndexedImages, Rows, index_of, read
from striate.device import choose, keep_memory
from striate.features import extract, fit
from striate.features.fit_head import CLEARLY_CHANGED, TRIED, answers_of_halves
from striate.graph.parts import vectors
from striate.pretrained import pretrained
from striate.processors import cores
from striate.training.trial import IMAGES, Trial

SHARED = (Path(__file__).parents[1] / "../shared").resolve()
WEIGHTS = ("efficientnet_lite0", "mobilenet_v1_025_224.keras", "mobilenet_v1_100_224.keras-folded")
SIDE, CROPS = 256, 10  # pixels of a crop, and crops of each photo whose class is the photo
FOLDERS = {"caltech3": "caltech3-boxes/images", "cifar10": "cifar10-jpeg"}
Labels = Callable[[Tensor], Tensor]


def same(labels: Tensor) -> Tensor:
    """The classes as they are."""
    return labels


def drawn(classes: int) -> Labels:
    """Classes that the images say nothing of."""
    return lambda labels: torch.randint(classes, labels.shape, generator=torch.Generator().manual_seed(1))


def is_one_of(*positive: int) -> Labels:
    """Two classes: these, and all others."""
    return lambda labels: torch.isin(labels, torch.tensor(positive)).long()


SETTINGS: dict[str, tuple[str, Labels]] = {  # images, and what is made of their labels
    "ants and bees": ("hymenoptera", same),
    "three kinds of objects": ("caltech3", same),
    "faces or not": ("caltech3", is_one_of(1)),
    "three kinds, at 32 pixels": ("caltech3-32", same),
    "cifar10": ("cifar10", same),
    "cifar10, animals or not": ("cifar10", is_one_of(2, 3, 4, 5, 6, 7)),
    "cifar10, cats or not": ("cifar10", is_one_of(3)),
    "digits": ("mnist", same),
    "digits, odd or even": ("mnist", is_one_of(1, 3, 5, 7, 9)),
    "crops of 100 photos": ("crops", same),
    "crops of 100 photos, 20 classes": ("crops", lambda labels: labels % 20),
    "cifar10, classes drawn, 2": ("cifar10", drawn(2)),
    "cifar10, classes drawn, 30": ("cifar10", drawn(30)),
}


@dataclass(frozen=True)
class Outcome:
    """What both trials found of a setting dealt by one seed."""

    early: int
    """Of `TRIED` images, those that the early trial saw change."""

    file: Trial
    """That of the model file."""

    accuracy: float
    """Of the file in bfloat16, on val."""


def images_of(name: str, folder: Path, most: int) -> tuple[Index, Rows]:
    """At most so many images of a data set, as many of each class."""
    if name == "crops":
        index = index_of(list(crops(folder)))
        return index, np.arange(len(index))
    source, _, side = name.partition("-")
    index = read(SHARED / "data" / FOLDERS.get(source, source))
    rows = index.usable().nonzero()[0]
    labels = index.labels(rows)
    per_class = most // len(index.classes)
    rows = np.sort(np.concatenate([rows[labels == each][:per_class] for each in range(len(index.classes))]))
    if not side:
        return index, rows
    small, pairs = int(side), []
    for row, label in zip(rows.tolist(), index.labels(rows).tolist(), strict=True):
        pairs.append((folder / f"{row}.png", index.classes[label]))
        IndexedImages(index).open(row).pillow.convert("RGB").resize((small, small)).save(pairs[-1][0])
    index = index_of(pairs)
    return index, np.arange(len(index))


def crops(folder: Path) -> Iterator[tuple[Path, str]]:
    """Random parts of photos, with the number of the photo as the class."""
    rng = np.random.default_rng(0)
    for number, path in enumerate(sorted((SHARED / "data/imagenet-photos/images").iterdir())):
        with Image.open(path) as file:
            image = file.convert("RGB")
        for crop in range(CROPS):
            side = round(min(image.size) * rng.uniform(0.3, 0.7))
            x, y = (int(rng.integers(0, length - side + 1)) for length in image.size)
            out = folder / f"{number}-{crop}.jpg"
            image.resize((SIDE, SIDE), box=(x, y, x + side, y + side)).save(out)
            yield out, f"{number:03d}"


def both_precisions(index: Index, rows: Rows, weights: str) -> tuple[list[Tensor], list[float]]:
    """Vectors (N, D) of images in bfloat16 and in float32, and the seconds of the processor that each took."""
    file = SHARED / f"weights/{weights}.safetensors"
    base = pretrained(file if file.exists() else weights)
    stages: tuple[str, ...] = base.net.stages  # type: ignore[assignment]
    prefix = vectors(base.net.requires_grad_(False), stages[-1:], base.preprocessing.input_size)
    found, seconds = [], []
    for precision in ("bfloat16", "float32"):
        machine, started = choose("cpu", precision, runtime="auto"), time.process_time()
        found.append(extract(index, rows, prefix, base.preprocessing, machine, workers=cores()).vectors())
        seconds.append(time.process_time() - started)
    return found, seconds


def outcome(both: Sequence[Tensor], labels: Tensor, seed: int) -> Outcome:
    """Both trials, with the images dealt to train and val by a seed."""
    classes, order = int(labels.max()) + 1, torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    val, train = order[: min(IMAGES, len(order) // 3)], order[min(IMAGES, len(order) // 3) :].sort().values
    few = train[torch.from_numpy(np.linspace(0, len(train) - 1, TRIED).astype(int))]
    halves = [each.argmax(dim=1) for each in answers_of_halves([each[few] for each in both], labels[few], classes)]
    head = fit([both[0][train]], labels[train], classes).head
    rounded, exact = (head(each[val]) for each in both)
    changed = int((rounded.argmax(dim=1) != exact.argmax(dim=1)).sum())
    file = Trial(len(val), changed, float((rounded - exact).norm() / exact.norm()))
    return Outcome(
        int((halves[0] != halves[1]).sum()), file, float((rounded.argmax(dim=1) == labels[val]).float().mean())
    )


def rows_of(name: str, outcomes: Sequence[Outcome]) -> str:
    """A line of the table of settings."""
    limit = CLEARLY_CHANGED * TRIED
    early, file = [each.early for each in outcomes], [each.file.changed for each in outcomes]
    failed = [not each.file.passed for each in outcomes]
    needless = sum(not f and e > limit for e, f in zip(early, failed, strict=True))
    late = sum(f and e <= limit for e, f in zip(early, failed, strict=True))
    accuracy = float(np.mean([each.accuracy for each in outcomes]))
    spread = f"{np.mean(early):.1f} ({min(early)} to {max(early)})"
    tried = f"{np.mean(file):.1f} ({min(file)} to {max(file)}) of {outcomes[0].file.images}"
    return f"| {name} | {accuracy:.3f} | {spread} | {tried} | {sum(failed)} | {needless} | {late} |"


def costs(outcomes: Sequence[Outcome], limit: int, times: float) -> tuple[int, int, float]:
    """How often a limit has float32 take the place in vain and too late, and the mean passes over the features."""
    needless = late = 0
    passes = 0.0
    for each in outcomes:
        early, failed = each.early > limit, not each.file.passed
        needless += early and not failed
        late += failed and not early
        passes += times if early else 1 + times * failed
    return needless, late, passes / len(outcomes)


def main() -> None:
    keep_memory()
    torch.set_grad_enabled(False)
    most, seeds = (int(sys.argv[1]) if len(sys.argv) > 1 else 900), (int(sys.argv[2]) if len(sys.argv) > 2 else 10)
    print("| setting | accuracy | early: of 128, changed | file: changed | file fails | needless float32 | too late |")
    print(f"| --- {'| ---: ' * 6}|")
    outcomes: list[Outcome] = []
    seconds = np.zeros(2)
    for weights in WEIGHTS:
        for name in dict.fromkeys(name for name, _ in SETTINGS.values()):
            with tempfile.TemporaryDirectory() as folder:
                index, rows = images_of(name, Path(folder), most)
                both, taken = both_precisions(index, rows, weights)
            seconds += taken
            for setting, (_, labelled) in ((s, of) for s, of in SETTINGS.items() if of[0] == name):
                labels = labelled(torch.from_numpy(index.labels(rows)))
                with torch.enable_grad():
                    found = [outcome(both, labels, seed) for seed in range(seeds)]
                print(rows_of(f"{setting}; {weights}", found), flush=True)
                outcomes += found
    times = seconds[1] / seconds[0]
    print(f"\n{len(outcomes)} trials; features in float32 take {times:.2f} times the processor's time of bfloat16\n")
    ratios = (1.5, 2.0, 3.0)
    print(f"| most of 128 | needless | too late | {' | '.join(f'passes at {r:g}x' for r in ratios)} |")
    print(f"| ---: | ---: | ---: {'| ---: ' * len(ratios)}|")
    for limit in (*range(13), TRIED):
        (needless, late, _), *_ = each_ratio = [costs(outcomes, limit, each) for each in ratios]
        print(f"| {limit} | {needless} | {late} | {' | '.join(f'{passes:.2f}' for *_, passes in each_ratio)} |")


if __name__ == "__main__":
    main()
