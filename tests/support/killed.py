"""A run that is stopped at a certain line of what it says."""

from dataclasses import dataclass

from striate.console import Reporter


@dataclass(frozen=True)
class Killed(Reporter):
    """Says nothing, and stops the run when it is to say this."""

    at: str = ""

    def info(self, text: str) -> None:
        super().info(text)
        if text.startswith(self.at):
            raise KeyboardInterrupt
