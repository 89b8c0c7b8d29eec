"""recipes/cifar10-fast.toml beside a plain ResNet-18 in float32: test accuracy against seconds, on the same cores.

usage: python benchmarks/record.py [SEEDS [TIMES]]

Ours is run as at the prompt, seconds from command to model file, the check of the data among them; its answers are
those of `striate evaluate --mirror`. The plain loop is what people write: a ResNet-18 with a 3x3 stem,
shifted and mirrored images from two worker processes, SGD with momentum, one cycle, default layout. It gets TIMES (8)
times the median of our seconds, and a schedule that ends just then; decoding and start-up are not counted against it.
With TIMES 0 it is left out.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from torch.utils.data import DataLoader, Dataset

from striate.data import IndexedImages, Loader, Preprocessing, batches, read
from striate.nets.resnet import BasicBlock, stage

ROOT = Path(__file__).parents[1]
DATA = ROOT / "../shared/data/cifar10-jpeg"
RECIPE = ROOT / "recipes/cifar10-fast.toml"
STRIATE = [sys.executable, "-m", "striate"]
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of CIFAR-10, as people write them
BATCH, LR, WEIGHT_DECAY, WARM_STEPS = 128, 0.1, 5e-4, 10


def ours(seed: int) -> tuple[float, float]:
    """Test accuracy and seconds of one run."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        flags = ["--recipe", str(RECIPE), "--seed", str(seed), "--output", str(run)]
        started = time.perf_counter()
        subprocess.run([*STRIATE, "train", str(DATA), *flags], check=True, capture_output=True)
        seconds = time.perf_counter() - started
        ask = [
            *STRIATE,
            "evaluate",
            str(run / "model.safetensors"),
            str(DATA),
            "--mirror",
            "--no-gain",
            "-b",
            "500",
            "--json",
        ]
        scores = json.loads(subprocess.run(ask, check=True, capture_output=True).stdout)
    return scores["metrics"]["accuracy"]["value"], seconds


class Shifted(Dataset[tuple[Tensor, Tensor]]):
    """Training images, each padded by 4, cropped at random, and mirrored every other time."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self._images = images
        self._labels = labels

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        wide = pad(self._images[i], (4, 4, 4, 4))
        y, x, mirrored = (int(torch.randint(high, ())) for high in (9, 9, 2))
        image = wide[:, y : y + 32, x : x + 32]
        return image.flip(-1) if mirrored else image, self._labels[i]


def split_of(split: str) -> tuple[Tensor, Tensor]:
    """All of a split, normalised (N, 3, 32, 32), and their labels."""
    index = read(DATA)
    rows, preprocessing = index.rows(split), Preprocessing((3, 32, 32), MEAN, STD, 1.0)
    loader = Loader(IndexedImages(index), batches(rows, 1000), preprocessing, workers=2)
    return torch.cat([preprocessing.normalise(batch.images) for batch in loader]), torch.from_numpy(index.labels(rows))


def small_resnet18() -> nn.Module:
    """ResNet-18 for 32x32 images: a 3x3 stem and no pooling after it, as is usual there."""
    stem = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()
    sizes = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
    stages = (stage(BasicBlock, before, after, 2, stride) for before, after, stride in sizes)
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def endless(loader: DataLoader[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from loader


def plain(budget: float) -> None:
    """Trains for `budget` seconds and prints what the test says then."""
    torch.manual_seed(0)
    loader = DataLoader(Shifted(*split_of("train")), BATCH, shuffle=True, num_workers=2, persistent_workers=True)
    net = small_resnet18().train()
    optimizer = torch.optim.SGD(net.parameters(), LR, momentum=0.9, weight_decay=WEIGHT_DECAY)
    schedule: torch.optim.lr_scheduler.OneCycleLR | None = None
    stream = endless(loader)
    next(stream)  # the workers have started
    started, steps, spent = time.perf_counter(), 0, 0.0
    while spent < budget:
        images, labels = next(stream)
        loss = cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
        spent = time.perf_counter() - started
        if steps == WARM_STEPS:  # as many more as fit
            schedule = torch.optim.lr_scheduler.OneCycleLR(
                optimizer, LR, total_steps=int((budget - spent) / (spent / WARM_STEPS)) + WARM_STEPS
            )
        elif schedule is not None and schedule.last_epoch + 1 < schedule.total_steps:
            schedule.step()
        if steps % 100 == 0:
            print(f"plain: {steps} steps, {spent:.0f} s, loss {loss.item():.3f}", file=sys.stderr, flush=True)
    images, named = split_of("test")
    with torch.inference_mode():
        answers = torch.cat([net.eval()(part).argmax(dim=1) for part in images.split(500)])
    right = float((answers == named).float().mean())
    print(
        f"plain ResNet-18, float32: test accuracy {right:.4f} after {spent:.0f} s, {steps * BATCH / 50_000:.2f} epochs"
    )


def main() -> None:
    if sys.argv[1:2] == ["plain"]:
        plain(float(sys.argv[2]))
        return
    if not DATA.exists():
        print(f"record: skipped, because {DATA} is not there")
        return
    found = []
    for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        found.append(ours(seed))
        print(f"seed {seed}: test accuracy {found[-1][0]:.4f} after {found[-1][1]:.0f} s", flush=True)
    accuracy, seconds = (median(values) for values in zip(*found, strict=True))
    print(f"ours: median {accuracy:.4f} after {seconds:.0f} s", flush=True)
    times = float(sys.argv[2]) if len(sys.argv) > 2 else 8.0
    if times:
        subprocess.run([sys.executable, __file__, "plain", str(times * seconds)], check=True)


if __name__ == "__main__":
    main()
