"""What `striate predict` writes: tables, data sets of COCO and Pascal VOC, masks, and drawings."""

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.errors import UsageError
from striate.files import fit_to_print

if TYPE_CHECKING:
    from striate.tasks import Prediction

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet", ".json": "coco"}
FOLDERS = ("voc", "png")  # what is a file an image
LARGEST = 1600  # pixels of the longer side of a drawing
QUALITY = 90  # of its JPEG


def kind_of(output: Path | None, asked: str | None) -> str:
    """What to write: as asked, else by the output's name, else CSV to the terminal.

    Raises:
        UsageError: the name says nothing, what is asked for needs a file, or its folder is not there.
    """
    kind = asked or (SUFFIXES.get(output.suffix.lower()) if output else "csv")
    if kind is None:
        raise UsageError(f"`--output`: expected a name that ends in {', '.join(SUFFIXES)}; got {output}. Try --format.")
    if output is None and kind not in ("csv", "jsonl"):
        expected = "a folder" if kind in FOLDERS else f"a name that ends in {', '.join(SUFFIXES)}"
        raise UsageError(f"`--output`: expected {expected}; got {output}.")
    if output is not None and not output.parent.is_dir():
        raise UsageError(f"`--output`: expected a folder that exists; got {output.parent}.")
    return kind


def write(
    predictions: "Iterable[Prediction]", kind: str, output: Path | None, classes: Sequence[str], top_k: int
) -> None:
    """Writes predictions as they come.

    Args:
        predictions: at least one.
        kind: as `kind_of` gives it.
        output: a file, or a folder where the kind is a file an image; the standard output if None.
        classes: names, by class number.
        top_k: classes in a row of a table.
    """
    if output is None:
        rows = (each.row(top_k) for each in predictions)
        _write_text(map(_fit, rows) if sys.stdout.isatty() else rows, kind, sys.stdout)
    elif kind in FOLDERS:
        _write_folder(predictions, kind, output)
    else:
        from striate.files import write_whole

        write_whole(output, lambda aside: _write_file(predictions, kind, output, aside, classes, top_k))


def _write_file(
    predictions: "Iterable[Prediction]", kind: str, output: Path, aside: Path, classes: Sequence[str], top_k: int
) -> None:
    if kind == "coco":
        from striate.tasks.files import coco

        named = (each.renamed(_near(each.path, output.parent)) for each in predictions)
        aside.write_text(json.dumps(coco(named, classes)), encoding="utf-8")
        return
    rows = (each.row(top_k) for each in predictions)
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        with aside.open("wb") as target:
            pq.write_table(pa.Table.from_pylist(list(rows)), target)
        return
    with aside.open("w", newline="", encoding="utf-8") as file:
        _write_text(rows, kind, file)


def _fit(row: dict[str, Any]) -> dict[str, Any]:
    """A row that a terminal shows and does not obey."""
    return {key: fit_to_print(value) if isinstance(value, str) else value for key, value in row.items()}


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


def _near(path: str, folder: Path) -> str:
    """A path from a folder, where it lies in it; else the file's name."""
    relative = os.path.relpath(path, folder)
    return Path(path).name if relative.startswith("..") else relative


def _write_folder(predictions: "Iterable[Prediction]", kind: str, folder: Path) -> None:
    from striate.files import write_whole
    from striate.tasks.files import mask_image, voc_annotation

    names = Names()
    for each in predictions:
        if each.error:
            continue
        target = folder / f"{names(each.path)}.{'xml' if kind == 'voc' else 'png'}"
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind == "voc":
            write_whole(target, partial(_write_string, voc_annotation(each)))
        else:
            write_whole(target, partial(mask_image(each).save, format="PNG"))


def _write_string(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")


class Names:
    """A name for each image's file, without its suffix; of images of one name, the later ones keep their suffixes."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, path: str) -> str:
        """A name that no image had before."""
        file = Path(path)
        name = next(name for name in self._candidates(file) if name not in self._taken)
        self._taken.add(name)
        return name

    @staticmethod
    def _candidates(file: Path) -> Iterator[str]:
        yield file.stem
        yield file.name
        yield f"{file.parent.name}-{file.name}"
        number = 2
        while True:
            yield f"{file.name}-{number}"
            number += 1


def drawing(
    predictions: "Iterable[Prediction]", folder: Path, classes: Sequence[str], max_pixels: int
) -> "Iterator[Prediction]":
    """The same predictions, each drawn on its image in a file of the folder on its way.

    Args:
        predictions: of files.
        folder: made where it is not there.
        classes: names, by class number.
        max_pixels: an image of more is not read.
    """
    from PIL import Image

    from striate.data.decode import open_image
    from striate.data.paths import to_name
    from striate.files import write_whole
    from striate.tasks.files import drawn

    folder.mkdir(exist_ok=True)
    names = Names()
    for each in predictions:
        if not each.error:
            opened = open_image(Path(to_name(each.path)), max_pixels)
            pixels = opened.decode(max(opened.size) / LARGEST, 3, opened.own_levels)
            image = Image.fromarray(pixels)
            image.thumbnail((LARGEST, LARGEST))
            shown = drawn(each, image, classes)
            target = folder / f"{names(each.path)}.jpg"
            write_whole(target, partial(shown.save, format="JPEG", quality=QUALITY))
        yield each
