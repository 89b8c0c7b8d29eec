"""The exact cost of any network, one row for each layer, and what is odd about it."""

from striate.graph.layers import Layer
from striate.inspect.advice import Advice, advise
from striate.inspect.inspection import Inspection
from striate.inspect.run import inspect
from striate.inspect.target import Target, find

__all__ = ["Advice", "Inspection", "Layer", "Target", "advise", "find", "inspect"]
