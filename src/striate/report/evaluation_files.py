"""What an evaluation leaves in a folder: its record, a row an image, the confusions, and the worst answers drawn."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from striate.data import IndexedImages
from striate.data.raw_pixels import first_bands
from striate.errors import UsageError
from striate.evaluation import Evaluation, Scored
from striate.evaluation.record import Example
from striate.files import NAME_LENGTH, fit_to_print, write_whole
from striate.report.figures import draw_matrix, grid
from striate.report.metrics import about
from striate.tasks.files import drawn

LARGEST = 320  # pixels of the longer side of an image
COLUMNS = 5  # of images
SHOWN_PLACES = 12  # images, where each is drawn twice
SHOWN_NAME = 26  # letters of a name in a title
PART = 1 << 14  # rows that are turned into Python's values at a time
HEADER = ("path", "truth", "answer", "probability", "loss", "score")


def evaluation_folder(path: Path) -> Path:
    """The folder at `path`, made where it is not there.

    Raises:
        UsageError: if it cannot be made.
    """
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"`--output`: expected a folder, or a name for one in a folder; got {path}: {error}."
        ) from error
    return path


def write_evaluation(scored: Scored, found: Evaluation, folder: Path) -> list[Path]:
    """Writes evaluation.json, predictions.csv, mistakes.png and, of several classes, confusion.png.

    Args:
        scored: the answers.
        found: the record of them.
        folder: that exists; files of these names in it are replaced.

    Returns:
        The files.
    """
    files = [folder / "evaluation.json", folder / "predictions.csv", folder / "mistakes.png"]
    write_whole(files[0], lambda aside: aside.write_text(f"{found.to_json()}\n", encoding="utf-8"))
    write_whole(files[1], lambda aside: _write_rows(scored, aside))
    _save(draw_worst(scored, found), files[2])
    if scored.confusion is not None and len(scored.classes) > 1:
        files.append(folder / "confusion.png")
        _save(draw_confusions(scored.confusion, found), files[3])
    return files


def _save(figure: Figure, path: Path) -> None:
    write_whole(path, lambda aside: figure.savefig(aside, format="png"))


def _write_rows(scored: Scored, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(_rows(scored))


def _rows(scored: Scored) -> Iterator[tuple[Any, ...]]:
    """A row of `HEADER` for each image; truth, answer, probability and loss where an answer is one class."""
    scores, graded, classes = scored.model.task.record_scores(scored.records), scored.graded, scored.classes
    for start in range(0, len(scored.rows), PART):
        for place, path in enumerate(scored.index.paths(scored.rows[start : start + PART]), start):
            score = f"{scores[place]:.6g}"
            if graded is None:
                yield path, "", "", "", "", score
                continue
            names = classes[graded.labels[place]], classes[graded.answers[place]]
            yield path, *names, f"{graded.confidence[place]:.6f}", f"{graded.loss[place]:.6f}", score


def draw_confusions(matrix: NDArray[np.int64], found: Evaluation) -> Figure:
    """The confusion matrix, as large as the names of its classes need."""
    side = min(max(5.0, 0.17 * len(matrix) + 2), 24.0)
    figure = Figure(figsize=(side, side), dpi=110, layout="constrained")
    metric = found.metrics.get("accuracy")
    title = f"{found.split}, {found.count:,} images" + (f": accuracy {metric:.3f}" if metric is not None else "")
    figure.suptitle(title, fontsize=11)
    draw_matrix(figure.subplots(), matrix, found.classes)
    return figure


def draw_worst(scored: Scored, found: Evaluation) -> Figure:
    """The images that were answered worst; where answers have a place, as they should be beside what was answered."""
    shown = [example for example in found.worst if not example.score >= 1]
    if not shown:
        figure = Figure(figsize=(5, 1.2), dpi=110)
        figure.text(0.5, 0.5, f"No mistakes in {found.count:,} images", ha="center", va="center")
        return figure
    placed = bool(scored.model.task.annotations(scored.index))
    shown = shown[:SHOWN_PLACES] if placed else shown
    figure = Figure(dpi=110, layout="constrained")
    axes = grid(figure, len(shown) * (1 + placed), COLUMNS - placed, cell=2.6 if placed else 2.1)
    row_of = dict(zip(scored.index.paths(scored.rows), scored.rows.tolist(), strict=True))
    images = IndexedImages(scored.index, scored.model.max_pixels)
    for number, example in enumerate(shown):
        row = row_of[example.path]
        opened = images.open(row)
        pixels = np.atleast_3d(opened.decode(max(opened.size) / LARGEST, 3))
        if not placed:
            _show(axes[number], _small(pixels), title_of(example))
            continue
        truth = drawn(
            scored.model.task.truth(scored.index, row, opened.size), _small(pixels), found.classes, written=False
        )
        answer = drawn(scored.model.predict(opened.decode(1, 3)), _small(pixels), found.classes, written=False)
        _show(axes[2 * number], truth, f"truth\n{_short(example.path)}")
        _show(axes[2 * number + 1], answer, f"answer: {about(found.score).within} {example.score:.2f}\n")
    return figure


def title_of(example: Example) -> str:
    """What an image shows, what was answered, and its file; where an answer is no class, its score."""
    if not example.answer:
        return f"score {example.score:.2f}\n{_short(example.path)}"
    answer = f"{_short(example.truth)}\nnot {_short(example.answer)} ({example.probability:.2f})"
    return f"{answer}\n{_short(example.path)}"


def _short(name: str) -> str:
    """The end of a long name, fit to print."""
    text = fit_to_print(name, NAME_LENGTH)
    return text if len(text) <= SHOWN_NAME else f"…{text[1 - SHOWN_NAME :]}"


def _small(pixels: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(np.broadcast_to(first_bands(pixels), (*pixels.shape[:2], 3))))
    image.thumbnail((LARGEST, LARGEST))
    return image


def _show(axis: Any, image: Image.Image, title: str) -> None:
    axis.imshow(np.asarray(image))
    axis.set_title(title.replace("$", r"\$"), fontsize=7)
