"""Localisation: a frozen and a fine-tuned locator beside a plain loop as tutorials write it, on the same backbone.

usage: python benchmarks/locate.py [DATA [EPOCHS [BATCH_SIZE]]]

All three begin with the weights of EfficientNet-Lite0 and are scored on the same test images, which the first run
splits off. The plain loop trains the whole network in float32 with Adam at 1e-4, batches of 32, cross-entropy of the
class and mean squared error of the box, on images squashed to 224 pixels, without augmentation; its box comes from the
averaged map, as its class does. Seconds are those of the processor over all threads, from the command to the model, so
that they mean the same on a machine that does other work as well; the loop's are without its imports.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader, Dataset

from striate.data import Index, Rows
from striate.data.index_file import load_index
from striate.pretrained import pretrained
from striate.tasks.locate_boxes import iou, ordered
from striate.tasks.locate_rows import boxes_of

SHARED = Path(__file__).parents[2] / "shared"
NET, SIZE, LR = "efficientnet_lite0", 224, 1e-4
STRIATE = [sys.executable, "-m", "striate"]


class Boxed(Dataset[tuple[Tensor, int, Tensor]]):
    """Images of a split, each with its class and its box in shares of the image."""

    def __init__(self, index: Index, rows: Rows) -> None:
        self.files = [index.root / path for path in index.paths(rows)]
        self.labels = index.labels(rows).tolist()
        self.boxes = boxes_of(index)[rows]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> tuple[Tensor, int, Tensor]:
        with Image.open(self.files[place]) as file:
            image = file.convert("RGB")
        box: NDArray[np.float32] = self.boxes[place] / np.tile(image.size, 2)
        values = torch.from_numpy(np.array(image.resize((SIZE, SIZE)))).permute(2, 0, 1).float() / 255
        return (values - 0.5) / 0.5, self.labels[place], torch.from_numpy(box).float()


def plain_loop(index: Index, epochs: int, batch_size: int) -> tuple[float, float, float]:
    """Mean IoU, the share of IoU 0.5 or more, and the share of right classes, on test."""
    torch.manual_seed(0)
    classes = len(index.classes)
    net = pretrained(NET).net
    net.classifier = nn.Linear(1280, classes + 4)
    optimizer = torch.optim.Adam(net.parameters(), LR)
    train = DataLoader(Boxed(index, index.rows("train")), batch_size, shuffle=True)
    net.train()
    for _ in range(epochs):
        for images, labels, boxes in train:
            outputs = net(images)
            loss = cross_entropy(outputs[:, :classes], labels) + mse_loss(outputs[:, classes:], boxes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    overlaps, right = [], []
    with torch.inference_mode():
        for images, labels, boxes in DataLoader(Boxed(index, index.rows("test")), batch_size):
            outputs = net(images)
            overlaps.append(iou(ordered(outputs[:, classes:]), boxes))
            right.append(outputs[:, :classes].argmax(dim=1) == labels)
    found = torch.cat(overlaps)
    return float(found.mean()), float((found >= 0.5).float().mean()), float(torch.cat(right).float().mean())


def striate_run(data: Path, folder: Path, *flags: str) -> tuple[dict[str, float], float]:
    """The scores on test, and the seconds of the processor until the model was there."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = ["train", str(data), "--task", "locate", "--weights", NET, "--output", str(folder), *flags]
    subprocess.run([*STRIATE, *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    words = ["evaluate", str(folder / "model.safetensors"), str(data), "--split", "test", "--json"]
    done = subprocess.run([*STRIATE, *words], check=True, capture_output=True)
    metrics = json.loads(done.stdout)["metrics"]
    return {name: found["value"] for name, found in metrics.items()}, seconds


def main() -> None:
    words = sys.argv[1:]
    data = Path(words[0]) if words else SHARED / "data" / "raccoon"
    epochs, batch_size = (int(words[place]) if len(words) > place else default for place, default in ((1, 10), (2, 32)))
    if not data.exists():
        print(f"locate: skipped, because {data} is not there")
        return
    print(f"{data.name}, {epochs} epochs where the network learns")
    print(f"{'':24}{'mean IoU':>10}{'IoU >= 0.5':>12}{'accuracy':>10}{'processor s':>13}")
    with tempfile.TemporaryDirectory() as room:
        os.environ["STRIATE_CACHE"] = str(Path(room) / "cache")  # cold: features are computed within the seconds
        fine = ("--freeze", "none", "--epochs", str(epochs), "--batch-size", str(batch_size))
        for name, flags in (("frozen", ()), ("fine-tuned", fine)):
            scores, seconds = striate_run(data, Path(room) / name, *flags)
            shown = scores["mean_iou"], scores["iou50"], scores["accuracy"]
            print(f"striate, {name:<15}{shown[0]:>10.3f}{shown[1]:>12.3f}{shown[2]:>10.3f}{seconds:>13.0f}", flush=True)
        index = load_index(Path(room) / "frozen" / "index.parquet")
        started = time.process_time()
        shown = plain_loop(index, epochs, batch_size)
        seconds = time.process_time() - started
        print(f"{'plain loop':<24}{shown[0]:>10.3f}{shown[1]:>12.3f}{shown[2]:>10.3f}{seconds:>13.0f}")


if __name__ == "__main__":
    main()
