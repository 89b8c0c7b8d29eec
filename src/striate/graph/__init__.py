"""Networks as graphs: built without memory, counted, traced, cut in two, folded, and run part by part."""

from striate.graph.meta import META, build
from striate.graph.parts import Cut, Prefix, Vectors, cut, fingerprint, vectors

__all__ = ["META", "Cut", "Prefix", "Vectors", "build", "cut", "fingerprint", "vectors"]
