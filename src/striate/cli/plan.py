"""striate plan: how much of a published network to keep frozen, before an epoch is spent."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import READING, Reading, as_in_recipe
from striate.recipe import DataRecipe, MachineRecipe, Recipe, TrainingRecipe, with_values
from striate.recipe.tables import ClassWeights, Device, Precision, Runtime

if TYPE_CHECKING:
    from rich.table import Table

    from striate.data import Index, Preprocessing
    from striate.plan import Plan

SHOWN = 10  # labels in doubt that the text names
DRAWN = 60  # that the sheet shows
DATA, TRAINING, MACHINE = DataRecipe(), TrainingRecipe(), MachineRecipe()


@Parameter(name="*")
@dataclass(frozen=True)
class Training:
    """The training whose cost is estimated, and the data as it would see them."""

    img_size: Annotated[int | None, as_in_recipe("img_size")] = DATA.img_size
    val_fraction: Annotated[float, as_in_recipe("val_fraction")] = DATA.val_fraction
    test_fraction: Annotated[float, as_in_recipe("test_fraction")] = DATA.test_fraction
    max_bad: Annotated[float, as_in_recipe("max_bad")] = DATA.max_bad
    max_pixels: Annotated[int, as_in_recipe("max_pixels")] = DATA.max_pixels
    cache_budget: Annotated[float, as_in_recipe("cache_budget")] = DATA.cache_budget
    epochs: Annotated[int, as_in_recipe("epochs")] = TRAINING.epochs
    batch_size: Annotated[int, as_in_recipe("batch_size")] = TRAINING.batch_size
    class_weights: Annotated[ClassWeights, as_in_recipe("class_weights")] = TRAINING.class_weights
    seed: Annotated[int, as_in_recipe("seed")] = TRAINING.seed
    workers: Annotated[int | None, as_in_recipe("workers")] = MACHINE.workers
    device: Annotated[Device, as_in_recipe("device")] = MACHINE.device
    precision: Annotated[Precision, as_in_recipe("precision")] = MACHINE.precision
    runtime: Annotated[Runtime, as_in_recipe("runtime")] = MACHINE.runtime


def plan(
    data: Path,
    /,
    *,
    weights: str,
    out: Path | None = None,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
    images: Annotated[int, Parameter(validator=Number(gte=2))] = 2000,
    reading: Reading = READING,
    training: Training = Training(),
) -> None:
    """Say how much of a published network to keep frozen, from features that are computed once.

    The data are read, checked and split as `striate train` would, and the flags of both mean the same. Training images
    alone are looked at. Their features are cached, so a second plan opens only images that changed.

    Args:
        data: Images with labels, as for `striate train`.
        weights: Name of published weights (`striate weights list`), or a file of them, or a model file.
        out: Folder for plan.png, both curves, and labels.png, images whose labels may be wrong; made if need be.
        json_output: Print JSON for a script.
        images: Most images that are looked at.
    """
    from striate import transfer

    values = {**asdict(reading), **asdict(training), "weights": weights, "freeze": "auto"}
    found, index, preprocessing = transfer.plan(data, with_values(Recipe(), values), most=images)
    if out is not None:
        _draw(found, index, preprocessing, out)
    if json_output:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        _print_text(found)


def _draw(plan: "Plan", index: "Index", preprocessing: "Preprocessing", folder: Path) -> None:
    from striate.report.plan_figure import Point, draw_curves
    from striate.report.plan_labels import Captioned, draw_labels

    folder.mkdir(parents=True, exist_ok=True)
    draw_curves(
        {depth.stage: Point(**vars(depth.accuracy)) for depth in plan.depths},
        {size.images: Point(**vars(size.accuracy)) for size in plan.sizes},
        plan.evidence.best,
        folder / "plan.png",
    )
    if plan.suspects:
        captions = [
            Captioned(suspect.row, (f"{suspect.given}, not {suspect.suggested}?", Path(suspect.path).name))
            for suspect in plan.suspects[:DRAWN]
        ]
        draw_labels(index, captions, preprocessing, folder / "labels.png")


def _print_text(plan: "Plan") -> None:
    from rich.console import Console

    console = Console()
    evidence = plan.evidence
    console.print(
        f"{evidence.looked_at:,} of {evidence.images:,} training images, {evidence.classes:,} classes; "
        f"features of {plan.computed:,} computed, the rest were kept",
        highlight=False,
        soft_wrap=True,
    )
    console.print(_choices(plan))
    console.print(_sizes(plan))
    rates = plan.rates
    console.print(
        f"time: {rates.decode * 1e3:.1f} ms to decode an image, {rates.forward * 1e3:.1f} to run it, "
        f"{rates.step * 1e3:.1f} to train on it, measured here on a few; by multiplications from there, "
        f"which half way through the network was off by a factor of {rates.error:.1f}",
        highlight=False,
        soft_wrap=True,
    )
    if plan.suspects:
        console.print(f"{len(plan.suspects):,} labels in doubt:", highlight=False)
    for suspect in plan.suspects[:SHOWN]:
        line = f"  {suspect.path}: {suspect.given}, not {suspect.suggested} ({suspect.probability:.2f})?"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(plan.suspects) > SHOWN:
        console.print(f"  … and {len(plan.suspects) - SHOWN:,} more; --json lists all", highlight=False)
    for path, reason in plan.unreadable.items():
        console.print(f"left out: {path}: {reason}", markup=False, highlight=False, soft_wrap=True)
    console.print(plan.sentence, markup=False, highlight=False, soft_wrap=True)


def _choices(plan: "Plan") -> "Table":
    from rich.table import Column, Table

    from striate.inspect.text import size
    from striate.plan.recommend import span

    columns = ("accuracy of a head there", "time", "memory", "disk")
    table = Table("freeze", *(Column(name, justify="right") for name in columns))
    accuracies = [*(str(depth.accuracy) for depth in reversed(plan.depths)), ""]
    for choice, accuracy in zip(plan.choices, accuracies, strict=True):
        table.add_row(
            choice.freeze,
            accuracy,
            span(choice.seconds),
            size(choice.memory_bytes),
            size(choice.disk_bytes),
        )
    return table


def _sizes(plan: "Plan") -> "Table":
    from rich.table import Column, Table

    table = Table(*(Column(name, justify="right") for name in ("images", "heads", f"accuracy on {plan.evidence.best}")))
    for size in plan.sizes:
        table.add_row(f"{size.images:,}", f"{size.heads}", str(size.accuracy))
    return table
