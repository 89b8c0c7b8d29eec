"""striate plan: how much of a published network to keep frozen, before an epoch is spent."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.recipe import DataRecipe, MachineRecipe, Recipe, TrainingRecipe

if TYPE_CHECKING:
    from rich.table import Table

    from striate.console import Reporter
    from striate.data import Index, Preprocessing
    from striate.plan import Plan

SHOWN = 10  # labels in doubt that the text names
DRAWN = 60  # that the sheet shows
DATA, TRAINING = DataRecipe(), TrainingRecipe()


def plan(
    data: Path,
    /,
    *,
    weights: str,
    out: Path | None = None,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
    images: Annotated[int, Parameter(validator=Number(gte=2))] = 2000,
    img_size: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    epochs: int = TRAINING.epochs,
    batch_size: Annotated[int, Parameter(alias="-b")] = TRAINING.batch_size,
    class_weights: Literal["none", "balanced"] = TRAINING.class_weights,
    val_fraction: float = DATA.val_fraction,
    test_fraction: float = DATA.test_fraction,
    path_column: str = DATA.path_column,
    label_column: str = DATA.label_column,
    label_separator: str = DATA.label_separator,
    max_pixels: int = DATA.max_pixels,
    cache_budget: float = DATA.cache_budget,
    seed: int = TRAINING.seed,
    workers: Annotated[int | None, Parameter(alias="-j", validator=Number(gte=1))] = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    runtime: Literal["auto", "torch", "openvino"] = "auto",
) -> None:
    """Say how much of a published network to keep frozen, from features that are computed once.

    Training images alone are looked at. Their features are kept, so a second plan opens only images that changed.

    Args:
        data: Images with labels, as for `striate train`.
        weights: Name of published weights (`striate weights list`), or a file of them, or a model file.
        out: Folder for plan.png, both curves, and labels.png, images whose labels may be wrong; made if need be.
        json_output: Print JSON for a script.
        images: Most images that are looked at.
        img_size: Height and width that the network sees, in pixels; its published size unless given.
        epochs: Of the training whose cost is estimated.
        batch_size: Of the training whose cost is estimated.
        class_weights: `balanced` gives every class the same weight, however few its images.
        val_fraction: Share held out, and not looked at, where the data has no such split.
        test_fraction: Share held out, and not looked at, where the data has no split at all.
        path_column: With a CSV: the column of the images' paths.
        label_column: With a CSV or Parquet: the column of the labels.
        label_separator: What parts the labels of one image in a CSV, such as `;`.
        max_pixels: An image of more pixels is refused before it is decoded.
        cache_budget: Most gigabytes that kept features may take.
        seed: Of the split and the folds.
        workers: Threads that decode; one a core unless given.
        device: Where the network runs.
        precision: Of the network's arithmetic.
        runtime: Of frozen layers: OpenVINO on a CPU where it is installed.
    """
    from striate.console import Reporter
    from striate.data import read, require_trainable
    from striate.device import choose, keep_memory
    from striate.plan import recommend
    from striate.pretrained import pretrained

    recipe = Recipe(
        data=DataRecipe(
            img_size=img_size,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            max_pixels=max_pixels,
            cache_budget=cache_budget,
        ),
        training=TrainingRecipe(epochs=epochs, batch_size=batch_size, class_weights=class_weights, seed=seed),
        machine=MachineRecipe(device=device, precision=precision, runtime=runtime, workers=workers),
    )
    keep_memory()
    machine = choose(device, precision, runtime=runtime)
    base = pretrained(weights)
    preprocessing = base.preprocessing
    if img_size is not None:
        preprocessing = replace(preprocessing, input_size=(preprocessing.channels, img_size, img_size))
    reporter = Reporter()
    index = read(data, path_column=path_column, label_column=label_column, label_separator=label_separator)
    index = _split(index, recipe, reporter)
    require_trainable(index)
    looked_at = min(images, len(index.rows("train")))
    with reporter.progress("features", looked_at, "images") as advance:
        found = recommend(
            index,
            base,
            preprocessing,
            machine,
            recipe,
            most=images,
            say=reporter.say,
            advance=lambda count: advance(count, ""),
        )
    if out is not None:
        _draw(found, index, preprocessing, out)
    if json_output:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        _print_text(found)


def _split(index: "Index", recipe: Recipe, reporter: "Reporter") -> "Index":
    """The index split as training splits it: without what cannot be read, copies of an image together."""
    from striate.data import split
    from striate.data.check import examine
    from striate.device import cores

    @contextmanager
    def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
        with reporter.progress(title, total, "images") as advance:
            yield lambda count: advance(count, "")

    found = examine(
        index,
        max_pixels=recipe.data.max_pixels,
        max_bad=recipe.data.max_bad,
        workers=recipe.machine.workers or cores(),
        progress=progress,
    )
    left_out = [finding for finding in found.findings if not finding.used]
    for finding in left_out[:SHOWN]:
        reporter.say(f"left out: {finding.path}: {finding.reason}")
    if len(left_out) > SHOWN:
        reporter.say(f"left out: {len(left_out) - SHOWN:,} more; `striate check` names them")
    return split(
        found.index,
        val_fraction=recipe.data.val_fraction,
        test_fraction=recipe.data.test_fraction,
        seed=recipe.training.seed,
        together=[copies.rows for copies in found.copies],
    )


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
