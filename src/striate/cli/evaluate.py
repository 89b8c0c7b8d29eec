"""striate evaluate: how good a model is, with an interval."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from striate.cli.flags import READING, RUNNING, JsonOutput, Reading, Running

if TYPE_CHECKING:
    from striate.evaluation import Evaluation


def evaluate(
    model: Path,
    data: Path,
    /,
    *,
    split: Literal["auto", "train", "val", "test", "all"] = "auto",
    mirror: Annotated[bool, Parameter(negative="")] = False,
    json_output: JsonOutput = False,
    reading: Reading = READING,
    running: Running = RUNNING,
) -> None:
    """Score a model on labelled images, with a 95 % interval.

    Args:
        model: Model file.
        data: Images with labels, as for `striate train`; classes are matched by name.
        split: Part of the data; `auto` takes test, else val, else all.
        mirror: Answer by the mean over each image and its mirror image; twice the time.
    """
    from striate.device import keep_memory
    from striate.evaluation import evaluate as score
    from striate.pretrained import load

    keep_memory()
    loaded = load(model, device=running.device, precision=running.precision)
    index = reading.index(data)
    result = score(loaded, index, split, running.batch_size, running.workers, mirrored=mirror)
    if json_output:
        print(json.dumps(result.to_dict(), indent=2))
        return
    _print_text(result, index.notes[0])


def _print_text(result: "Evaluation", read_as: str) -> None:
    """Prints what the data was read as, the scores with their intervals, what was left out, and a row a class."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(read_as, markup=False, highlight=False, soft_wrap=True)
    metrics = dict(result.metrics)
    console.print(f"{result.split}: {metrics.pop('count'):,} images ({result.why})", highlight=False, soft_wrap=True)
    bounds = {f"{name}{end}" for name in metrics for end in ("_low", "_high")}
    for name, value in metrics.items():
        if name not in bounds:
            low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
            interval = f", 95 % interval {low:.4f} to {high:.4f}" if low is not None and high is not None else ""
            console.print(f"{name.replace('_', ' ')} {value:.4f}{interval}", highlight=False)
    for line in result.unreadable:
        console.print(f"left out: {line}", markup=False, highlight=False, soft_wrap=True)
    if result.confusion is not None:
        table = Table("class", *(title for title in ("images", "precision", "recall")))
        for name, row in result.per_class().items():
            if row["count"]:
                table.add_row(escape(name), f"{row['count']:,.0f}", f"{row['precision']:.3f}", f"{row['recall']:.3f}")
        console.print(table)
