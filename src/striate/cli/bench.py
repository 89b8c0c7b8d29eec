"""striate bench: what this machine can do, and how close striate comes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

if TYPE_CHECKING:
    from rich.table import Table

    from striate.bench import Bench

MODELS = ("resnet18", "resnet50", "mobilenet_v2")


def bench(
    data: Path | None = None,
    /,
    *,
    models: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = MODELS,
    batch_size: Annotated[int, Parameter(alias="-b", validator=Number(gte=2))] = 32,
    img_size: Annotated[int, Parameter(validator=Number(gte=1))] = 224,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    quick: Annotated[bool, Parameter(negative="")] = False,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Measure what this machine can do, how close networks come to it, and whether pictures reach them in time.

    Takes some minutes. Every figure is the median of rounds in turn, float32 and bfloat16 side by side.

    Args:
        data: Pictures to load, as for `striate train`; two photos, enlarged and made noisy, unless given.
        models: Networks to train and to run.
        batch_size: Pictures a step.
        img_size: Height and width that networks see.
        device: Where they run.
        quick: Few short rounds: seconds instead of minutes, and figures that are not to be quoted.
        json_output: Print JSON for a script.
    """
    from rich.console import Console

    from striate.bench import bench as measure
    from striate.device import choose

    status = Console(stderr=True)
    rounds, least_s = (2, 0.02) if quick else (5, 0.5)
    with status.status("") as line:
        found = measure(
            choose(device),
            models,
            data=data,
            batch_size=batch_size,
            img_size=img_size,
            rounds=rounds,
            least_s=least_s,
            say=line.update,
        )
    if json_output:
        print(json.dumps(found.to_dict(), indent=2))
        return
    console = Console(highlight=False)
    console.print(found.machine, soft_wrap=True)
    for table in (_ceilings(found), _networks(found), _loading(found)):
        console.print(table)
    for sentence in found.advice:
        console.print(f"- {sentence}", soft_wrap=True)


def _ceilings(found: "Bench") -> "Table":
    from rich.table import Table

    table = Table("at its best", "float32", "bfloat16", title="operations a second, in tera; memory in GB a second")
    for title, of in (
        ("matrix product", {name: found.products[name] for name in ("float32", "bfloat16")}),
        *(
            (
                f"3x3 convolution, {way}",
                {name: found.convolutions[f"{name}, {way}"] for name in ("float32", "bfloat16")},
            )
            for way in ("forward", "forward and back")
        ),
    ):
        table.add_row(title, *(f"{rate.median / 1e12:.2f}" for rate in of.values()))
    table.add_row("memory, copied", f"{found.memory['copied'].median / 1e9:.1f}")
    table.add_row("memory, new from the kernel", f"{found.memory['fresh'].median / 1e9:.1f}")
    return table


def _networks(found: "Bench") -> "Table":
    from rich.table import Table

    title = "pictures a second, and the share of the best convolution"
    table = Table("network", "precision", "training", "share", "inference", "share", title=title)
    for speed in found.speeds:
        ceiling = found.convolutions[f"{speed.precision}, forward"].median
        table.add_row(
            speed.model,
            speed.precision,
            f"{speed.training.median:,.1f}",
            f"{speed.training_share(ceiling):.0%}",
            f"{speed.inference.median:,.1f}",
            f"{speed.inference_share(ceiling):.0%}",
        )
    return table


def _loading(found: "Bench") -> "Table":
    from rich.table import Table

    table = Table("pictures", "workers", "a second", title="loading, decoded and augmented as by default")
    for kind, by_workers in found.loading.items():
        for workers, rate in by_workers.items():
            table.add_row(kind, str(workers), f"{rate.median:,.0f}")
    return table
