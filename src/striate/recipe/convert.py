"""Recipes from dicts and TOML files, and back."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import tomli_w

from striate.errors import UsageError, nearest
from striate.files import fit_to_print, read_text
from striate.recipe.tables import NO_WEIGHTS, Recipe
from striate.records import VALUE_LENGTH, parse_toml, told

MOST_BYTES = 1_000_000  # of a file
TABLES: dict[str, type] = {table.name: table.default_factory for table in dataclasses.fields(Recipe)}  # type: ignore[misc]
RENAMED = {  # (key, value) of earlier versions, and what they are called now
    ("pca_source", "pictures"): "images",
    ("weights", ""): NO_WEIGHTS,
}
KEYS = {key.name: table for table, kind in TABLES.items() for key in dataclasses.fields(kind)}


def from_dict(tables: Mapping[str, Any], source: str = "recipe") -> Recipe:
    """The recipe that nested dicts describe; keys that are left out keep their defaults.

    Raises:
        UsageError: for an unknown table or key (the nearest is named), or a value of the wrong type or range.
    """
    for table, values in tables.items():
        if table in KEYS and table not in TABLES:
            raise UsageError(f"{source}: `{table}` stands outside its table. Put it under [{KEYS[table]}].")
        if table not in TABLES:
            raise UsageError(f"{source}: unknown table [{table}]. {nearest(table, TABLES)}")
        if not isinstance(values, Mapping):
            raise UsageError(f"{source}: `{table}`: expected a table; got {fit_to_print(repr(values), VALUE_LENGTH)}.")
        for key in values:
            if KEYS.get(key) != table:
                hint = f"It belongs under [{KEYS[key]}]." if key in KEYS else nearest(key, KEYS)
                raise UsageError(f"{source}: unknown key `{key}` under [{table}]. {hint}")
    tables = {name: {k: _renamed(k, v) for k, v in values.items()} for name, values in tables.items()}
    try:
        return msgspec.convert(tables, Recipe)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UsageError(f"{source}: {_sentence(error, tables)}") from error


def _renamed(key: str, value: Any) -> Any:
    """The value by today's name."""
    return RENAMED.get((key, value), value) if isinstance(value, str) else value


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with other values of some keys, of whichever table.

    Raises:
        UsageError: for an unknown key (the nearest is named), or a value of the wrong type or range.
    """
    tables = to_dict(recipe)
    for key, value in values.items():
        if key not in KEYS:
            raise UsageError(f"recipe: unknown key `{key}`. {nearest(key, KEYS)}")
        if value is None:
            tables[KEYS[key]].pop(key, None)
        else:
            tables[KEYS[key]][key] = value
    return from_dict(tables)


def _sentence(error: Exception, tables: Mapping[str, Any]) -> str:
    if isinstance(error, RecursionError):
        return "expected values a few levels deep; got far more."
    if isinstance(error.__cause__, UsageError):  # of a `__post_init__`
        return str(error.__cause__)
    found = re.fullmatch(r"(.+) - at `\$\.(\w+)\.(\w+).*`", str(error))
    if found is None:
        return f"{error}."
    what, table, key = found.groups()
    got = fit_to_print(repr(tables[table][key]), VALUE_LENGTH)
    if what.startswith("Invalid enum value"):
        kinds = get_args(get_type_hints(TABLES[table])[key])
        choices = [choice for kind in kinds for choice in get_args(kind) or [kind] if choice is not type(None)]
        return f"`{key}`: expected one of {', '.join(map(str, choices))}; got {got}."
    if ", got " not in what:  # it is of the right type
        return f"`{key}`: expected {told(get_type_hints(TABLES[table], include_extras=True)[key])}; got {got}."
    return f"`{key}`: {what[0].lower()}{what[1:].replace('`', '')}."


def to_dict(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Nested dicts of plain values, without the keys that are None (TOML has no null)."""
    tables: dict[str, dict[str, Any]] = dataclasses.asdict(recipe)  # msgspec leaves out what `convert` left at default
    return {name: {k: v for k, v in table.items() if v is not None} for name, table in tables.items()}


def load(path: Path) -> Recipe:
    """Reads a recipe from a TOML file.

    Raises:
        UsageError: if the file cannot be read, is not TOML, repeats a key, or holds what `from_dict` refuses.
    """
    try:
        tables = parse_toml(read_text(path, most=MOST_BYTES))
    except OSError as error:
        raise UsageError(f"recipe {path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:  # of TOML and of UTF-8
        raise UsageError(f"recipe {path}: expected TOML; {error}.") from error
    return from_dict(tables, source=f"recipe {path}")


def dumps(recipe: Recipe) -> str:
    """The recipe as TOML; `load` gives it back unchanged."""
    return tomli_w.dumps(to_dict(recipe))
