"""Networks as graphs: built without memory, counted, cut in two, folded, and run part by part.

Two readers of a network stand here, because neither can do the other's work. `trace` watches the operations that reach
the device, so it counts any code, but what it saw cannot be run again. `symbolic` follows the code itself into a graph
whose parts can be run and trained, but only code whose course does not depend on values.
"""

from striate.graph.meta import META, build, skeleton
from striate.graph.parts import Cut, Prefix, Vectors, cut, fingerprint, vectors

__all__ = ["META", "Cut", "Prefix", "Vectors", "build", "cut", "fingerprint", "skeleton", "vectors"]
