"""Training: from an index and a recipe to a model, through checkpoints."""

from striate.training.folder import RunFolder
from striate.training.loop import fit, resume, train

__all__ = ["RunFolder", "fit", "resume", "train"]
