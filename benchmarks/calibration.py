"""What half an image more that is wrong does to the temperature of a head, on images that were held out.

usage: python benchmarks/calibration.py [WEIGHTS]

Heads are fitted to 30, 100 and 300 images of three data sets, five times each. `right` is the share of images held
out, at most 1,000, that are answered right; `loss` their cross-entropy, and `sure` by how much the mean probability of
the answer exceeds that share: first with the temperature of the images alone, then with half an image more.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from planner import DATA, SMALL_WEIGHTS, parted
from striate.data import Index
from striate.device import choose
from striate.features.extraction import extract
from striate.features.heads import fit
from striate.graph.parts import vectors
from striate.pretrained import Pretrained, pretrained
from striate.tasks.temperature import fit_temperature

COUNTS, SEEDS = (30, 100, 300), range(5)


def features(index: Index, part: str, base: Pretrained) -> tuple[Tensor, Tensor]:
    """(N, D) vectors of a part's images, and (N,) their classes."""
    stages: tuple[str, ...] = base.net.stages  # type: ignore[assignment]
    prefix = vectors(base.net, stages[-1:], base.preprocessing.input_size)
    found = extract(index, index.rows(part), prefix, base.preprocessing, choose())
    return found.values()[0].float().flatten(1), torch.from_numpy(index.labels(found.rows))


def scores(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Cross-entropy, and by how much the mean probability of the answer exceeds the share of right ones."""
    sure, answers = logits.softmax(dim=1).max(dim=1)
    return float(cross_entropy(logits, labels)), float(sure.mean() - (answers == labels).float().mean())


def main() -> None:
    weights = Path(sys.argv[1]) if sys.argv[1:] else SMALL_WEIGHTS
    missing = [path for path in (weights, *DATA.values()) if not path.exists()]
    if missing:
        print(f"calibration: skipped, because {missing[0]} is not there")
        return
    base = pretrained(weights)
    print(f"{'':20} {'right':>8} {'loss':>8} {'':>8} {'sure':>8} {'':>8}")
    for name, data in DATA.items():
        index = parted(data, 1000)
        known, labels = features(index, "train", base)
        asked, truth = features(index, "test", base)
        for images in COUNTS:
            rows = []
            for seed in SEEDS:
                drawn = torch.from_numpy(np.random.default_rng(seed).permutation(len(labels))[:images])
                fitted = fit([known[drawn]], labels[drawn], len(index.classes), seed=seed)
                with torch.inference_mode():
                    logits = fitted.head(asked)
                alone = fit_temperature(fitted.out_of_fold, labels[drawn], smoothing=0.0)
                right = float((logits.argmax(dim=1) == truth).float().mean())
                rows.append((right, *scores(logits / alone, truth), *scores(logits, truth)))
            right, loss, sure, loss_half, sure_half = np.mean(rows, axis=0)
            row = f"{right:8.3f} {loss:8.3f} {loss_half:8.3f} {sure:+8.3f} {sure_half:+8.3f}"
            print(f"{name + ', ' + str(images):20} {row}", flush=True)


if __name__ == "__main__":
    main()
