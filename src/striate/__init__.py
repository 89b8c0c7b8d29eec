"""striate turns a folder of images into a convolutional network that its owner can trust, explain and ship.

    run = striate.train("photos", epochs=10)
    model = striate.load(run.model)
    model.predict("cat.jpg").label
    striate.evaluate(model, "photos").metrics["accuracy"]

What is not listed in `__all__` may change from one version to the next.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.api import evaluate, list_models, resume, train
    from striate.errors import DataError, ModelFileError, StriateError, TrainingError, UsageError, WeightsError
    from striate.model import Model
    from striate.nets import create
    from striate.pretrained import load
    from striate.recipe import Recipe
    from striate.tasks import Located, Prediction, Segmented

HOMES = {  # imported when first asked for, because PyTorch takes seconds
    "DataError": "errors",
    "Located": "tasks",
    "Model": "model",
    "ModelFileError": "errors",
    "Prediction": "tasks",
    "Recipe": "recipe",
    "Segmented": "tasks",
    "StriateError": "errors",
    "TrainingError": "errors",
    "UsageError": "errors",
    "WeightsError": "errors",
    "create": "nets",
    "evaluate": "api",
    "list_models": "api",
    "load": "pretrained",
    "resume": "api",
    "train": "api",
}

__version__ = "0.1.0"
__all__ = [
    "DataError",
    "Located",
    "Model",
    "ModelFileError",
    "Prediction",
    "Recipe",
    "Segmented",
    "StriateError",
    "TrainingError",
    "UsageError",
    "WeightsError",
    "create",
    "evaluate",
    "list_models",
    "load",
    "resume",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module 'striate' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"striate.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
