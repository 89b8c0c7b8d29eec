"""Writes a report: the page, and the model card beside it."""

from functools import partial
from pathlib import Path

from striate.data import Index
from striate.data.check.run import Progress, no_progress
from striate.evaluation import evaluate
from striate.evaluation.answered import Answered
from striate.files import write_whole
from striate.model import Model
from striate.report.build import report
from striate.report.card import card as card_of
from striate.report.run_page import page as page_of
from striate.training.folder import RunFolder


def write_report(
    model: Model,
    index: Index,
    file: Path,
    folder: RunFolder | None = None,
    *,
    page: Path,
    card: Path | None = None,
    split: str = "auto",
    batch_size: int = 64,
    workers: int | None = None,
    progress: Progress = no_progress,
    answered: Answered | None = None,
) -> None:
    """Scores a model and writes what is to be said of it.

    Args:
        model: as it was loaded.
        index: of labelled images.
        file: of the model, as commands on the page name it.
        folder: of the run that made the model, where the index is the run's own.
        page: HTML file to write.
        card: model card to write, if any.
        split: as in `striate.evaluation.evaluate`.
        batch_size: images at a time.
        workers: threads that decode; one a core unless given.
        progress: shows how far it is; as in `striate.data.examine`.
        answered: as in `striate.evaluation.evaluate`.

    Raises:
        DataError: if a class is unknown to the model, or the split has no labelled image.
    """
    if split == "auto" and folder is not None and not len(index.rows("test")) and not len(index.rows("val")):
        split = "train"  # which the page says, and what it is worth
    scored = evaluate(model, index, split, batch_size, workers, progress=progress, answered=answered)
    found = report(scored, file, folder, workers)
    write_whole(page, partial(_write, page_of(found)))
    if card is not None:
        write_whole(card, partial(_write, card_of(found)))


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
