"""striate plan: how much of a published network to keep frozen, before an epoch is spent."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import DEFAULT, JsonOutput, Settings
from striate.errors import UsageError
from striate.files import json_text

if TYPE_CHECKING:
    from rich.table import Table

    from striate.data import Index, Preprocessing
    from striate.plan import Plan, Price
    from striate.plan.cost import Choice

SHOWN = 10  # labels in doubt that the text names
DRAWN = 60  # labels in doubt that the sheet shows


def plan(
    data: Path,
    /,
    *,
    recipe: Path | None = None,
    output: Annotated[Path | None, Parameter(alias=("-o", "--out"))] = None,
    json_output: JsonOutput = False,
    images: Annotated[int, Parameter(validator=Number(gte=2, lte=1_000_000))] = 2000,
    settings: Settings = DEFAULT,
) -> None:
    """Say how much of a published network to keep frozen, from features that are computed once.

    Takes the flags of the `striate train` that it plans, or their recipe: weights are chosen and data are read, checked
    and split as training would, and costs are those of its epochs and batches. Training images alone are looked at.
    Their features are cached, so a second plan opens only images that changed. Tasks other than classify have no heads
    that tell beforehand, and get prices alone.

    Args:
        data: Images with labels, as for `striate train`.
        recipe: TOML file with values for the flags below; flags that are typed go before it.
        output: Folder for plan.png, both curves, and labels.png, images whose labels may be wrong; made if need be.
        images: Look at this many images at most.
    """
    from striate import transfer
    from striate.device import keep_memory
    from striate.plan import Price

    if output is not None and (output.is_symlink() or output.exists()) and not output.is_dir():
        raise UsageError(f"`--output`: expected a folder, or a name for one; got {output}, which is something else.")
    keep_memory()
    found, index, preprocessing = transfer.plan(data, settings, most=images)
    if isinstance(found, Price):
        if output is not None:
            raise UsageError(
                "`--output`: expected a task with heads to draw curves of; got prices alone. Try without it."
            )
        _print_price(found, json_output=json_output)
        return
    if output is not None:
        _draw(found, index, preprocessing, output, settings.data.max_pixels)
    if json_output:
        print(json_text(found.to_dict(), indent=2))
    else:
        _print_text(found)


def _draw(plan: "Plan", index: "Index", preprocessing: "Preprocessing", folder: Path, max_pixels: int) -> None:
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
        draw_labels(index, captions, preprocessing, folder / "labels.png", max_pixels)


def _print_price(price: "Price", *, json_output: bool) -> None:
    from striate.console import Page

    if json_output:
        print(json_text(price.to_dict(), indent=2))
        return
    console = Page()
    console.print(_choices(price.choices))
    console.print(price.sentence, markup=False, highlight=False, soft_wrap=True)


def _print_text(plan: "Plan") -> None:
    from striate.console import Page

    console = Page()
    evidence = plan.evidence
    console.print(
        f"{evidence.looked_at:,} of {evidence.images:,} training images, {evidence.classes:,} classes; "
        f"features of {plan.computed:,} computed, the others cached",
        highlight=False,
        soft_wrap=True,
    )
    console.print(_choices(plan.choices, [*(str(depth.accuracy) for depth in reversed(plan.depths)), ""]))
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


def _choices(choices: "Sequence[Choice]", accuracies: "Sequence[str]" = ()) -> "Table":
    from rich.table import Column, Table

    from striate.files import format_bytes
    from striate.plan.recommend import span

    columns = (*(("accuracy of a head there",) if accuracies else ()), "time", "memory", "disk")
    table = Table("freeze", *(Column(name, justify="right") for name in columns))
    for place, choice in enumerate(choices):
        table.add_row(
            choice.freeze,
            *accuracies[place : place + 1],
            span(choice.seconds),
            format_bytes(choice.memory_bytes),
            format_bytes(choice.disk_bytes),
        )
    return table


def _sizes(plan: "Plan") -> "Table":
    from rich.table import Column, Table

    table = Table(*(Column(name, justify="right") for name in ("images", "heads", f"accuracy on {plan.evidence.best}")))
    for size in plan.sizes:
        table.add_row(f"{size.images:,}", f"{size.heads}", str(size.accuracy))
    return table
