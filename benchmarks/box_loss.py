"""The loss of a box, measured: mean squared error, smooth L1 and generalised IoU, and their weight beside the class.

usage: python benchmarks/box_loss.py [DATA [SEEDS]]

EfficientNet-Lite0 with its ImageNet weights stays frozen; what it gives for the plain view of each image, means over a
grid of 4 x 4 in 64 principal channels, is computed once. A perceptron of one hidden layer, which classes and box share,
learns from it by AdamW, which takes a loss that is alone alike at any scale. A seed decides the split, the initial
values and the dropout. Prints, for each loss and weight, the task's score on val for each seed, and means over the
seeds of that score, mean IoU, the share of IoU 0.5 or more, and its mean over 0.5 to 0.95, on test.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from striate.augment.resample import map_boxes
from striate.data import Batch, Index, IndexedImages, Loader, Preprocessing, Rows, batches, read
from striate.data.split import split
from striate.pretrained import pretrained
from striate.recipe import Recipe
from striate.tasks.locate import ClassAndBox, Locate, Options
from striate.tasks.locate_loss import BoxLoss
from striate.tasks.locate_rows import boxes_of

SHARED = Path(__file__).parents[2] / "shared"
WEIGHTS: dict[BoxLoss, tuple[float, ...]] = {
    "mse": (1.0, 10.0, 100.0),
    "smooth_l1": (1.0, 10.0, 100.0),
    "giou": (0.1, 1.0, 10.0),
}
RATE, STEPS, BATCH, DECAY = 3e-4, 300, 256, 0.05
GRID, CHANNELS, HIDDEN = 4, 64, 128
NAMES = ("mean_iou", "iou50", "iou50_95")


@dataclass(frozen=True)
class Data:
    """A data set, as a head learns from it."""

    task: Locate
    index: Index
    shown: Preprocessing
    features: Tensor
    """(N, GRID * GRID * CHANNELS) of each row of the index, of unit variance; zeros of a row that is not used."""

    def batch(self, rows: Rows) -> Batch:
        """The boxes of rows, in pixels of what the network is shown, without images."""
        sizes = [IndexedImages(self.index).open(row).size for row in rows.tolist()]
        maps = [self.shown.map(size) for size in sizes]
        boxes = boxes_of(self.index)[rows]
        placed = [map_boxes(box[None], map_, self.shown.size)[0] for box, map_ in zip(boxes, maps, strict=True)]
        return Batch(torch.empty(0), rows, boxes=torch.from_numpy(np.stack(placed)))


def prepared(folder: Path) -> Data:
    """What the frozen network gives for each image."""
    index = read(folder)
    task = Locate.of(index, Recipe())
    index = task.match(index)
    base = pretrained("efficientnet_lite0")
    shown = replace(base.preprocessing, crop_mode="squash", crop_pct=1.0)
    rows = np.flatnonzero(index.usable())
    net: Any = base.net.eval()
    maps = torch.zeros(len(index), net.conv_head.out_channels, GRID, GRID)
    with torch.inference_mode():
        for batch in Loader(IndexedImages(index), batches(rows, 32), shown, unreadable={}):
            last = net.features(shown.normalise(batch.images))[-1]
            maps[torch.from_numpy(batch.rows)] = adaptive_avg_pool2d(last, GRID)
    places = maps[rows].movedim(1, -1).flatten(0, 2)  # (N * GRID * GRID, C)
    _, _, directions = torch.pca_lowrank(places[:: max(len(places) // 8192, 1)], CHANNELS)
    kept = torch.einsum("nchw,ck->nkhw", maps - places.mean(dim=0)[:, None, None], directions).flatten(1)
    return Data(task, index, shown, kept / kept[rows].std())


def learned(data: Data, chosen: Options, seed: int) -> Iterator[dict[str, float]]:
    """The metrics on val and on test of a head that learned on train."""
    index = split(data.index, val_fraction=0.15, test_fraction=0.15, seed=seed)
    data = replace(data, index=index)
    torch.manual_seed(seed)
    first, last = nn.Linear(data.features.shape[1], HIDDEN), nn.Linear(HIDDEN, data.task.outputs)
    head = nn.Sequential(nn.Dropout(0.2), first, nn.ReLU(), nn.Dropout(0.5), last)
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias[-4:] = torch.tensor([0.25, 0.25, 0.75, 0.75])
    objective = ClassAndBox(head, data.task, chosen)
    rows = index.rows("train")
    targets = data.task.targets(index, data.batch(rows), data.shown)
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        which = torch.randperm(len(rows))[:BATCH]
        loss, _ = objective(data.features[rows[which]], {name: value[which] for name, value in targets.items()})
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    head.eval()
    for part in ("val", "test"):
        held_out = index.rows(part)
        with torch.inference_mode():
            answered = head(data.features[held_out])
        yield data.task.metrics(data.task.observe(answered, index, data.batch(held_out), data.shown))


def main() -> None:
    words = sys.argv[1:]
    folder = Path(words[0]) if words else SHARED / "data" / "raccoon"
    seeds = int(words[1]) if len(words) > 1 else 3
    if not folder.exists():
        print(f"box_loss: skipped, because {folder} is not there")
        return
    torch.set_num_threads(1)
    data = prepared(folder)
    score = data.task.score
    print(f"{folder.name}: {len(data.task.classes)} classes, {data.index.usable().sum():,} images, {seeds} seeds\n")
    print("| loss | weight | score on val | score on test | mean IoU | IoU of 0.5 or more | 0.5 to 0.95 |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: |")
    for loss, weights in WEIGHTS.items():
        for weight in weights[1:2] if len(data.task.classes) == 1 else weights:
            found = [list(learned(data, Options(loss, weight), seed)) for seed in range(seeds)]
            val = ", ".join(f"{of_val[score]:.3f}" for of_val, _ in found)
            means = (np.mean([of_test[name] for _, of_test in found]) for name in (score, *NAMES))
            print(f"| {loss} | {weight:g} | {val} | {' | '.join(f'{mean:.3f}' for mean in means)} |", flush=True)


if __name__ == "__main__":
    main()
