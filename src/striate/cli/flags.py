"""Flags that several verbs share: the recipe's own names, defaults and help, never retyped."""

import ast
import functools
import inspect
import itertools
import textwrap
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_type_hints

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.recipe import KEYS, TABLES, ReadRecipe, Recipe
from striate.recipe.tables import Device, Precision

if TYPE_CHECKING:
    from striate.data import Index

DEFAULT = Recipe()


@functools.cache
def _texts(table: type) -> dict[str, str]:
    """The text under each field of a table of the recipe."""
    texts: dict[str, str] = {}
    for base in filter(is_dataclass, reversed(table.__mro__)):
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        body = definition.body if isinstance(definition, ast.ClassDef) else []
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                texts[field.target.id] = inspect.cleandoc(str(ast.literal_eval(text.value))).replace("\n", " ")
    return texts


def as_in_recipe(key: str) -> Parameter:
    """The help and the short form that a key of the recipe has as a flag of `striate train`."""
    table = TABLES[KEYS[key]]
    metadata = getattr(get_type_hints(table, include_extras=True)[key], "__metadata__", ())
    aliases = [alias for each in metadata if isinstance(each, Parameter) for alias in each.alias or ()]
    return Parameter(help=_texts(table)[key], alias=aliases)


@Parameter(name="*")
@dataclass(frozen=True)
class Reading(ReadRecipe):
    """What labelled data means, where that is not plain."""

    def index(self, data: Path) -> "Index":
        """The index of the images at `data`."""
        from striate.data import read_with

        return read_with(data, self)


@Parameter(name="*")
@dataclass(frozen=True)
class Running:
    """How a model runs over images."""

    batch_size: Annotated[int, Parameter(alias="-b", validator=Number(gte=1), help="Images at a time.")] = 64
    workers: Annotated[int | None, as_in_recipe("workers"), Parameter(validator=Number(gte=1))] = None
    device: Annotated[Device, as_in_recipe("device")] = DEFAULT.machine.device
    precision: Annotated[Precision, as_in_recipe("precision")] = DEFAULT.machine.precision


READING, RUNNING = Reading(), Running()
