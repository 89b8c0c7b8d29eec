"""striate turns a folder of pictures into a convolutional network that its owner can trust, explain and ship.

    model = striate.load("model.safetensors")
    model.predict("cat.jpg").label

Training is `striate.train.train`, evaluation `striate.evaluate.evaluate`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.errors import DataError, ModelFileError, StriateError, TrainingError, UsageError
    from striate.model import Model, load
    from striate.nets import create
    from striate.recipe import Recipe
    from striate.tasks import Prediction

HOMES = {  # imported when first asked for, because PyTorch takes seconds
    "DataError": "errors",
    "Model": "model",
    "ModelFileError": "errors",
    "Prediction": "tasks",
    "Recipe": "recipe",
    "StriateError": "errors",
    "TrainingError": "errors",
    "UsageError": "errors",
    "create": "nets",
    "load": "model",
}

__version__ = "0.1.0"
__all__ = [
    "DataError",
    "Model",
    "ModelFileError",
    "Prediction",
    "Recipe",
    "StriateError",
    "TrainingError",
    "UsageError",
    "create",
    "load",
]


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module 'striate' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"striate.{HOMES[name]}"), name)
