"""Bench: what this machine can do, and how close striate comes."""

from striate.bench.advice import advise
from striate.bench.run import Bench, bench

__all__ = ["Bench", "advise", "bench"]
