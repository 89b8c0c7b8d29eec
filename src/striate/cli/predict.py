"""striate predict: what a model says about images, as a table, a data set, masks or drawings."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import LOOKING, RUNNING, Looking, Running, require_apart
from striate.cli.predict_files import drawing, kind_of, write
from striate.errors import DataError, UsageError

if TYPE_CHECKING:
    from striate.tasks import Prediction

Format = Literal["csv", "jsonl", "parquet", "coco", "voc", "png"]


def predict(
    model: Path,
    /,
    *images: Path,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    output_format: Annotated[Format | None, Parameter(name="--format")] = None,
    draw: Path | None = None,
    top_k: Annotated[int, Parameter(validator=Number(gte=1, lte=1_000_000))] = 3,
    looking: Looking = LOOKING,
    running: Running = RUNNING,
) -> None:
    """Predict images, or all images of folders.

    An image that cannot be read gets a row with the reason in `error`, and the exit code is then 3.

    Args:
        model: Model file.
        images: Images and folders of images.
        output: File to write, .csv, .jsonl, .parquet, or .json for COCO; with --format voc or png, the folder of a file
            for each image. CSV to the terminal unless given.
        output_format: What to write; by the output's name unless given. Boxes are written as coco or voc, masks as coco
            or png, all as a table.
        draw: Folder to write each image to, with its class, box or mask drawn on it.
        top_k: Most probable classes an image, with their probabilities.
    """
    from striate.data.readers.folders import image_files
    from striate.device import keep_memory
    from striate.pretrained import load
    from striate.tasks.files import require_kind

    kind = kind_of(output, output_format)
    keep_memory()
    loaded = load(model, device=running.device, precision=running.precision)
    require_kind(kind, loaded.task)
    sources: list[Path] = []
    for path in images:
        found = image_files(path) if path.is_dir() else [path]
        if not found:
            raise DataError(f"images: expected images in {path}; got none.")
        sources += found
    if not sources:
        raise UsageError("IMAGES: expected images or folders to predict; got none.")
    for flag, place in (("--output", output), ("--draw", draw)):
        if place is not None:
            require_apart(flag, place, [model, *sources])
    bad: list[str] = []
    predictions = _noting(loaded.predict_each(sources, running.batch_size, running.workers, looking.viewing), bad)
    if draw is not None:
        predictions = drawing(predictions, draw, loaded.classes, loaded.max_pixels)
    write(predictions, kind, output, loaded.classes, min(top_k, len(loaded.classes)))
    if bad:
        others = "; the others are predicted" if len(bad) < len(sources) else ""
        raise DataError(f"{len(bad)} of {len(sources)} images could not be read{others}. {'; '.join(bad)}")


def _noting(predictions: "Iterable[Prediction]", bad: list[str]) -> "Iterator[Prediction]":
    """The same predictions; `bad` takes those of images that could not be read."""
    for prediction in predictions:
        if prediction.error:
            bad.append(f"{prediction.path}: {prediction.error}")
        yield prediction
