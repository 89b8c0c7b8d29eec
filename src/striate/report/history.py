"""How a model came to be, as its run folder and its own file tell it."""

import csv
import io
import math
import os
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from striate.data.check import KINDS
from striate.data.index import SPLITS, Index
from striate.errors import DataError
from striate.files import fit_to_print, list_names, open_regular, read_text
from striate.model import Model
from striate.recipe.tables import NO_WEIGHTS
from striate.report.charts import Curve
from striate.training.folder import RunFolder

PLANNED = " --freeze auto: "  # what stands in the log between the time and how much was frozen, and why
MOST = 1 << 28  # bytes of a table
LINE = 1 << 16  # bytes of a line of the log; of a longer one, each so many are a line
LEFT_OUT = "left-out"  # the kind of images that are used for nothing, whatever the reason
LEAK = "leak"  # the kind of finding that makes every score untrue


@dataclass(frozen=True)
class History:
    """What a model learned from, and how that went."""

    recipe: dict[str, Any] = field(default_factory=dict)
    """Its tables, by name; empty where the model's file has none."""

    images: dict[str, int] = field(default_factory=dict)
    """By split, as the run split them; empty where the run is not at hand."""

    taught: dict[str, int] = field(default_factory=dict)
    """Images of each class in train; empty likewise, or where the images have no labels."""

    findings: tuple[tuple[str, int, bool], ...] = ()
    """The kind of each finding of the check (a key of `KINDS`), how many images it is about, and whether these are
    used nevertheless."""

    epochs: tuple[dict[str, float], ...] = ()
    """The rows of metrics.csv; NaN where nothing stands."""

    planned: str = ""
    """Why so much was frozen, where that was planned from the images; "" where it was asked for, or is not known."""

    folder: Path | None = None
    """Of the run, where it is at hand."""

    @property
    def leaks(self) -> int:
        """Images that stand in several splits, where those of train were learned from."""
        kept = self.setting("data", "keep_leaks", True)  # as runs did before there was a choice
        return sum(count for kind, count, _ in self.findings if kind == LEAK) if kept else 0

    @property
    def weights(self) -> str:
        """The weights that training began with; "" where it began anew, or that is not known."""
        name = str(self.setting("transfer", "weights", ""))
        return "" if name == NO_WEIGHTS else name

    def setting(self, table: str, key: str, default: Any = None) -> Any:
        """A setting of the recipe; the default where it is not known."""
        return (self.recipe.get(table) or {}).get(key, default)

    def curve(self, column: str, name: str) -> Curve | None:
        """A column of metrics.csv by epoch, with its interval where it has one; None where it has no value."""
        x = tuple(row["epoch"] for row in self.epochs)
        y, low, high = (
            tuple(row.get(f"{column}{end}", math.nan) for row in self.epochs) for end in ("", "_low", "_high")
        )
        if not any(math.isfinite(value) for value in y):
            return None
        bounded = any(math.isfinite(value) for value in low)
        return Curve(name, x, y, low if bounded else (), high if bounded else ())

    def last(self, column: str) -> float:
        """A column of metrics.csv after the last epoch; NaN where there is none."""
        return self.epochs[-1].get(column, math.nan) if self.epochs else math.nan


def history(model: Model, folder: RunFolder | None, index: Index | None) -> History:
    """What is known of how a model came to be.

    Args:
        model: whose file holds the recipe.
        folder: of its run; None where it is not at hand.
        index: of the run's images, as the model's task matches it; None likewise.
    """
    recipe = model.about.get("recipe") or {}
    if folder is None or index is None:
        return History(recipe)
    return History(
        recipe,
        {split: len(index.rows(split)) for split in SPLITS},
        index.counts("train") if len(index.classes) > 1 else {},
        _findings(folder.check),
        _epochs(folder.metrics),
        _planned(folder.log),
        folder.path,
    )


def _findings(path: Path) -> tuple[tuple[str, int, bool], ...]:
    """How many images each kind of finding is about; nothing where the file is not there or of an older run.

    Raises:
        DataError: if the file holds anything else.
    """
    counts = Counter((row.get("kind", ""), row["used"]) for row in _rows(path, "findings", "used"))
    if unknown := sorted({used for _, used in counts} - {"yes", "no"}):
        raise DataError(f"{path}: expected yes or no in the column `used`; got {list_names(unknown)}.")
    order = list(KINDS)
    known = [(kind, count, used == "yes") for (kind, used), count in counts.items() if kind in KINDS]
    return tuple(sorted(known, key=lambda each: order.index(each[0])))


def _planned(path: Path) -> str:
    """The sentence of the log that says how much to freeze."""
    if not path.is_file():
        return ""
    with open_regular(path) as file:
        lines = (line.decode(errors="replace") for line in iter(partial(file.readline, LINE), b""))
        found = [line.partition(PLANNED)[2].strip() for line in lines if PLANNED in line]
    return found[-1] if found else ""


def _epochs(path: Path) -> tuple[dict[str, float], ...]:
    """The rows of metrics.csv as numbers.

    Raises:
        DataError: if the file holds anything else.
    """
    rows = _rows(path, "numbers", "epoch")
    try:
        return tuple({name: float(value) if value else math.nan for name, value in row.items()} for row in rows)
    except ValueError as error:
        raise DataError(f"{path}: expected the numbers of a run; {fit_to_print(str(error), 200)}.") from error


def _rows(path: Path, what: str, column: str) -> list[dict[str, str]]:
    """The rows of a table of the run, each with a text for every column; none where the file is not there.

    Args:
        path: of the table.
        what: the table holds, for the message.
        column: that it must have.

    Raises:
        DataError: if the file is no such table.
    """
    if not os.path.lexists(path):
        return []
    try:
        reader = csv.DictReader(io.StringIO(read_text(path, most=MOST), newline=""), strict=True)
        rows = list(reader)
        if column not in (reader.fieldnames or ()):
            raise ValueError(f"it has no column `{column}`")
        if any(None in row or None in row.values() for row in rows):
            raise ValueError("its lines have different numbers of values")
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(f"{path}: expected the {what} of a run; {fit_to_print(reason or '', 200)}.") from error
    return rows
