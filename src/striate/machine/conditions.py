"""What a measurement was taken under."""

import os
from dataclasses import dataclass

import torch

from striate.processors import cores


@dataclass(frozen=True)
class Conditions:
    """The processor, and what else it did."""

    cores: int
    """Processors that this process may use."""

    physical_cores: int
    """How many of these share no arithmetic units with another, where that is known."""

    threads: int
    """Threads that arithmetic uses."""

    load: float | None
    """Programs that wanted to run, on average over the minute before; None where the system does not say."""


def conditions() -> Conditions:
    """The conditions now."""
    physical = torch.cpu.get_capabilities().get("num_physical_cores", cores())
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Conditions(cores(), min(int(physical), cores()), torch.get_num_threads(), load)
