"""SIGTERM and Ctrl-C: the step in hand is finished, and the run is saved, before it ends."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from striate.training.folder import RunFolder


class Interrupted(KeyboardInterrupt):
    """A signal ended a run after a whole step; the message says how it goes on."""

    def __init__(self, number: signal.Signals, folder: RunFolder) -> None:
        super().__init__(f"stopped by {number.name}; go on with `{folder.resumed_by}`.")
        self.exit_code = 128 + number  # as a shell says of a process that a signal ended


class Signals:
    """Notes the first SIGINT or SIGTERM within its context, which a second one ends as if there were none.

    Not so of several processes: a scheduler may signal them all, and torchrun then does once more. It kills those that
    are still there half a minute later.

    Elsewhere than in the main thread, which alone receives signals, nothing is noted. A signal that the process was
    started to ignore, as under `nohup`, stays ignored.
    """

    def __init__(self, *, second_ends: bool = True) -> None:
        self._second_ends = second_ends
        self.received: signal.Signals | None = None
        """The signal that asks the run to stop."""

        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        if self._second_ends:
            self._give_back()

    def _give_back(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
