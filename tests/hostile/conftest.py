"""Runs a command line on hostile input, and holds what comes of it to what every refusal promises."""

import re
from collections.abc import Callable

import pytest

from striate.cli.app import main
from striate.files import MESSAGE_LENGTH

Refusal = Callable[..., str]


@pytest.fixture
def refusal(capfd: pytest.CaptureFixture[str]) -> Refusal:
    """Called with the words of a command line, and the exit code if one is expected; returns its one sentence.

    It ends with an exit code that is documented, writes one line of at most 500 characters that a terminal cannot
    obey, and no traceback.
    """

    def call(*words: object, code: int | None = None) -> str:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        sentence = capfd.readouterr().err.rstrip("\n")
        assert left.value.code in ((1, 2, 3) if code is None else (code,)), sentence
        lines = [line for line in sentence.splitlines() if line.startswith("striate: ")]
        assert len(lines) == 1, sentence
        assert len(lines[0]) <= MESSAGE_LENGTH
        assert lines[0].isprintable()
        assert not re.search(r"Traceback|Error\(", sentence)
        return lines[0].removeprefix("striate: ")

    return call
