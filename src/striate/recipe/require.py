"""Checks of a recipe's values."""

import sys

from striate.errors import UsageError


def require(condition: bool, name: str, expected: str, got: object) -> None:
    """Raises a `UsageError` that says what was expected of a key and what was found, unless the condition holds."""
    if not condition:
        raise UsageError(f"`{name}`: expected {expected}; got {got}.")


def require_pair(pair: tuple[float, float] | None, name: str, limit: float = sys.float_info.max) -> None:
    """Requires a least and a largest value, where they are given, to be above 0 and in order."""
    expected = "0 < least <= largest" + (f" <= {limit}" if limit < sys.float_info.max else "")
    require(pair is None or 0 < pair[0] <= pair[1] <= limit, name, expected, pair)
