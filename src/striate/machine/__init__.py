"""What this machine can do, and how close striate comes to it: the verb `bench`."""

from striate.machine.advice import advise
from striate.machine.findings import Bench
from striate.machine.run import bench

__all__ = ["Bench", "advise", "bench"]
