"""What stands around the loop of training: checkpoints, signals, numbers that are not finite, and determinism."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from striate.errors import TrainingError
from striate.training.determinism import deterministic
from striate.training.finite import FiniteNumbers
from striate.training.run import Run
from striate.training.saver import Saver
from striate.training.signals import Interrupted, Signals
from striate.training.state import State


@dataclass(frozen=True)
class Guards:
    """The guards of one run."""

    run: Run
    state: State
    saver: Saver
    finite: FiniteNumbers
    signals: Signals

    @property
    def signal(self) -> int:
        """The number of the signal that this process received; 0 for none."""
        return self.signals.received or 0

    def after_step(self, agreed_signal: int) -> None:
        """Saves the run if it is time to, and ends it where a signal asks for that; no step is half done.

        Args:
            agreed_signal: what `Step` has of the signals of all processes.
        """
        self.saver.after_step(self.state)
        self._stop(agreed_signal or (self.signal if self.run.processes.world == 1 else 0))

    def between_batches(self) -> None:
        """Ends the run where a signal came to any process; for work that is no step, called by all alike."""
        self._stop(max(int(number) for [number] in self.run.processes.numbers(self.signal)))

    def _stop(self, number: int) -> None:
        if number:
            name = signal.Signals(number)
            self.run.reporter.info(f"{name.name}: saving after step {self.state.progress.step - 1}")
            self.run.processes.from_first(lambda: self.saver.now(self.state))
            raise Interrupted(name, self.run.folder)


@contextmanager
def guarded(run: Run, state: State) -> Iterator[Guards]:
    """Guards a run within the context, and writes how it ended.

    Raises:
        TrainingError: if the end of the run cannot be written.
    """
    alone = run.processes.world == 1
    with (
        deterministic(run.machine, run.recipe.machine.deterministic),
        Saver(run, state.progress) as saver,
        Signals(second_ends=alone) as signals,
    ):
        yield Guards(run, state, saver, FiniteNumbers(run, state.progress, saver), signals)
        if not run.processes.from_first(lambda: saver.now(state)):
            raise TrainingError(
                "the end of the run cannot be written, for the reason told above. Mend it, then go on with "
                f"`{run.folder.resumed_by}`."
            )
        run.reporter.info(str(saver))
