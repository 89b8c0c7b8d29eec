"""Runs a command line in this process."""

from collections.abc import Callable

import pytest

from striate.cli.app import main


@pytest.fixture
def striate(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Called with the words of a command line; returns exit code, standard output and standard error."""

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        code = left.value.code
        if not isinstance(code, int):
            raise TypeError(f"expected an exit code; got {code!r}")
        return code, *capsys.readouterr()

    return call
