"""striate bench: what this machine can do, and how close striate comes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import DEFAULT, JsonOutput, as_in_recipe
from striate.files import json_text
from striate.recipe.tables import Device

if TYPE_CHECKING:
    from rich.table import Table

    from striate.machine import Bench
    from striate.machine.timing import Rate

MODELS = ("resnet18", "resnet50", "mobilenet_v2")
BATCH_SIZE, ROUNDS, LEAST_S = 32, 5, 0.2
QUICK_MODELS, QUICK_BATCH_SIZE, QUICK_ROUNDS, QUICK_LEAST_S = ("resnet18",), 8, 2, 0.02


def bench(
    data: Path | None = None,
    /,
    *,
    models: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=(0, 100))] = None,
    batch_size: Annotated[int | None, Parameter(alias="-b", validator=Number(gte=2, lte=65_536))] = None,
    img_size: int | str = 224,
    device: Annotated[Device, as_in_recipe("device")] = DEFAULT.machine.device,
    quick: Annotated[bool, Parameter(negative="")] = False,
    json_output: JsonOutput = False,
) -> None:
    """Measure what this machine can do, how close networks come to it, and whether images reach them in time.

    Takes some minutes. Every figure is the median of rounds in turn, float32 and bfloat16 side by side.

    Args:
        data: Images to load, as for `striate train`; two photos, enlarged and made noisy, unless given.
        models: Networks to train and to run; resnet18, resnet50 and mobilenet_v2 unless given, resnet18 with --quick.
        batch_size: Images in a step; 32 unless given, 8 with --quick.
        img_size: Size of the images that networks see: 224, or 224x320, height first.
        quick: Measure in a few short rounds: seconds instead of minutes, and figures that you should not quote.
    """
    from rich.console import Console

    from striate.console import Page
    from striate.device import choose
    from striate.machine import advise
    from striate.machine import bench as measure

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
            log=line.update,
        )
    if json_output:
        print(json_text(found.to_dict() | {"advice": advise(found)}, indent=2))
        return
    console = Page(highlight=False)
    console.print(str(machine), soft_wrap=True)
    if device == "auto" and found.on_cpu:
        console.print("No GPU was found, and none was measured.")
    for table in (_ceilings(found), _networks(found), _loading(found), _demands(found)):
        console.print(table)
    for sentence in advise(found):
        console.print(f"- {sentence}", soft_wrap=True)


def _shown(rate: "Rate", unit: float = 1, digits: int = 1) -> str:
    """The median in a unit, and half of what lies between the quartiles."""
    return f"{rate.median / unit:,.{digits}f} ±{rate.spread / 2:.0%}"


def _ceilings(found: "Bench") -> "Table":
    from rich.table import Table

    table = Table("at its best", "float32", "bfloat16", title="billions of operations a second; memory in GB a second")
    rows = {
        "matrix product": [found.products[name] for name in found.products],
        **{
            f"3x3 convolution, {way}": [found.convolutions[f"{name}, {way}"] for name in found.products]
            for way in ("forward", "forward and back")
        },
    }
    for title, rates in rows.items():
        table.add_row(title, *(_shown(rate, 1e9) for rate in rates))
    for title, rate in found.memory.items():
        table.add_row(f"memory, {'new from the kernel' if title == 'fresh' else title}", _shown(rate, 1e9))
    return table


def _networks(found: "Bench") -> "Table":
    from rich.table import Table

    title = "images a second, and the share of the best forward convolution"
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

    title = "images loaded a second"
    table = Table("images", "workers", "from files", "from cache", title=title)
    for kind, by_source in found.loading.items():
        for workers, rate in by_source["files"].items():
            table.add_row(kind, str(workers), _shown(rate, digits=0), _shown(by_source["cache"][workers], digits=0))
    return table


def _demands(found: "Bench") -> "Table":
    from rich.table import Table

    title = "share of training time that loading costs"
    table = Table("network", "trains a second", "images", "from files", "from cache", title=title)
    files, cached = ([demand for demand in found.demands if demand.source == source] for source in ("files", "cache"))
    for file, copy in zip(files, cached, strict=True):
        table.add_row(file.model, f"{file.trained:,.1f}", file.images, f"{file.lost:.0%}", f"{copy.lost:.0%}")
    return table
