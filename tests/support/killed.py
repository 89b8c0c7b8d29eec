"""Runs that are stopped: at a certain line of what they say, or during a certain step."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from striate.console import Reporter
from striate.training.accumulate import Step
from striate.training.inputs import Inputs
from striate.training.run import Run
from striate.training.state import State


@dataclass(frozen=True)
class Killed(Reporter):
    """Says nothing, and stops the run when it is to say this."""

    at: str = ""

    def info(self, text: str) -> None:
        super().info(text)
        if text.startswith(self.at):
            raise KeyboardInterrupt


def stopping(take_step: Callable[..., Step], after: int) -> Callable[..., Step]:
    """As `take_step`, but the process gets a signal during the last of so many calls."""

    def taken(run: Run, inputs: Inputs, state: State, *others: Any) -> Step:
        step = take_step(run, inputs, state, *others)
        if state.progress.step == after:
            os.kill(os.getpid(), signal.SIGTERM)
        return step

    return taken
