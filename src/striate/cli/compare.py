"""striate compare: two models on the same images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import READING, RUNNING, JsonOutput, Reading, Running, require_apart
from striate.errors import UsageError
from striate.files import NAME_LENGTH, fit_to_print, json_text

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
        margin: Difference of accuracy, or of the mean score of an image, within which the models count as equivalent.
        output: PNG to write, with images that one of the models alone answers right, or answers much better: the truth,
            and what the other says.
    """
    from striate.console import Page
    from striate.device import keep_memory
    from striate.evaluation.compare import compare as compared
    from striate.pretrained import load

    if output is not None and (output.suffix.lower() != ".png" or not output.parent.is_dir()):
        raise UsageError(f"`--output`: expected a name that ends in .png in a folder that exists; got {output}.")
    if output is not None:
        require_apart("--output", output, [model_a, model_b, data])
    keep_memory()
    a, b = (load(path, device=running.device, precision=running.precision) for path in (model_a, model_b))
    index = reading.index(data)
    found = compared(a, b, index, split, running.batch_size, running.workers, margin=margin)
    files = _draw(found, a, index, output) if output is not None else []
    if json_output:
        print(json_text(found.to_dict(), indent=2))
        return
    console = Page(highlight=False, markup=False, emoji=False)
    for line in (*_lines(found), *files):
        console.print(line, soft_wrap=True)


def _lines(found: "Comparison") -> list[str]:
    """What was compared on which images, with what outcome."""
    from striate.evaluation.paired import Paired

    pair = found.paired
    lines = [
        f"{found.split}: {pair.count:,} images ({found.why})",
        f"{found.compared} of A {found.means[0]:.4f}, of B {found.means[1]:.4f}",
    ]
    if isinstance(pair, Paired):
        lines.append(
            f"both right {pair.both:,}, B alone {pair.gained:,}, A alone {pair.lost:,}, neither {pair.neither:,}"
        )
    else:
        alike = pair.count - len(found.gained) - len(found.lost)
        lines.append(f"B better on {len(found.gained):,} images, A on {len(found.lost):,}, alike {alike:,}")
    if found.loss_difference is not None:
        lines.append(f"loss of B less that of A {found.loss_difference:+z.4f}")
    return [*lines, found.sentence()]


def _draw(found: "Comparison", model: "Model", index: "Index", output: Path) -> list[str]:
    """Writes the first images that either model answers better as a sheet, and gives what there is to say of it."""
    from striate.data import IndexedImages
    from striate.data.raw_pixels import first_bands
    from striate.explain.figures import draw_images
    from striate.files import write_whole

    images, shown = IndexedImages(index, model.max_pixels), model.preprocessing
    rows: list[list[tuple[Any, str]]] = []
    for title, flips in (("B", found.gained), ("A", found.lost)):
        row = []
        for number in flips[:SHOWN].tolist():
            image = images.open(number)
            row.append((first_bands(shown.read(image)), _title(found, title, number)))
        rows += [row] if row else []
    if not rows:
        return [f"{output} was not written: no image is answered better by one of the models."]
    figure = draw_images(rows)
    write_whole(output, lambda aside: figure.savefig(aside, format="png"))
    return [f"wrote {output}"]


def _title(found: "Comparison", better: str, row: int) -> str:
    """What stands above an image that one model answers better."""
    from striate.explain.figures import short_name

    if row not in found.answers:
        return f"{better} is better"
    truth, a, b = (short_name(fit_to_print(name, NAME_LENGTH)) for name in found.answers[row])
    return f"{truth}\n{'A' if better == 'B' else 'B'}: {a if better == 'B' else b}"
