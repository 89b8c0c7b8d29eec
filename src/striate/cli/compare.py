"""striate compare: two models on the same images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import READING, RUNNING, JsonOutput, Reading, Running
from striate.errors import UsageError
from striate.files import json_text

if TYPE_CHECKING:
    from striate.data import Index
    from striate.evaluation.compare import Comparison
    from striate.model import Model

SHOWN = 8  # flips in each direction


def compare(
    model_a: Path,
    model_b: Path,
    data: Path,
    /,
    *,
    split: Literal["auto", "train", "val", "test", "all"] = "auto",
    margin: Annotated[float, Parameter(validator=Number(gt=0, lt=1))] = 0.01,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    json_output: JsonOutput = False,
    reading: Reading = READING,
    running: Running = RUNNING,
) -> None:
    """Say which of two models is better on the same images, or how many images it would take to tell.

    Args:
        model_a: Model file.
        model_b: Model file with the same classes.
        data: Images with labels, as for `striate train`.
        split: Part of the data; `auto` takes test, else val, else all.
        margin: Difference of accuracy within which the models count as equivalent.
        output: PNG to write, with images that one of the models alone answers right.
    """
    from rich.console import Console

    from striate.device import keep_memory
    from striate.evaluation.compare import compare as compared
    from striate.pretrained import load

    if output is not None and (output.suffix.lower() != ".png" or not output.parent.is_dir()):
        raise UsageError(f"`--output`: expected a name that ends in .png in a folder that exists; got {output}.")
    keep_memory()
    a, b = (load(path, device=running.device, precision=running.precision) for path in (model_a, model_b))
    index = reading.index(data)
    found = compared(a, b, index, split, running.batch_size, running.workers, margin=margin)
    if output is not None:
        _draw(found, a, index, output)
    if json_output:
        print(json_text(found.to_dict(), indent=2))
        return
    pair, console = found.paired, Console(highlight=False, markup=False, emoji=False)
    for line in (
        f"{found.split}: {pair.count:,} images ({found.why})",
        f"accuracy of A {found.accuracy[0]:.4f}, of B {found.accuracy[1]:.4f}",
        f"both right {pair.both:,}, B alone {pair.gained:,}, A alone {pair.lost:,}, neither {pair.neither:,}",
        f"loss of B less that of A {found.loss_difference:+.4f}",
        found.sentence(),
    ):
        console.print(line, soft_wrap=True)


def _draw(found: "Comparison", model: "Model", index: "Index", output: Path) -> None:
    """Writes the first flips in each direction as a sheet of images."""
    from striate.data import IndexedImages
    from striate.data.raw_pixels import first_bands
    from striate.explain.figures import draw_images
    from striate.files import write_whole

    images, shown = IndexedImages(index, model.max_pixels), model.preprocessing
    rows: list[list[tuple[Any, str]]] = []
    for title, flips in (("B alone is right", found.gained), ("A alone is right", found.lost)):
        row = []
        for number in flips[:SHOWN].tolist():
            image = images.open(number)
            row.append((first_bands(shown.read(image)), title))
        rows += [row] if row else []
    if rows:
        figure = draw_images(rows)
        write_whole(output, lambda aside: figure.savefig(aside, format="png"))
