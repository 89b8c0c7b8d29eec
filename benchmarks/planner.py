"""The planner's choice against fine-tuning at every depth: how often it is within 0.01 of the best, at what cost.

usage: python benchmarks/planner.py [quick | WEIGHTS [MOST [DATA ...]]]

Three data sets, or those of them that are named, of 100, 400 and all images to learn from, MOST of them where that is
given; of the rest at most 1,000 are the test that accuracy is of. Each row trains once at every depth. Seconds are the
processor's, of all threads, which other programs do not lengthen; the rule that weighs time is given those that the
training of the whole network took, shared by the cores. `cost` is the planner's seconds and those of training as it
says, over the seconds of all trainings. `quick` looks whether it runs: an epoch, one depth, a small network; its
figures say nothing.
"""

import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from striate.console import Reporter
from striate.data import Index, read, split
from striate.device import choose
from striate.evaluation import evaluate
from striate.model import load
from striate.plan import recommend
from striate.plan.cost import counted
from striate.plan.curves import thinned
from striate.plan.rule import decide
from striate.pretrained import Pretrained, pretrained
from striate.processors import cores
from striate.recipe import Recipe, TrainingRecipe, TransferRecipe
from striate.transfer import train

SHARED = Path(__file__).parents[2] / "shared"
WEIGHTS = SHARED / "weights" / "mobilenet_v1_100_224.keras-folded.safetensors"
SMALL_WEIGHTS = SHARED / "weights" / "mobilenet_v1_025_224.keras.safetensors"
DATA = {
    "hymenoptera": SHARED / "data" / "hymenoptera",
    "caltech3": SHARED / "data" / "caltech3-boxes" / "images",
    "cifar10": SHARED / "data" / "cifar10-jpeg",
}
SIZES = (100, 400, None)  # images to learn from
TEST_FRACTION, MOST_TEST = 0.3, 1000
LIKE = 0.05  # of all multiplications: a depth that spares so little more than the one before it is not tried
NEAR = 0.01  # accuracy, within which a choice is as good as the best
SEED = 0


@dataclass(frozen=True)
class Row:
    """One data set of one size."""

    name: str
    images: int
    chosen: str
    """By the planner."""

    accuracies: dict[str, float]
    """On test, by `--freeze`."""

    seconds: dict[str, float]
    """Of training, by `--freeze`: of the processor, as is what follows."""

    plan_s: float

    @property
    def short(self) -> float:
        """By how much the choice misses the best."""
        return max(self.accuracies.values()) - self.accuracies[self.chosen]

    @property
    def cost(self) -> float:
        """Of planning and training as planned, over that of trying everything."""
        return (self.plan_s + self.seconds[self.chosen]) / sum(self.seconds.values())

    def __str__(self) -> str:
        each = ", ".join(f"{name} {value:.3f} in {self.seconds[name]:.0f} s" for name, value in self.accuracies.items())
        return (
            f"{self.name}, {self.images} images: {each}\n"
            f"  chosen {self.chosen} in {self.plan_s:.0f} s; short by {self.short:.3f}; cost {self.cost:.2f}"
        )


def learning_shares(base: Pretrained) -> dict[str, float]:
    """The share of all multiplications that learns, by `--freeze`, from all frozen to none."""
    stages: tuple[str, ...] = base.net.stages  # type: ignore[assignment]
    macs = [part.macs for part in reversed(counted(base.net, stages, base.preprocessing.input_size))]
    names = ["all", *reversed(stages[:-1]), "none"]
    return {name: count / macs[-1] for name, count in zip(names, macs, strict=True)}


def worth_trying(shares: dict[str, float]) -> list[str]:
    """Of depths that are much alike, the first, and the whole network."""
    tried = ["all"]
    for name, share in shares.items():
        if share - shares[tried[-1]] >= LIKE and 1 - share >= LIKE:
            tried.append(name)
    return [*tried, "none"]


def parted(data: Path, images: int | None) -> Index:
    """So many images to learn from, split train, and others for test."""
    index = read(data)
    index = index.with_column("split", [None] * len(index))
    index = split(index, val_fraction=0.0, test_fraction=TEST_FRACTION, seed=SEED)
    kept = []
    for part, most in (("train", images), ("test", MOST_TEST)):
        rows = index.rows(part)
        kept.append(rows[thinned(torch.from_numpy(index.labels(rows)), most or len(rows), SEED)])
    return replace(index, table=index.table.take(pa.array(np.sort(np.concatenate(kept)))))


def scored(index: Index, freeze: str, recipe: Recipe, output: Path) -> tuple[float, float]:
    """Accuracy on test of a network trained with so much frozen, and the seconds that it took."""
    started = time.process_time()
    recipe = replace(recipe, transfer=replace(recipe.transfer, freeze=freeze))
    folder = train(index, recipe, output / freeze, Reporter.silent())
    seconds = time.process_time() - started
    return evaluate(load(folder.model), index, "test").metrics["accuracy"], seconds


def compared(name: str, index: Index, base: Pretrained, recipe: Recipe, tried: list[str], folder: Path) -> Row:
    """The planner first, then every depth, each with features that nobody computed before."""
    os.environ["STRIATE_CACHE"] = str(folder / "plan")
    started = time.process_time()
    planned = split(index, val_fraction=recipe.data.val_fraction, test_fraction=0.0, seed=recipe.training.seed)
    plan = recommend(planned, base, base.preprocessing, choose(), recipe)
    plan_s = time.process_time() - started
    print(f"{name}: {plan.sentence}", flush=True)
    accuracies, seconds = {}, {}
    for freeze in tried:
        os.environ["STRIATE_CACHE"] = str(folder / freeze)
        accuracies[freeze], seconds[freeze] = scored(index, freeze, recipe, folder / "runs")
    chosen = decide(plan.evidence, seconds["none"] / cores()).freeze
    return Row(name, len(index.rows("train")), chosen, accuracies, seconds, plan_s)


def main() -> None:
    quick = sys.argv[1:] == ["quick"]
    given = [] if quick else sys.argv[1:]
    weights, epochs, sizes = (SMALL_WEIGHTS, 1, (100,)) if quick else (WEIGHTS, TrainingRecipe().epochs, SIZES)
    weights = Path(given[0]) if given else weights
    sizes = (*sizes[:-1], int(given[1])) if given[1:] else sizes
    chosen = {name: DATA[name] for name in given[2:] or DATA}
    missing = [path for path in (weights, *chosen.values()) if not path.exists()]
    if missing:
        print(f"planner: skipped, because {missing[0]} is not there")
        return
    base = pretrained(weights)
    recipe = Recipe(training=TrainingRecipe(epochs=epochs), transfer=TransferRecipe(weights=str(weights)))
    tried = ["all", "none"] if quick else worth_trying(learning_shares(base))
    rows: list[Row] = []
    for name, data in chosen.items():
        parts = {len(index): index for index in (parted(data, images) for images in sizes)}  # small sets have fewer
        for index in parts.values():
            with tempfile.TemporaryDirectory() as folder:
                rows.append(compared(name, index, base, recipe, tried, Path(folder)))
            print(rows[-1], flush=True)
    near = sum(row.short <= NEAR for row in rows)
    print(
        f"within {NEAR} of the best: {near} of {len(rows)}; cost {np.mean([row.cost for row in rows]):.2f} on average"
    )


if __name__ == "__main__":
    main()
