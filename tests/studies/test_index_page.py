"""What a list has room for: how many parts hold, and the one that says most."""

import pytest

from striate.studies.index_page import shortened
from striate.studies.verdict import FAILS, HOLDS, UNTOLD, Kind, Verdict, all_of


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        ([HOLDS, HOLDS], "both hold, such as 1: +1 [0, 2]"),
        ([HOLDS, HOLDS, HOLDS], "all 3 hold, such as 1: +1 [0, 2]"),
        ([HOLDS, UNTOLD, HOLDS], "2 of 3 hold; 1: +1 [0, 2] (cannot be told)"),
        ([HOLDS, FAILS], "1 of 2 holds; 1: +1 [0, 2] (does not hold here)"),
        ([FAILS, UNTOLD], "none of 2 holds; 1: +1 [0, 2] (cannot be told)"),
    ],
)
def test_the_line_says_how_many_hold_and_shows_one_that_does_not(kinds: list[Kind], text: str) -> None:
    parts = {
        str(place): Verdict(kind, ("+1 [0, 2]" if place == 1 else "0, expected 0",)) for place, kind in enumerate(kinds)
    }
    assert shortened(all_of(parts)) == text


def test_one_part_stands_by_itself() -> None:
    assert shortened(Verdict(HOLDS, ("a less b: +1 [0, 2]",))) == "a less b: +1 [0, 2]"
