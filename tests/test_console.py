import io
import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from striate.console import LINE_EVERY_S, Page, Reporter, clock


@pytest.fixture
def plain() -> Reporter:
    """Writes where there is no terminal."""
    return Reporter(Console(file=io.StringIO(), width=20))


def written(reporter: Reporter) -> str:
    file = reporter.console.file
    if not isinstance(file, io.StringIO):
        raise TypeError(f"expected a StringIO; got {file!r}")
    return file.getvalue()


class Clock:
    """A time that passes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("striate.console.time.monotonic", lambda: self.now)


def test_a_line_is_printed_whole_and_as_it_is(plain: Reporter) -> None:
    text = "[bold]no markup[/bold] :smile: /a/very/long/path/that/is/wider/than/the/terminal.png"
    plain.info(text)
    assert written(plain) == f"{text}\n"


def test_the_log_has_every_line_with_the_time_of_day(tmp_path: Path) -> None:
    reporter = Reporter(Console(file=io.StringIO()), tmp_path / "log.txt")
    reporter.info("first")
    reporter.info("épreuve")
    lines = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", "", line) for line in lines] == ["first", "épreuve"]
    assert lines[0] != "first"


def test_without_a_terminal_there_is_a_line_at_intervals(plain: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    time = Clock(monkeypatch)
    with plain.progress("epoch 1/3", total=100, unit="images") as advance:
        time.now += LINE_EVERY_S - 1
        advance(10, "loss 3.0")
        assert written(plain) == ""
        time.now += 1
        advance(10, "loss 2.0")
        line = "epoch 1/3: 20/100 images, loss 2.0, 2:00 left\n"  # 20 took 30 s, so 80 take 120 s
        assert written(plain) == line
        time.now += LINE_EVERY_S / 2
        advance(10, "loss 1.9")
        assert written(plain) == line
        time.now += LINE_EVERY_S / 2
        advance(10, "loss 1.8")
        assert written(plain) == f"{line}epoch 1/3: 40/100 images, loss 1.8, 1:30 left\n"


def test_a_line_without_a_note(plain: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    time = Clock(monkeypatch)
    with plain.progress("checking", total=128, unit="images") as advance:
        time.now += LINE_EVERY_S
        advance(64, "")
    assert written(plain) == "checking: 64/128 images, 0:30 left\n"


def test_what_is_said_at_intervals_is_logged_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    time = Clock(monkeypatch)
    reporter = Reporter(Console(file=io.StringIO()), tmp_path / "log.txt")
    with reporter.progress("checking", total=2, unit="images") as advance:
        time.now += LINE_EVERY_S
        advance(1, "")
    assert (tmp_path / "log.txt").read_text().endswith(" checking: 1/2 images, 0:30 left\n")


def test_on_a_terminal_there_is_a_bar_that_goes_away() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120, _environ={"TERM": "xterm"})
    reporter = Reporter(terminal)
    with reporter.progress("epoch [1/3]", total=40, unit="images") as advance:
        advance(10, "loss [3.0]")
        advance(20, "loss [2.0]")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written(reporter))
    assert "epoch [1/3]" in shown
    assert "30/40 images loss [2.0]" in shown
    assert "left" in shown
    assert written(reporter).endswith("\x1b[1A\x1b[2K")  # the line is wiped


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (75.2, "1:15"), (3599, "59:59"), (3675, "1:01:15")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_a_reader_that_goes_away_does_not_end_the_run(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    kept = os.dup(2)
    os.dup2(writer, 2)
    try:
        with os.fdopen(os.dup(2), "w") as stderr, pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stderr", stderr)
            reporter = Reporter(log=tmp_path / "log.txt")
            reporter.info("first")
            reporter.info("second")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(writer)
    assert (tmp_path / "log.txt").read_text().count("\n") == 2


def test_a_log_that_cannot_be_written_does_not_end_the_run(plain: Reporter) -> None:
    reporter = Reporter(plain.console, Path("/dev/full"))
    reporter.info("said")
    assert written(plain) == "said\n"


@pytest.mark.parametrize(("terminal", "width"), [(False, 120), (True, 40)])
def test_tables_are_cut_to_a_terminal_alone(monkeypatch: pytest.MonkeyPatch, terminal: bool, width: int) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert Page(file=io.StringIO(), force_terminal=terminal).width == width
    assert Page(file=io.StringIO(), force_terminal=terminal, width=30).width == 30
