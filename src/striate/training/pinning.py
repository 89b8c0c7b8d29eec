"""What decides the last bits of a run is settled once, where it begins, and kept in its recipe."""

import importlib.util
from dataclasses import replace

from striate.device import Machine
from striate.recipe import Recipe

PINNED = ("precision", "memory_format", "runtime", "threads")  # keys of the recipe's machine


def pinned(recipe: Recipe, machine: Machine) -> Recipe:
    """The recipe with what was decided of the machine, with which a resumed run goes on."""
    return replace(recipe, machine=replace(recipe.machine, **machine.pinned()))


def possible(recipe: Recipe) -> Recipe:
    """The recipe of a run that goes on, without a runtime that is not installed here."""
    if recipe.machine.runtime == "openvino" and importlib.util.find_spec("openvino") is None:
        return replace(recipe, machine=replace(recipe.machine, runtime="torch"))
    return recipe


def changes(before: Recipe, machine: Machine) -> list[str]:
    """A sentence for each thing that a run goes on with otherwise than it began; none for an older run's recipe."""
    now, sentences = machine.pinned(), []
    for key in PINNED:
        began = getattr(before.machine, key)
        if began not in (None, "auto", now[key]):
            sentences.append(f"{key}: {now[key]}, where the run began with {began}: its last digits will be others.")
    return sentences
