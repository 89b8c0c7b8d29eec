"""striate bench: what this machine can do, and how close striate comes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

if TYPE_CHECKING:
    from rich.table import Table

    from striate.bench import Bench
    from striate.bench.timing import Rate

MODELS = ("resnet18", "resnet50", "mobilenet_v2")
BATCH_SIZE, ROUNDS, LEAST_S = 32, 5, 0.2
QUICK_MODELS, QUICK_BATCH_SIZE, QUICK_ROUNDS, QUICK_LEAST_S = ("resnet18",), 8, 2, 0.02


def bench(
    data: Path | None = None,
    /,
    *,
    models: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True)] = None,
    batch_size: Annotated[int | None, Parameter(alias="-b", validator=Number(gte=2))] = None,
    img_size: Annotated[int, Parameter(validator=Number(gte=1))] = 224,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    quick: Annotated[bool, Parameter(negative="")] = False,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Measure what this machine can do, how close networks come to it, and whether pictures reach them in time.

    Takes some minutes. Every figure is the median of rounds in turn, float32 and bfloat16 side by side.

    Args:
        data: Pictures to load, as for `striate train`; two photos, enlarged and made noisy, unless given.
        models: Networks to train and to run; resnet18, resnet50 and mobilenet_v2 unless given, resnet18 with --quick.
        batch_size: Pictures a step; 32 unless given, 8 with --quick.
        img_size: Height and width that networks see.
        device: Where they run.
        quick: Few short rounds: seconds instead of minutes, and figures that are not to be quoted.
        json_output: Print JSON for a script.
    """
    from rich.console import Console

    from striate.bench import bench as measure
    from striate.device import choose

    machine = choose(device)
    with Console(stderr=True).status("") as line:
        found = measure(
            machine,
            models or (QUICK_MODELS if quick else MODELS),
            data=data,
            batch_size=batch_size or (QUICK_BATCH_SIZE if quick else BATCH_SIZE),
            img_size=img_size,
            rounds=QUICK_ROUNDS if quick else ROUNDS,
            least_s=QUICK_LEAST_S if quick else LEAST_S,
            say=line.update,
        )
    if json_output:
        print(json.dumps(found.to_dict(), indent=2))
        return
    console = Console(highlight=False)
    console.print(str(machine), soft_wrap=True)
    if device == "auto" and found.on_cpu:
        console.print("No GPU was found, and none was measured.")
    for table in (_ceilings(found), _networks(found), _loading(found), _appetites(found)):
        console.print(table)
    for sentence in found.advice:
        console.print(f"- {sentence}", soft_wrap=True)


def _shown(rate: "Rate", unit: float = 1, digits: int = 1) -> str:
    """The median in some unit, and half of what lies between the quartiles."""
    return f"{rate.median / unit:,.{digits}f} ±{rate.spread / 2:.0%}"


def _ceilings(found: "Bench") -> "Table":
    from rich.table import Table

    table = Table("at its best", "float32", "bfloat16", title="operations a second, in tera; memory in GB a second")
    rows = {
        "matrix product": [found.products[name] for name in found.products],
        **{
            f"3x3 convolution, {way}": [found.convolutions[f"{name}, {way}"] for name in found.products]
            for way in ("forward", "forward and back")
        },
    }
    for title, rates in rows.items():
        table.add_row(title, *(_shown(rate, 1e12, 2) for rate in rates))
    for title, rate in found.memory.items():
        table.add_row(f"memory, {'new from the kernel' if title == 'fresh' else title}", _shown(rate, 1e9))
    return table


def _networks(found: "Bench") -> "Table":
    from rich.table import Table

    title = "pictures a second, and the share of the best convolution, forward"
    table = Table("network", "precision", "training", "share", "memory", "inference", "share", title=title)
    for speed in found.speeds:
        ceiling = found.convolutions[f"{speed.precision}, forward"].median
        table.add_row(
            speed.model,
            speed.precision,
            _shown(speed.training),
            f"{speed.training_share(ceiling):.0%}",
            "unknown" if speed.peak_bytes is None else f"{speed.peak_bytes / 1e9:.1f} GB",
            _shown(speed.inference),
            f"{speed.inference_share(ceiling):.0%}",
        )
    return table


def _loading(found: "Bench") -> "Table":
    from rich.table import Table

    title = "pictures loaded a second"
    table = Table("pictures", "workers", "from files", "from cache", title=title)
    for kind, by_source in found.loading.items():
        for workers, rate in by_source["files"].items():
            table.add_row(kind, str(workers), _shown(rate, digits=0), _shown(by_source["cache"][workers], digits=0))
    return table


def _appetites(found: "Bench") -> "Table":
    from rich.table import Table

    title = "share of the time of training that loading costs"
    table = Table("network", "takes a second", "pictures", "from files", "from cache", title=title)
    files, cached = ([one for one in found.appetites if one.source == source] for source in ("files", "cache"))
    for one, other in zip(files, cached, strict=True):
        table.add_row(one.model, f"{one.takes:,.1f}", one.pictures, f"{one.lost:.0%}", f"{other.lost:.0%}")
    return table
