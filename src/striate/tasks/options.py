"""The options of a task: what a recipe's `task_args` say, as a record with types and defaults."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from striate.errors import UsageError, nearest

Record = TypeVar("Record")


def options(kind: type[Record], task: str, values: Mapping[str, Any]) -> Record:
    """The record that `task_args` describe; what they leave out keeps its default.

    Args:
        kind: a frozen dataclass.
        task: the name of the task, for messages.
        values: by the names of its fields, in which - stands for _ too.

    Raises:
        UsageError: for an unknown name (the nearest is named), or a value of the wrong type or range.
    """
    named = {key.replace("-", "_"): value for key, value in values.items()}
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]  # every kind is a dataclass
    for name in named:
        if name not in known:
            raise UsageError(
                f"`task_args`: expected an option of {task}: {', '.join(known) or 'it has none'}; got {name}. "
                f"{nearest(name, known) if known else ''}".rstrip()
            )
    try:
        return msgspec.convert(named, kind)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, UsageError):  # of a `__post_init__`
            raise error.__cause__ from error
        name = str(error).partition("`$.")[2].rstrip("`")
        hint = get_type_hints(kind).get(name)
        choices = ", ".join(map(str, get_args(hint))) or getattr(hint, "__name__", "another kind of value")
        raise UsageError(f"`task_args.{name}`: expected {choices}; got {named.get(name)!r}.") from error
