"""Processes that share work on many small files, at which the threads of one process would take turns.

A worker is Python anew, not a copy of this process: that needs no guard in the program that began, and has none of the
locks that this process's threads may hold. It reads requests from its standard input, and ends where that does.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar, cast

MANY = 4096  # files that are worth starting processes for, which takes half a second
START = "import sys; sys.path[:] = {path!r}; from striate.data.workers import serve; serve()"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
LOST = (OSError, EOFError, pickle.UnpicklingError)  # what asking a worker that has ended comes to
T = TypeVar("T")
Process = subprocess.Popen[bytes]
Done = Callable[[int], None]  # is told how many more are done


def silent(count: int) -> None:
    """Takes note of nothing that is done."""


class Workers:
    """Calls functions from as many threads as there are workers: in processes from `expect` to the end of a context.

    Before that, and without one, each is called in the thread that asks for it.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._processes: list[Process] = []
        self._idle: queue.SimpleQueue[Process] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            with process:  # closes its pipes, and waits for its end
                pass

    def expect(self, files: int) -> None:
        """Starts the processes, where so many files are worth it."""
        able = bool(sys.executable) and not getattr(sys, "frozen", False)  # a frozen program would start itself
        if self._processes or not able or self.count < 2 or files < MANY:
            return
        command = [sys.executable, "-I", "-c", START.format(path=sys.path)]
        pipe, environment = subprocess.PIPE, {**os.environ, **ONE_THREAD}
        try:
            for _ in range(self.count):
                process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment)
                self._processes.append(process)
                self._idle.put(process)
        except OSError:  # no more processes, or no memory for one: those that are there do the work
            pass

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What a module's `function` gives: from a worker, or in this thread where none is idle.

        A worker that ends before it answers, because its memory ran out or the function raised an error, is left; what
        it was asked for is done here.
        """
        try:
            process = self._idle.get_nowait()
            pickle.dump((function, arguments), process.stdin, pickle.HIGHEST_PROTOCOL)  # type: ignore[arg-type]
            process.stdin.flush()  # type: ignore[union-attr]
            answer = pickle.load(process.stdout)  # type: ignore[arg-type]
        except (queue.Empty, *LOST):
            return function(*arguments)
        self._idle.put(process)
        return cast("T", answer)


ALONE = Workers(1)


def serve() -> None:
    """Answers requests until there are no more: what a worker does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while True:
        try:
            function, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(function(*arguments), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()
