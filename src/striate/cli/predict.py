"""striate predict: class names and probabilities of images, as a table."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import RUNNING, Running
from striate.errors import DataError, UsageError

if TYPE_CHECKING:
    from striate.tasks import Prediction

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}


def predict(
    model: Path,
    /,
    *images: Path,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    output_format: Annotated[Literal["csv", "jsonl", "parquet"] | None, Parameter(name="--format")] = None,
    top_k: Annotated[int, Parameter(validator=Number(gte=1))] = 3,
    running: Running = RUNNING,
) -> None:
    """Predict images, or all images of folders.

    An image that cannot be read gets a row with the reason in `error`, and the exit code is then 3.

    Args:
        model: Model file.
        images: Images and folders of images.
        output: File to write, .csv, .jsonl or .parquet; CSV to the terminal unless given.
        output_format: What to write; by the output's name unless given.
        top_k: Most probable classes an image, with their probabilities.
    """
    from striate.data.readers.folders import image_files
    from striate.device import keep_memory
    from striate.pretrained import load

    kind = output_format or (FORMATS.get(output.suffix.lower()) if output else "csv")
    if kind is None or (kind == "parquet" and output is None):
        raise UsageError(f"`--output`: expected a name that ends in {', '.join(FORMATS)}; got {output}. Try --format.")
    if output is not None and not output.parent.is_dir():
        raise UsageError(f"`--output`: expected a folder that exists; got {output.parent}.")
    keep_memory()
    loaded = load(model, device=running.device, precision=running.precision)
    sources: list[Path] = []
    for path in images:
        found = image_files(path) if path.is_dir() else [path]
        if not found:
            raise DataError(f"images: expected images in {path}; got none.")
        sources += found
    if not sources:
        raise UsageError("IMAGES: expected images or folders to predict; got none.")
    predictions = loaded.predict_each(sources, running.batch_size, running.workers)
    names = min(top_k, len(loaded.classes))
    bad: list[str] = []
    write(_rows(predictions, names, bad), kind, output)
    if bad:
        raise DataError(
            f"{len(bad)} of {len(sources)} images could not be read; the others are predicted. {'; '.join(bad)}"
        )


def _rows(predictions: "Iterable[Prediction]", top_k: int, bad: list[str]) -> Iterator[dict[str, Any]]:
    """A row an image, as its prediction gives it; `bad` takes those that could not be read."""
    for prediction in predictions:
        if prediction.error:
            bad.append(f"{prediction.path}: {prediction.error}")
        yield prediction.row(top_k)


def write(rows: Iterable[dict[str, Any]], kind: str, output: Path | None) -> None:
    """Writes rows of equal keys as they come.

    Args:
        rows: at least one.
        kind: csv, jsonl or parquet.
        output: file; the standard output if None.
    """
    from striate.files import write_whole

    if output is None:
        _write_text(rows, kind, sys.stdout)
    elif kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        write_whole(output, lambda aside: pq.write_table(pa.Table.from_pylist(list(rows)), aside))
    else:

        def write_text(aside: Path) -> None:
            with aside.open("w", newline="", encoding="utf-8") as file:
                _write_text(rows, kind, file)

        write_whole(output, write_text)


def _write_text(rows: Iterable[dict[str, Any]], kind: str, file: Any) -> None:
    writer = None
    for row in rows:
        if kind == "jsonl":
            file.write(json.dumps(row) + "\n")
            continue
        if writer is None:
            writer = csv.DictWriter(file, row.keys(), lineterminator="\n")
            writer.writeheader()
        writer.writerow({key: f"{value:.6f}" if isinstance(value, float) else value for key, value in row.items()})
