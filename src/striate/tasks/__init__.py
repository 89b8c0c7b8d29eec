"""Tasks: what a network is asked, how its answer is scored, and what it means in the user's terms.

Everything outside this package asks a task through the protocol `Task`, and finds it by name in `TASKS`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from striate.data import Index
from striate.errors import UsageError, nearest
from striate.recipe import Recipe
from striate.tasks.classify import Classify
from striate.tasks.locate import Locate
from striate.tasks.located import Located
from striate.tasks.prediction import Prediction
from striate.tasks.problems import HeadProblem, ValueProblem
from striate.tasks.segment import Segment, Segmented
from striate.tasks.task import Objective, Targets, Task, split_targets, to_device

__all__ = [
    "AUTO",
    "TASKS",
    "HeadProblem",
    "Located",
    "Objective",
    "Prediction",
    "Segmented",
    "Targets",
    "Task",
    "ValueProblem",
    "settled",
    "split_targets",
    "task_from_dict",
    "task_kind",
    "task_of",
    "to_device",
]

TASKS: dict[str, type[Task]] = {"segment": Segment, "locate": Locate, "classify": Classify}
"""Every task by its name, which recipes and model files use; auto takes the first that suits the data."""

AUTO = "auto"


def task_kind(name: str) -> type[Task]:
    """The task of a name.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in TASKS:
        raise UsageError(f"`task`: expected auto or one of {', '.join(TASKS)}; got {name}. {nearest(name, TASKS)}")
    return TASKS[name]


def settled(recipe: Recipe, index: Index) -> Recipe:
    """The recipe with its task named, and filled in what the task decides.

    Args:
        recipe: whose task may be auto, for the one that suits the data.
        index: of the data.

    Raises:
        UsageError: if the recipe asks for what its task cannot do.
        DataError: if the data are annotated for a task that there is not.
    """
    name = _name(recipe, index)
    return task_kind(name).resolve(replace(recipe, network=replace(recipe.network, task=name)))


def task_of(index: Index, recipe: Recipe) -> Task:
    """The task that a recipe names, or that suits the data, on the classes of a data set."""
    return task_kind(_name(recipe, index)).of(index, recipe)


def _name(recipe: Recipe, index: Index) -> str:
    if recipe.network.task != AUTO:
        return recipe.network.task
    return next(name for name, kind in TASKS.items() if kind.suits(index, recipe))


def task_from_dict(classes: tuple[str, ...], values: Mapping[str, Any]) -> Task:
    """The task that a model file describes; see `Task.from_dict`."""
    return task_kind(values["name"]).from_dict(classes, values)
