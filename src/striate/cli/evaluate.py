"""striate evaluate: how good a model is, with an interval."""

import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number


def evaluate(
    model: Path,
    data: Path,
    /,
    *,
    split: Literal["auto", "train", "val", "test", "all"] = "auto",
    mirror: Annotated[bool, Parameter(negative="")] = False,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
    path_column: str = "path",
    label_column: str = "label",
    label_separator: str = "",
    batch_size: Annotated[int, Parameter(alias="-b", validator=Number(gte=1))] = 64,
    workers: Annotated[int | None, Parameter(alias="-j", validator=Number(gte=1))] = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
) -> None:
    """Score a model on labelled images, with a 95 % interval.

    Args:
        model: Model file.
        data: Images with labels, as for `striate train`; classes are matched by name.
        split: Part of the data; `auto` takes test, else val, else all.
        mirror: Answer by the mean over each image and its mirror image; twice the time.
        json_output: Print JSON for a script.
        path_column: With a CSV: the column of the images' paths.
        label_column: With a CSV or Parquet: the column of the labels.
        label_separator: What parts the labels of one image in a CSV, such as `;`.
        batch_size: Images at a time.
        workers: Threads that decode images; one a core unless given.
        device: Where the network runs.
        precision: Of the network's arithmetic.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from striate.data import read
    from striate.device import keep_memory
    from striate.evaluation import evaluate as score
    from striate.model import load

    keep_memory()
    loaded = load(model, device=device, precision=precision)
    index = read(data, path_column=path_column, label_column=label_column, label_separator=label_separator)
    result = score(loaded, index, split, batch_size, workers, mirrored=mirror)
    if json_output:
        print(json.dumps(result.to_dict(), indent=2))
        return
    console = Console()
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
