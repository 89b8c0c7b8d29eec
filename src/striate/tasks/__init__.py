"""Tasks: what a network is asked, how its answer is scored, and what it means in the user's terms.

Everything outside this package asks a task through the protocol `Task`, and finds it by name in `TASKS`.
"""

from collections.abc import Mapping
from typing import Any

from striate.data import Index
from striate.errors import UsageError, nearest
from striate.recipe import Recipe
from striate.tasks.classify import Classify
from striate.tasks.task import HeadProblem, Objective, Prediction, Targets, Task, split_targets, to_device

__all__ = [
    "TASKS",
    "HeadProblem",
    "Objective",
    "Prediction",
    "Targets",
    "Task",
    "split_targets",
    "task_from_dict",
    "task_kind",
    "task_of",
    "to_device",
]

TASKS: dict[str, type[Task]] = {"classify": Classify}
"""Every task by its name, which recipes and model files use."""


def task_kind(name: str) -> type[Task]:
    """The task of a name.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in TASKS:
        raise UsageError(f"`task`: expected one of {', '.join(TASKS)}; got {name}. {nearest(name, TASKS)}")
    return TASKS[name]


def task_of(index: Index, recipe: Recipe) -> Task:
    """The task that a recipe names, on the classes of a data set."""
    return task_kind(recipe.network.task).of(index, recipe)


def task_from_dict(classes: tuple[str, ...], values: Mapping[str, Any]) -> Task:
    """The task that a model file describes; see `Task.from_dict`."""
    return task_kind(values["name"]).from_dict(classes, values)
