"""Training: from an index and a recipe to a model, through checkpoints."""

from striate.train.folder import RunFolder
from striate.train.loop import fit
from striate.train.run import resume, train

__all__ = ["RunFolder", "fit", "resume", "train"]
