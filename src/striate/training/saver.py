"""Keeps a run on the disk without holding it up."""

import copy
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from striate.errors import TrainingError
from striate.model import Model
from striate.training import checkpoint
from striate.training.checkpoint import Checkpoint
from striate.training.run import Run
from striate.training.state import Progress, State

SHARE = 0.01  # of the run's time that checkpoints may cost
FREE_S = 1.0  # what they may cost in any case


class Saver:
    """Writes checkpoints, one at a time, on a thread of its own; of several processes, the first alone does.

    What a checkpoint needs is copied in memory between two steps. The thread then writes the best model, if there is a
    new one, metrics.csv and the checkpoint, in this order: so a checkpoint never knows of a model that is not on the
    disk. What cannot be written is told, the run goes on with the checkpoint before it, and the next one is tried when
    its time comes.
    """

    def __init__(self, run: Run, progress: Progress) -> None:
        """Args:
        run: which is kept.
        progress: where it begins, which is on the disk already if it was resumed.
        """
        self._run = run
        self._every_s = 60 * run.recipe.machine.checkpoint_every
        self._began = time.monotonic()
        self._due = self._began + self._every_s
        self._writing: _Write | None = None
        self._model: Model | None = None  # the best, while it is not on the disk
        self._kept = _place(progress)
        self._count = 0
        self._cost_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):  # a second Ctrl-C does not wait
            self._wait()

    def __str__(self) -> str:
        share = self._cost_s / (time.monotonic() - self._began)
        return f"checkpoints: {self._count} written, for which the run stood still {share:.2%} of its time"

    def keep_model(self, model: Model) -> None:
        """Keeps the best model so far: with the next checkpoint."""
        if not self._run.processes.first:
            return
        with self._counted():
            self._model = replace(model, net=copy.deepcopy(model.net).cpu())

    def after_step(self, state: State) -> None:
        """Begins a checkpoint, if it is time for one and none is being written."""
        if self._writing is not None and not self._writing.is_alive():
            self._settle(self._writing)
        if self._writing is None and time.monotonic() >= self._due:
            self._begin(state)

    def after_epoch(self, state: State) -> None:
        """Begins a checkpoint, unless they have cost too much so far: then it is made when its time comes."""
        if self._cost_s <= max(FREE_S, SHARE * (time.monotonic() - self._began)):
            self._wait()
            self._begin(state)

    def now(self, state: State) -> bool:
        """Waits until the run is on the disk as it stands; False, which has been told, if it cannot be."""
        self._wait()
        if self._kept != _place(state.progress):
            self._begin(state)
            self._wait()
        return self._kept == _place(state.progress)

    def last_good(self) -> str:
        """What to call the newest checkpoint on the disk; asked for by all processes."""
        self._wait()
        return self._run.processes.from_first(self._newest)

    def _newest(self) -> str:
        return str(next(iter(checkpoint.found(self._run.folder.checkpoint)), "none yet"))

    def _begin(self, state: State) -> None:
        if not self._run.processes.first:
            return
        with self._counted():
            frozen = checkpoint.freeze(state, self._run.recipe)
        self._writing = _Write(self._run, self._model, frozen)
        self._writing.start()
        self._due = time.monotonic() + self._every_s

    def _wait(self) -> None:
        if self._writing is not None:
            with self._counted():
                self._writing.join()
            self._settle(self._writing)

    def _settle(self, write: "_Write") -> None:
        """Takes note of a write that has ended."""
        self._writing = None
        progress = write.frozen.progress
        if write.error is None:
            self._count += 1
            self._kept = _place(progress)
            self._model = None if self._model is write.model else self._model
        elif isinstance(write.error, OSError):
            reason = write.error.strerror or write.error
            self._run.reporter.info(
                f"the checkpoint of step {progress.step} cannot be written: {reason}. The run goes on and tries "
                f"again later. Last good checkpoint: {self._newest()}."
            )
        else:
            raise write.error

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Counts the time of the block as a cost of checkpoints."""
        before = time.monotonic()
        try:
            yield
        finally:
            self._cost_s += time.monotonic() - before


def _place(progress: Progress) -> tuple[int, int]:
    return progress.step, progress.epoch


class _Write(threading.Thread):
    """Writes a checkpoint, with what it relies on, once."""

    def __init__(self, run: Run, model: Model | None, frozen: Checkpoint) -> None:
        # A daemon: an interpreter that ends does not wait for a disk that hangs. Half a file never gets its name.
        super().__init__(name="checkpoint", daemon=True)
        self._run = run
        self.model = model
        self.frozen = frozen
        self.error: Exception | None = RuntimeError(
            "the thread that writes checkpoints failed; its own error was printed"
        )

    def run(self) -> None:
        """The thread's work; a failure that can be foreseen is left for the loop to tell, any other is printed here."""
        folder = self._run.folder
        try:
            if self.model is not None:
                self.model.save(folder.model)
            if self.frozen.progress.rows:
                folder.write_metrics(self.frozen.progress.rows)
            checkpoint.write(folder.checkpoint, self.frozen)
        except (OSError, TrainingError) as error:
            self.error = error
        else:
            self.error = None
