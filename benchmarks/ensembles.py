"""What a temperature, ten crops, five members and five snapshots gain on images held out, and what they cost.

usage: python benchmarks/ensembles.py [--one] [NAME ...]

Names are mnist, cifar10 and hymenoptera; all of them unless given. With `--one`, one member is trained, and the
temperature and the crops alone are shown. Each is a few thousand images at most, for minutes
and not hours: gains and costs are what is shown, not records. `averaged weights` is one network whose weights are the
means of the members', which were drawn from five seeds.
"""

import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

import striate
from striate.console import Reporter
from striate.data import Index, read, split
from striate.data.crops import Viewing
from striate.data.index_file import save_index
from striate.ensemble import members_of
from striate.evaluation import Scored, evaluate, summarise
from striate.evaluation.gain import gain
from striate.model import Model, load

SHARED = Path(__file__).parents[2] / "shared" / "data"
MEMBERS = 5
CROPS = Viewing(10)


@dataclass(frozen=True)
class Case:
    """A data set, how many of its images are used, and how a network learns from them."""

    data: Path
    counts: tuple[int, int, int]
    """Images to learn from, for the temperature, and to score."""

    settings: dict[str, Any] = field(default_factory=dict)
    members: int = MEMBERS


CASES = {
    "mnist": Case(
        SHARED / "mnist",
        (2000, 1000, 2000),
        {"model": "lenet5", "weights": "none", "mirror": 0, "crop_pct": 1.0, "epochs": 10, "lr": 3e-3},
    ),
    "cifar10": Case(
        SHARED / "cifar10-jpeg",
        (2000, 1000, 2000),
        {
            "model": "lenet5",
            "model_args": {"activation": "relu"},
            "in_channels": 3,
            "weights": "none",
            "crop_pct": 1.0,
            "epochs": 10,
            "lr": 3e-3,
            "label_smoothing": 0.0,
        },
    ),
    "hymenoptera": Case(
        SHARED / "hymenoptera",
        (200, 98, 99),
        {"weights": "efficientnet_lite0", "freeze": "all", "head": "mlp"},
        members=1,  # a fitted head has nothing by which members or snapshots could differ
    ),
}


def parted(case: Case) -> Index:
    """So many images of the data, of each class alike, split anew."""
    index = read(case.data)
    total = sum(case.counts)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(index.usable()))[:total]
    index = replace(index, table=index.table.take(pa.array(np.sort(rows)))).with_column("split", [None] * total)
    _, val, test = case.counts
    return split(index, val_fraction=val / (total - test), test_fraction=test / total, seed=0)


def averaged_weights(members: list[Model]) -> Model:
    """One network with the means of the weights of several."""
    states = [member.net.state_dict() for member in members]
    means = {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(value.dtype)
        for name, value in states[0].items()
    }
    first = load_of(members[0])
    first.net.load_state_dict(means)
    return first


def load_of(model: Model) -> Model:
    """A copy of a model, through its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        return load(path, device="cpu")


def told(name: str, scored: Scored, plain: list[Scored], seconds: float | None = None) -> None:
    """Prints the accuracy, and the gain beside the cost."""
    found = gain(scored, plain, name)
    trained = "" if seconds is None else f"; trained in {seconds:.0f} s"
    print(
        f"  {name}: accuracy {scored.metrics['accuracy']:.4f}, {found.score:+.4f}, loss {found.loss:+.4f}; "
        f"{found.times:.1f} times the time, {found.parameters:.1f} times the parameters{trained}",
        flush=True,
    )


def one_member(name: str, case: Case, members: list[Model], index: Index) -> list[Scored]:
    """Prints what a temperature and ten crops do to the first member; the members' answers to test."""
    each = [evaluate(member, index, "test") for member in members]
    record = summarise(each[0])
    print(f"{name}: {', '.join(f'{count:,}' for count in case.counts)} images; {members[0].name}", flush=True)
    if record.uncalibrated is not None and record.calibration is not None:
        before, after = record.uncalibrated, record.calibration
        print(f"  temperature {record.temperature:.2f}")
        for what in ("error", "loss"):
            print(f"  {what} {getattr(before, what):.4f} before, {getattr(after, what):.4f} after", flush=True)
    print(f"  one member: accuracy {record.metrics['accuracy']:.4f}")
    told("10 crops of a member", evaluate(members[0], index, "test", viewing=CROPS), [each[0]])
    return each


def shown(name: str, case: Case, folder: Path, members: int) -> None:
    """Trains members and snapshots on one data set, and prints what they gain."""
    file = folder / "index.parquet"
    save_index(parted(case), file)
    index = read(file)
    quiet: dict[str, Any] = {"reporter": Reporter.silent(), "report": False}
    started = time.perf_counter()
    run = striate.train(file, output=folder / "members", members=members, **quiet, **case.settings)
    trained = time.perf_counter() - started
    ensemble = load(run.model, device="cpu")
    each = one_member(name, case, members_of(ensemble) or [ensemble], index)
    if members == 1:
        return
    told(f"{members} members", evaluate(ensemble, index, "test"), each, trained)
    averaged = evaluate(averaged_weights(members_of(ensemble)), index, "test")
    print(f"  averaged weights: accuracy {averaged.metrics['accuracy']:.4f}, {gain(averaged, each, '').score:+.4f}")
    started = time.perf_counter()
    run = striate.train(file, output=folder / "snapshots", snapshots=members, **quiet, **case.settings)
    seconds = time.perf_counter() - started
    told(f"{members} snapshots of one run", evaluate(load(run.model, device="cpu"), index, "test"), each, seconds)


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--one"]
    for name in words or list(CASES):
        case = CASES[name]
        if not case.data.exists():
            print(f"{name}: skipped, because {case.data} is not there")
            continue
        with tempfile.TemporaryDirectory() as folder:
            shown(name, case, Path(folder), 1 if "--one" in sys.argv else case.members)


if __name__ == "__main__":
    main()
