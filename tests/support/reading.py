"""What the tests of readers share."""

from pathlib import Path
from typing import Any

import pytest

from striate.data import Index, read
from striate.errors import DataError


def column(index: Index, name: str) -> list[Any]:
    """A column's values."""
    values: list[Any] = index.table[name].to_pylist()
    return values


def refusal(path: Path) -> str:
    """The text of the error that reading `path` ends with."""
    with pytest.raises(DataError) as caught:
        read(path)
    return str(caught.value)
