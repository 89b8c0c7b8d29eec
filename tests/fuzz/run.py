"""One case in processes of its own, with limits on time and memory, and an eye on the files that are opened."""

import importlib
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from tests.fuzz.mutate import spoil
from tests.fuzz.seeds import KINDS, Words

from striate.cli.app import main
from striate.files import MESSAGE_LENGTH

CPU_S = 5  # of all that a case may take: a good one takes half a second
WALL_S = 60
MAKE_S = 600  # for the files of a case, one of which is a run that is trained
MEMORY = 1 << 30  # bytes beside what a process has that has imported all
CODES = (0, 1, 2, 3)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
MADE = "made.txt"
LAZY = ("api", "explain", "inspect", "machine", "report", "transfer", "weights")  # what verbs import as they begin
for name in LAZY:  # once, here: it takes longer than a case
    importlib.import_module(f"striate.{name}")


@dataclass(frozen=True)
class Case:
    """What decides a case."""

    kind: str
    seed: int
    number: int


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    verdict: str
    """`code N` where it was contained, else what was not."""

    words: Words
    text: str
    """What it wrote."""

    @property
    def contained(self) -> bool:
        """Whether it was."""
        return self.verdict.startswith("code ")


def run_case(case: Case, folder: Path) -> Outcome:
    """Makes the files of a case in a folder, changes them and runs its command line."""
    random = Random(f"{case.kind} {case.seed} {case.number}")
    kind = KINDS[case.kind]
    place = folder / "case"
    place.mkdir(parents=True)
    (folder / "canary.png").write_bytes(b"what nobody asked for")
    os.environ["STRIATE_CACHE"] = str(place / "cache")
    state = random.getstate()
    if _wait(_fork(lambda: kind.make(place, random), place / MADE), MAKE_S)[0]:
        raise RuntimeError(f"{case}: cannot be made: {(place / MADE).read_text()}")
    random.setstate(state)
    words = kind.words(place, random)
    if not kind.changes:
        return _caches(place, words, random)
    _spoil_some(place / "in", random)
    return _judged(place, words)


def _spoil_some(root: Path, random: Random) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    for path in random.sample(files, min(len(files), random.choice((1, 1, 2, 4)))):
        spoil(path, random)


def _caches(place: Path, words: Words, random: Random) -> Outcome:
    """Runs twice, with the files of caches changed in between: both must say the same."""
    first = _judged(place, words)
    _spoil_some(place / "cache", random)
    second = _judged(place, words)
    same = first.text == second.text and first.verdict == second.verdict
    return second if same or not second.contained else Outcome("other answer", words, first.text + second.text)


def _judged(place: Path, words: Words) -> Outcome:
    """Runs a command line in a fork of this process, and judges how it ended."""
    output = place / "output.txt"
    output.unlink(missing_ok=True)
    status, hung = _wait(_fork(lambda: _command(place, words), output))
    text = output.read_text(errors="replace")
    verdict = "hung" if hung else _verdict(status, text)
    return Outcome(verdict, words, text.replace(str(place), "FOLDER"))


def _fork(work: Callable[[], object], output: Path) -> int:
    """Lets a fork of this process do something, and write to a file; its number."""
    process = os.fork()
    if process == 0:
        target = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(target, 1)
        os.dup2(target, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = 0
        try:
            work()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        except BaseException:
            traceback.print_exc()
            code = 99
        _leave(code)
    return process


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _wait(process: int, wall_s: float = WALL_S) -> tuple[int, bool]:
    """(status of a process that has ended, whether it had to be killed)."""
    deadline = time.monotonic() + wall_s
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return status, False
        if time.monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
            return os.waitpid(process, 0)[1], True
        time.sleep(0.005)


def _command(place: Path, words: Words) -> None:
    """What the process of a case does."""
    before = _peak()
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    sys.addaudithook(_watch(place))
    try:
        main(words)
    finally:
        if _peak() - before > MEMORY:
            print(f"MEMORY {_peak() - before:,}", file=sys.stderr)


def _peak() -> int:
    """The most bytes that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _verdict(status: int, text: str) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return "too long" if number == signal.SIGXCPU else f"killed by {signal.Signals(number).name}"
    code = os.waitstatus_to_exitcode(status)
    lines = [line for line in text.splitlines() if line.startswith("striate: ")]
    faults = {
        "traceback": "Traceback (most recent call last)" in text or code not in CODES,
        "outside": "OUTSIDE" in text,
        "too much memory": "MEMORY" in text or "out of memory" in text,
        "no sentence": bool(code) and not lines and code != 3,  # a check that found bad images has its table
        "long": len(lines) > 1 or any(len(line) > MESSAGE_LENGTH for line in lines),
        "escapes": any(not line.isprintable() for line in text.splitlines()),
    }
    return next((fault for fault, found in faults.items() if found), f"code {code}")


def _watch(place: Path) -> Callable[[str, tuple[Any, ...]], None]:
    """Notes files that are opened where nobody asked for it."""
    inside = (str(place), "/dev/null", "/proc/", "/sys/")
    forbidden = (str(place.parent / "canary.png"), "/etc/passwd")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str | bytes):
            return
        path = os.path.realpath(os.fsdecode(arguments[0]))
        writes = isinstance(arguments[2], int) and bool(arguments[2] & WRITES)
        if path in forbidden or (writes and not path.startswith(inside)):
            os.write(2, f"OUTSIDE {path!r}\n".encode("utf-8", "backslashreplace"))

    return hook
