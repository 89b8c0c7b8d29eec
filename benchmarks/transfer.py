"""A classifier from a frozen network: accuracy of each head, and seconds with a cold and a warm feature cache.

usage: python benchmarks/transfer.py [FOLDER_OF_CLASS_FOLDERS [WEIGHTS]]

Figures of train are those of five-fold cross-validation; those of val are of pictures that had no part in it.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from striate.data import Preprocessing, View
from striate.data.loader import EvaluationView
from striate.transfer.features import MirroredView
from striate.transfer.probe import Probed, probe

SHARED = Path(__file__).parents[2] / "shared"
DATA, WEIGHTS = SHARED / "data" / "hymenoptera", SHARED / "weights" / "mobilenet_v1_100_224.keras-folded.safetensors"
Views = Callable[[Preprocessing], Sequence[View]]
VIEWS: dict[str, Views] = {
    "pooled": lambda shown: (EvaluationView(shown),),
    "pooled, with mirrored view": lambda shown: (EvaluationView(shown), MirroredView(shown)),
}


def scores(found: Probed) -> str:
    """Accuracy and cross-entropy of held-out folds, and accuracy on val with its interval."""
    labels = torch.from_numpy(found.index.labels(found.rows))
    held_out = found.fitted.out_of_fold
    accuracy = (held_out.argmax(dim=1) == labels).float().mean()
    val = found.model.metrics
    return (
        f"{accuracy:8.3f}{cross_entropy(held_out, labels):8.3f}{val['accuracy']:8.3f}"
        f"  [{val['accuracy_low']:.3f}, {val['accuracy_high']:.3f}]"
    )


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    weights = Path(sys.argv[2]) if len(sys.argv) > 2 else WEIGHTS
    if not (data.exists() and weights.exists()):
        print(f"transfer: skipped, because {data} or {weights} is not there")
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STRIATE_CACHE"] = folder
        print(f"{data.name}, {weights.name}\n{'':28}{'head':10}{'cv acc':>8}{'cv loss':>8}{'val acc':>8}")
        for name, views in VIEWS.items():
            for kind in ("softmax", "ridge"):
                found = probe(data, weights, Path(folder) / "model", kind=kind, views=views, say=lambda text: None)
                print(f"{name:28}{kind:10}{scores(found)}")
        for cache in ("cold", "warm"):
            if cache == "cold":
                os.environ["STRIATE_CACHE"] = str(Path(folder) / "new")
            started = time.perf_counter()
            found = probe(data, weights, Path(folder) / "model", say=lambda text: None)
            parts = ", ".join(f"{part} {seconds:.2f}" for part, seconds in found.seconds.items())
            print(f"{cache} cache: {time.perf_counter() - started:.1f} seconds to the model file ({parts})")


if __name__ == "__main__":
    main()
