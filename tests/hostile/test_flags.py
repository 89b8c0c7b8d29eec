"""Flags whose values no type refuses and nothing can do."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from kin.make import image

from striate.data.layouts.columns import splits_of_values
from striate.data.layouts.file_names import compiled
from striate.data.paths import file_and_number
from striate.data.readers.mask_names import _colour
from striate.errors import UsageError

Refusal = Callable[..., str]
DIGITS = "9" * 5000  # which Python does not make a number of

FLAGS = {
    "a padding of 5,000 digits": (["--padding", DIGITS], "`--padding`: expected 0 to 10000 pixels"),
    "a padding of gigabytes": (["--padding", "9000"], "expected at most 16,777,216 pixels around an image"),
    "a place of 5,000 digits": (["--steps", f"{DIGITS},0"], "`--steps`: expected ROW,COLUMN"),
}


@pytest.mark.parametrize(("words", "sentence"), FLAGS.values(), ids=FLAGS)
def test_filter(tmp_path: Path, refusal: Refusal, words: list[str], sentence: str) -> None:
    (tmp_path / "a.jpg").write_bytes(image("JPEG", 0))
    assert sentence in refusal("filter", tmp_path / "a.jpg", "--output", tmp_path / "f.png", *words)


def test_a_pattern_too_deep_for_the_parser() -> None:
    with pytest.raises(UsageError, match=re.escape("`--label-pattern`: expected a regular expression; got '(((")):
        compiled("(" * 5000)


def test_a_link_to_itself_is_a_sentence(tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"")
    (tmp_path / "loop.safetensors").symlink_to("loop.safetensors")
    sentence = refusal("weights", "convert", tmp_path / "a.safetensors", tmp_path / "loop.safetensors", code=1)
    assert "Symlink loop from" in sentence


def test_numbers_of_tables_that_are_none() -> None:
    assert file_and_number(f"a.parquet#{DIGITS}") == (f"a.parquet#{DIGITS}", None)
    assert splits_of_values([DIGITS], "fold") == {DIGITS: None}
    assert _colour([DIGITS, "0", "1"]) == 0xFF0001
