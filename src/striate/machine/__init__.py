"""What this machine can do, and how close striate comes to it: the verb `bench`."""

from striate.machine.advice import advise
from striate.machine.run import Bench, bench

__all__ = ["Bench", "advise", "bench"]
