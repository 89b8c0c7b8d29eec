"""Values from outside as typed records, and the sentence about a value that does not fit.

A record is a dataclass or a `msgspec.Struct` whose fields have types and, as `msgspec.Meta`, ranges. Whatever a file or
a flag says becomes such a record here, or an error of one sentence; nothing behind this door looks at raw values.
"""

import functools
import re
import tomllib
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from striate.errors import UsageError
from striate.files import fit_to_print

Record = TypeVar("Record")
VALUE_LENGTH = 120  # characters of a value in a sentence
MOST_DOTS = (
    10_000_000  # squared by line: TOML's reader keeps every beginning of a dotted key, which takes n^2 / 2 words
)


def convert(values: Any, kind: type[Record]) -> Record:
    """The record that plain values describe, such as those of JSON or TOML.

    Raises:
        ValueError: a value is missing, or of another type or range; the end of a sentence that says which.
    """
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, UsageError):  # of a `__post_init__`
            raise ValueError(str(error.__cause__).rstrip(".")) from error
        raise ValueError(_sentence(str(error), values)) from error
    except RecursionError as error:
        raise ValueError("expected values a few levels deep; got far more") from error


def decode(text: str | bytes, kind: type[Record]) -> Record:
    """The record that JSON describes.

    Raises:
        ValueError: it is no JSON, or as `convert`.
    """
    return convert(parse_json(text), kind)


def parse_json(text: str | bytes) -> Any:
    """The plain values of JSON.

    Raises:
        ValueError: it is no JSON, or one too deep to be meant.
    """
    try:
        return msgspec.json.decode(text)
    except RecursionError as error:
        raise ValueError("expected JSON a few levels deep; got far more") from error
    except UnicodeError as error:  # half of a pair of surrogates
        raise ValueError(f"expected JSON; {error}") from error


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of TOML.

    Raises:
        ValueError: it is no TOML, or one too deep to be meant.
    """
    dots = [line.count(".") for line in text.splitlines()]
    if sum(count**2 for count in dots) > MOST_DOTS:
        raise ValueError(f"expected keys and lines of a few parts; got {max(dots):,} dots in a line")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("expected tables and arrays a few levels deep; got far more") from error


def require_ranges(record: object) -> None:
    """Requires every field of a dataclass that has a range to be within it, for its `__post_init__`.

    Raises:
        UsageError: one is not.
    """
    for name, hint in _fields_with_ranges(type(record)):  # type: ignore[arg-type]  # a type has a hash
        require_in_range(name, hint, getattr(record, name))


def require_in_range(name: str, hint: Any, value: object) -> None:
    """Requires a value to be of the type and range of a field.

    Args:
        name: of the field, for the message.
        hint: its type, with `msgspec.Meta`.
        value: that it is given.

    Raises:
        UsageError: it is not.
    """
    if expected := unmet(hint, value):
        raise UsageError(f"`{name}`: expected {expected}; got {fit_to_print(str(value), VALUE_LENGTH)}.")


def unmet(hint: Any, value: object) -> str:
    """What a type and its range ask of a value that is not so; "" where it is."""
    try:
        msgspec.convert(value, hint)
    except (msgspec.ValidationError, RecursionError):
        return told(hint) or getattr(hint, "__name__", str(hint))
    return ""


def told(hint: Any) -> str:
    """The range of a type in words; "" where it has none.

    >>> told(Annotated[int, msgspec.Meta(ge=1, le=1000)]), told(Annotated[float, msgspec.Meta(gt=0, lt=1)] | None)
    ('a whole number from 1 to 1,000', 'a number above 0, below 1')
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        own = [_range(meta, arguments[0]) for meta in arguments[1:] if isinstance(meta, msgspec.Meta)]
        return ", each ".join(filter(None, (*own, told(arguments[0]))))
    if origin in (Union, types.UnionType):
        return " or ".join(filter(None, map(told, arguments)))
    if origin is tuple and Ellipsis not in arguments:
        within = list(dict.fromkeys(map(told, arguments)))
        return f"{len(arguments)} values, each {within[0]}" if len(within) == 1 and within[0] else ""
    return next(filter(None, map(told, arguments)), "")


def _range(meta: msgspec.Meta, kind: Any) -> str:
    """A range in words."""
    if meta.max_length is not None:
        unit = "characters" if kind is str else "values"
        least = "" if meta.min_length == meta.max_length else f"{meta.min_length or 0:,} to "
        return f"{least}{meta.max_length:,} {unit}"
    if meta.le is None and meta.lt is None:
        return ""
    number = "a whole number" if kind is int else "a number"
    least = f"{number} from {_number(meta.ge)}" if meta.ge is not None else f"{number} above {_number(meta.gt)}"
    if meta.le is not None:
        return f"{least} to {_number(meta.le)}" if meta.ge is not None else f"{least}, up to {_number(meta.le)}"
    return f"{least}, below {_number(meta.lt)}"


def _number(value: float | None) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"


@functools.cache
def _fields_with_ranges(kind: type) -> list[tuple[str, Any]]:
    hints = get_type_hints(kind, include_extras=True)
    return [(name, hint) for name, hint in hints.items() if told(hint)]


def _sentence(message: str, values: Any) -> str:
    """What msgspec says of values, with the place first and the value last."""
    found = re.fullmatch(r"(.+) - at `(?:key` in `)?\$(.*)`", message, re.DOTALL)
    what, path = (found[1], found[2].lstrip(".")) if found else (message, "")
    what = f"{what[0].lower()}{what[1:]}".replace("`", "").replace(", got ", "; got ")
    if lacking := re.fullmatch(r"object missing required field (.+)", what):
        what = f"expected a field {lacking[1]}; got none"
    elif "; got " not in what and path and "[...]" not in path:
        what += f"; got {fit_to_print(repr(_at(values, path)), VALUE_LENGTH)}"
    return f"`{fit_to_print(path, VALUE_LENGTH)}`: {what}" if path else what


def _at(values: Any, path: str) -> Any:
    """The value at a place such as `preprocessing.input_size[1]`."""
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(values, Mapping):
            values = values.get(part)
        elif isinstance(values, Sequence) and part.isdecimal() and int(part) < len(values):
            values = values[int(part)]
    return values
