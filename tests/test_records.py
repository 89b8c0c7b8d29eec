from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from striate.errors import UsageError
from striate.records import convert, parse_json, parse_toml, require_in_range, require_ranges, told

Count = Annotated[int, Meta(ge=1, le=1000)]


class Inner(msgspec.Struct):
    sizes: tuple[Count, ...]
    name: Annotated[str, Meta(max_length=5)] = ""
    mode: Literal["a", "b"] = "a"


class Outer(msgspec.Struct):
    inner: Inner


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"inner": {"sizes": [1, 0]}}, "`inner.sizes[1]`: expected int >= 1; got 0"),
        ({"inner": {"sizes": [10**30]}}, "`inner.sizes[0]`: expected int <= 1000; got 1000000000000000000000000000000"),
        ({"inner": {"sizes": "abc"}}, "`inner.sizes`: expected array; got str"),
        ({"inner": {"sizes": [], "name": "a" * 9}}, "`inner.name`: expected str of length <= 5; got 'aaaaaaaaa'"),
        ({"inner": {"sizes": [], "mode": "c"}}, "`inner.mode`: invalid enum value 'c'; got 'c'"),
        ({"inner": {}}, "`inner`: expected a field sizes; got none"),
        ({}, "expected a field inner; got none"),
        ([], "expected object; got array"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(values: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        convert(values, Outer)
    assert str(caught.value) == sentence


def test_a_sentence_is_short_whatever_it_is_about() -> None:
    with pytest.raises(ValueError, match=r"`inner\.name`") as caught:
        convert({"inner": {"sizes": [], "name": "a" * 10**6}}, Outer)
    assert len(str(caught.value)) < 300


def test_depth_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^expected JSON a few levels deep; got far more$"):
        parse_json("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ValueError, match=r"^expected tables and arrays a few levels deep; got far more$"):
        parse_toml("a = " + "[" * 100_000)
    with pytest.raises(ValueError, match=r"^expected keys and lines of a few parts; got 50,000 dots in a line$"):
        parse_toml("a" + ".a" * 50_000 + " = 1")
    assert parse_toml("a.b.c = [0.5, 0.25]") == {"a": {"b": {"c": [0.5, 0.25]}}}


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (Count, "a whole number from 1 to 1,000"),
        (Annotated[float, Meta(gt=0, le=1)] | None, "a number above 0, up to 1"),
        (Annotated[float, Meta(gt=0, lt=1)], "a number above 0, below 1"),
        (tuple[Count, Count], "2 values, each a whole number from 1 to 1,000"),
        (
            Annotated[tuple[Count, ...], Meta(min_length=1, max_length=3)],
            "1 to 3 values, each a whole number from 1 to ",
        ),
        (Annotated[str, Meta(max_length=9)], "0 to 9 characters"),
        (Literal["a", "b"], ""),
        (int, ""),
    ],
)
def test_ranges_in_words(hint: Any, text: str) -> None:
    assert told(hint).startswith(text)
    assert bool(told(hint)) == bool(text)


def test_the_fields_of_a_dataclass() -> None:
    @dataclass
    class Settings:
        count: Count = 1
        free: int = 0

        def __post_init__(self) -> None:
            require_ranges(self)

    assert Settings(1000, -5).free == -5
    with pytest.raises(UsageError, match=r"^`count`: expected a whole number from 1 to 1,000; got 1001\.$"):
        Settings(1001)
    with pytest.raises(UsageError, match=r"^`x`: expected int; got a\.$"):
        require_in_range("x", int, "a")
