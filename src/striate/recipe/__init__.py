"""Recipes: everything that decides what a training run computes, as dataclasses, dicts and TOML files."""

from striate.recipe.augment import AugmentRecipe
from striate.recipe.convert import KEYS, TABLES, dumps, from_dict, load, to_dict, with_values
from striate.recipe.layout_names import LayoutName
from striate.recipe.tables import (
    AUTO_WEIGHTS,
    DEFAULT_LR,
    DEFAULT_MODEL,
    NO_WEIGHTS,
    DataRecipe,
    MachineRecipe,
    NetworkRecipe,
    ReadRecipe,
    Recipe,
    TrainingRecipe,
    TransferRecipe,
)

__all__ = [
    "AUTO_WEIGHTS",
    "DEFAULT_LR",
    "DEFAULT_MODEL",
    "KEYS",
    "NO_WEIGHTS",
    "TABLES",
    "AugmentRecipe",
    "DataRecipe",
    "LayoutName",
    "MachineRecipe",
    "NetworkRecipe",
    "ReadRecipe",
    "Recipe",
    "TrainingRecipe",
    "TransferRecipe",
    "dumps",
    "from_dict",
    "load",
    "to_dict",
    "with_values",
]
