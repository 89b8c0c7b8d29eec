"""What a run says: a bar on a terminal, plain lines elsewhere, and all of it in log.txt."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from striate.files import fit_to_print, open_regular

LINE_EVERY_S = 30.0
LINE_LENGTH = 2000  # characters
PLAIN_WIDTH = 120  # characters: of tables where output is no terminal

Advance = Callable[[int, str], None]  # (done since the last call, what to say of it)


class Terminal(Console):
    """Standard error, as long as someone reads it: a run goes on when the reader of its pipe has gone."""

    def __init__(self) -> None:
        super().__init__(stderr=True)

    def on_broken_pipe(self) -> None:
        """Writes to nowhere from now on, where rich would end the process."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # the interpreter writes what is left as it ends


def say(text: str) -> None:
    """Prints a line, or several, as a terminal shows them and does not obey."""
    print("\n".join(fit_to_print(line, LINE_LENGTH) for line in text.split("\n")))


class Page(Console):
    """Standard output: text from outside is shown there, and never obeyed.

    Where it is no terminal, nobody has to see all of a table's width at once, and no column is cut to fit COLUMNS.
    """

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        if "width" not in named and not self.is_terminal:
            self.width = max(self.width, PLAIN_WIDTH)

    def render_str(self, text: str, **named: Any) -> Text:
        """Every text that is printed, and every cell of a table."""
        return super().render_str("\n".join(fit_to_print(line, LINE_LENGTH) for line in text.split("\n")), **named)


@dataclass(frozen=True)
class Reporter:
    """Prints and logs what a run does."""

    console: Console = field(default_factory=Terminal)
    log: Path | None = None

    @staticmethod
    def silent() -> "Reporter":
        """One that says nothing to anyone."""
        return Reporter(Console(quiet=True))

    def info(self, text: str) -> None:
        """Prints a line and keeps it in the log with the time of day."""
        text = "\n".join(fit_to_print(line, LINE_LENGTH) for line in text.split("\n"))
        self.console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
        if self.log is not None:
            with suppress(OSError), open_regular(self.log, "a") as file:  # a full disk does not end a run
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n".encode())

    @contextmanager
    def progress(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        """Shows how far a piece of work is, with its rate and the time left.

        Args:
            title: of the work.
            total: how many units there are.
            unit: their name in the plural.
        """
        if self.console.is_terminal:
            with self._bar(title, total, unit) as advance:
                yield advance
        else:
            yield self._lines(title, total, unit)

    @contextmanager
    def counting(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Shows how far work on `total` images is; what it gives is called with the images done since the last call."""
        with self.progress(title, total, "images") as advance:
            yield lambda count: advance(count, "")

    @contextmanager
    def _bar(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(escape(title), total=total, unit=unit, note="")
            yield lambda count, note: bar.update(task, advance=count, note=escape(note))

    def _lines(self, title: str, total: int, unit: str) -> Advance:
        started = said = time.monotonic()
        done = 0

        def advance(count: int, note: str) -> None:
            nonlocal done, said
            done += count
            now = time.monotonic()
            if now - said >= LINE_EVERY_S:
                said = now
                left = (now - started) / done * (total - done)
                told = f"{note}, " if note else ""
                self.info(f"{title}: {done}/{total} {unit}, {told}{clock(left)} left")

        return advance


def clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> clock(75.2), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
