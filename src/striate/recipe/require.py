"""Checks of a recipe's values."""

from striate.errors import UsageError
from striate.files import fit_to_print
from striate.records import VALUE_LENGTH


def require(condition: bool, name: str, expected: str, got: object) -> None:
    """Raises a `UsageError` that says what was expected of a key and what was found, unless the condition holds."""
    if not condition:
        raise UsageError(f"`{name}`: expected {expected}; got {fit_to_print(str(got), VALUE_LENGTH)}.")


def require_in_order(pair: tuple[float, float] | None, name: str) -> None:
    """Requires the first of two values, where they are given, to be below the second."""
    require(pair is None or pair[0] < pair[1], name, "two numbers, the lower one first", pair)
