"""Faults, and whether a run that meets them ends as one that does not."""

import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
from PIL import Image
from safetensors.torch import load_file

from striate.training import RunFolder, checkpoint
from striate.training.folder import TIMED

Act = Literal["kill", "term", "int", "crash", "fill", "drain", "ENOSPC", "EDQUOT", "EIO"]
CODES = {"kill": -9, "term": 143, "int": 130, "crash": 1}  # of a process that meets it
ALWAYS = 1_000_000
SELDOM, OFTEN = 10.0, 1e-6  # minutes between checkpoints: at epochs alone, and whenever the last is written
EPOCHS, STEPS = 4, 20  # of a run, 5 steps an epoch
FILE_LIMIT = 9000  # bytes: more than all files of a run have but its checkpoints
REPLACED = "The one before it takes its place"
STEP = "striate.training.loop:take_step"
COMMON = ("--epochs", EPOCHS, "-b", 6, "-j", 1, "--device", "cpu", "--seed", 3)
CONFIGS: dict[str, tuple[object, ...]] = {
    "small": (
        *("-m", "small", "--opt", "adamw", "--lr", 0.01, "--ema-decay", 0.9, "--clip-grad", 1),
        *("--precision", "bfloat16", "--class-weights", "balanced", "--sampling", "balanced"),
        *("--augment", "medium", "--mixup", 0.2, "--noise", 0.02, "--erase", 0.3),
    ),
    "lenet5": (
        *("-m", "lenet5", "--model-args.activation", "relu", "--opt", "momentum", "--lr", 0.01),
        *("--precision", "float32", "--in-channels", 3, "--memory-format", "channels_last"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Strike:
    """Something that goes wrong in a process: at which call of which function, and what."""

    act: Act
    at: int
    target: str = STEP
    after: bool = False
    """Whether the function's own work is done before."""

    half: bool = False
    """Whether the file that the function wrote loses its second half."""

    in_writer: bool = False
    """Whether only calls of the thread that writes checkpoints count."""

    times: int = 1


@dataclass(frozen=True)
class Fault:
    """What goes wrong in a run: in its first process, in the one that resumes it, and so on."""

    name: str
    processes: tuple[tuple[Strike, ...], ...] = ()
    code: int | None = None
    """Of every process that meets it; as its strike has it unless given."""

    said: str = ""
    """What the run says of it."""

    config: str = "small"
    every: float = OFTEN
    """Minutes between checkpoints."""

    spoil: Callable[[RunFolder], None] | None = None
    """What happens to the folder between the first process and the next."""

    unread: bool = False
    """Whether nobody reads what the first process says."""

    file_limit: int = 0
    """Bytes that a file of the first process may have."""

    small_disk: bool = False
    """Whether the run lies on a file system of its own that is soon full."""

    patient: bool = False
    """Whether each step waits until its checkpoint is written, so that a strike can be counted on."""

    @property
    def lives(self) -> int:
        """How many processes the run takes."""
        return len(self.processes) + (self.code != 0)


@dataclass(frozen=True)
class Prints:
    """The sha256 of what a finished run leaves, and of what it saw."""

    weights: str
    """Of the best model."""

    state: str
    """Of net, average, optimiser and progress after the last step."""

    metrics: str
    """Of metrics.csv without the columns that the clock decides."""

    samples: str
    """Of the rows of each step."""

    @staticmethod
    def of(folder: RunFolder, samples: Mapping[int, str]) -> "Prints":
        """Those of a finished run.

        Args:
            folder: of the run.
            samples: rows by step.
        """
        last = checkpoint.read(checkpoint.found(folder.checkpoint)[0])
        progress = asdict(last.progress) | {"rows": [_exact(row) for row in last.progress.rows]}
        with folder.metrics.open(newline="") as file:
            rows = [_exact(row) for row in csv.DictReader(file)]
        return Prints(
            checkpoint.digest(load_file(folder.model)),
            _sha256([checkpoint.digest(last.tensors), progress]),
            _sha256(rows),
            _sha256(samples),
        )


def cut(folder: RunFolder) -> None:
    """Takes the last byte of the newest checkpoint."""
    path = checkpoint.found(folder.checkpoint)[0]
    os.truncate(path, path.stat().st_size - 1)


def flip(folder: RunFolder) -> None:
    """Changes one bit in the tensors of the newest checkpoint."""
    path = checkpoint.found(folder.checkpoint)[0]
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)


def kills(name: str, act: Act, *steps: int, config: str = "small", every: float = OFTEN, said: str = "") -> Fault:
    """A signal before each of these steps, counted anew in each process."""
    return Fault(name, tuple((Strike(act, at),) for at in steps), config=config, every=every, said=said)


def once(name: str, strike: Strike, every: float = OFTEN) -> Fault:
    """One strike in one process."""
    return Fault(name, ((strike,),), every=every, patient=every == OFTEN)


def refused(name: str, strike: Strike, code: int = 0) -> Fault:
    """A write that fails, and a run that goes on without it: with 0 as its code if it can be written in the end."""
    return Fault(name, ((strike,),), code, "cannot be written", patient=True)


DRAWN = sorted(np.random.default_rng(5).choice(range(2, STEPS), 5, replace=False).tolist())
FSYNC, RENAME = "os:fsync", "pathlib:Path.replace"
SAVE, MODEL, METRICS = (
    "striate.training.checkpoint:save_file",
    "striate.model:save_file",
    "striate.training.folder:RunFolder.write_metrics",
)
FAST = (
    kills("SIGKILL at a step, checkpoints within the epoch", "kill", 9),
    once("SIGKILL after the model is written, before its checkpoint is", Strike("kill", 1, METRICS, after=True)),
    kills("SIGTERM at a step", "term", 8, said="SIGTERM: saving after step 7"),
    refused("disk full (ENOSPC) for three checkpoints", Strike("ENOSPC", 8, SAVE, times=3)),
)
FAULTS = (
    *FAST,
    kills("SIGKILL before the first step", "kill", 1, every=SELDOM),
    kills("SIGKILL in the first epoch, before any checkpoint", "kill", 4, every=SELDOM),
    kills("SIGKILL at the first step of an epoch", "kill", 6, every=SELDOM),
    *(kills(f"SIGKILL at step {step}, drawn at random", "kill", step) for step in DRAWN),
    kills("SIGKILL at the last step", "kill", 20, every=SELDOM),
    kills("SIGKILL at a step, LeNet-5", "kill", 7, config="lenet5"),
    kills("SIGKILL at the last step of an epoch", "kill", 15),
    kills("SIGKILL five times", "kill", 4, 5, 3, 6, 2),
    kills("SIGKILL five times, LeNet-5", "kill", 5, 4, 6, 3, 2, config="lenet5"),
    once("SIGKILL between gradient and update", Strike("kill", 9, "striate.training.finite:FiniteNumbers.accept")),
    once("SIGKILL in the middle of scoring", Strike("kill", 2, "striate.tasks.classify:Classify.metrics")),
    Fault(
        "SIGKILL while a run is being resumed",
        ((Strike("kill", 8),), (Strike("kill", 1, "striate.training.checkpoint:restore", after=True),)),
    ),
    once("SIGKILL before the model is written", Strike("kill", 1, MODEL)),
    once("SIGKILL with half a model written", Strike("kill", 1, MODEL, after=True, half=True)),
    once("SIGKILL before metrics.csv is written", Strike("kill", 6, METRICS)),
    once("SIGKILL with half a checkpoint written", Strike("kill", 9, SAVE, after=True, half=True)),
    once("SIGKILL before an fsync", Strike("kill", 15, FSYNC, in_writer=True)),
    once("SIGKILL after an fsync", Strike("kill", 22, FSYNC, after=True, in_writer=True)),
    once("SIGKILL before a rename", Strike("kill", 8, RENAME, in_writer=True)),
    once("SIGKILL after a rename", Strike("kill", 13, RENAME, after=True, in_writer=True)),
    once("SIGKILL before old checkpoints are removed", Strike("kill", 5, "striate.training.checkpoint:found")),
    once("SIGKILL in the last save", Strike("kill", STEPS + EPOCHS, SAVE, after=True)),
    kills("SIGTERM at a step, LeNet-5", "term", 12, config="lenet5"),
    kills("SIGTERM three times", "term", 3, 7, 2),
    once("SIGTERM while a checkpoint is written", Strike("term", 2, SAVE)),
    once("SIGTERM in the middle of scoring", Strike("term", 2, "striate.training.loop:score")),
    kills("Ctrl-C (SIGINT) at a step", "int", 14, said="SIGINT: saving after step 13"),
    once("a worker's exception", Strike("crash", 90, "striate.data.images:IndexedImages.open")),
    refused("a failed fsync (EIO)", Strike("EIO", 9, FSYNC, in_writer=True)),
    refused("every fsync fails (EIO)", Strike("EIO", 1, FSYNC, in_writer=True, times=ALWAYS), 1),
    refused("disk full while the model is written", Strike("ENOSPC", 1, MODEL)),
    refused("quota exceeded (EDQUOT) to the end", Strike("EDQUOT", 3, SAVE, times=ALWAYS), 1),
    Fault("checkpoints larger than a file may be (EFBIG)", ((),), 1, "cannot be written", file_limit=FILE_LIMIT),
    Fault(
        "disk full for a while (tmpfs)",
        ((Strike("fill", 7), Strike("drain", 12)),),
        0,
        "cannot be written",
        small_disk=True,
        patient=True,
    ),
    Fault("disk full to the end (tmpfs)", ((Strike("fill", 7),),), 1, "cannot be written", small_disk=True),
    replace(kills("newest checkpoint cut short", "kill", 12, said=REPLACED), spoil=cut),
    replace(kills("newest checkpoint with a bit flipped", "kill", 12, said=REPLACED), spoil=flip),
    Fault("nobody reads what it says (EPIPE)", ((),), 0, unread=True),
)


class FaultError(Exception):
    """A process that met a fault did not do what it shall."""


class Harness:
    """Runs command lines in processes of their own, forked by one that has imported everything."""

    def __init__(self, folder: Path) -> None:
        """Args:
        folder: for everything.
        """
        self._folder = folder
        self.data = _write_pictures(folder / "data")
        self._unbroken: dict[str, Prints] = {}
        self._count = 0
        environment = os.environ | {"OMP_NUM_THREADS": "1", "STRIATE_CACHE": str(folder / "cache")}
        words = [sys.executable, str(Path(__file__).with_name("fault_child.py"))]
        self._server = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.communicate()

    def unbroken(self, config: str) -> Prints:
        """What a run leaves in which nothing goes wrong."""
        if config not in self._unbroken:
            self._unbroken[config] = self.meet(Fault("none", config=config, every=SELDOM))
        return self._unbroken[config]

    def meet(self, fault: Fault) -> Prints:
        """What a run leaves that meets `fault` and is resumed until it is finished.

        Raises:
            FaultError: if the fault is not met, or a process does not end or speak as it shall.
        """
        self._count += 1
        room = self._folder / f"{self._count:02d}"
        room.mkdir()
        with _small_disk(room) if fault.small_disk else nullcontext():
            folder = RunFolder(room / "run")
            words = ["train", self.data, *COMMON, *CONFIGS[fault.config], "--checkpoint-every", fault.every]
            words += ["-o", folder.path]
            code = 0
            for number, strikes in enumerate(fault.processes):
                expected = CODES[strikes[-1].act] if fault.code is None else fault.code
                code = self._process(words, room, fault, strikes, first=number == 0)
                if code != expected:
                    raise FaultError(f"{fault.name}: expected the exit code {expected}; got {code}\n{_log(room)}")
                words = ["train", "--resume", folder.path]
                if fault.spoil is not None:
                    fault.spoil(folder)
            (room / "filler").unlink(missing_ok=True)
            if code or not fault.processes:
                code = self._process(words, room, replace(fault, patient=False), ())
            if code or fault.said not in _log(room):
                raise FaultError(f"{fault.name}: expected 0 and {fault.said!r}; got {code}\n{_log(room)}")
            return Prints.of(folder, _samples(room))

    def _process(
        self, words: list[object], room: Path, fault: Fault, strikes: tuple[Strike, ...], *, first: bool = False
    ) -> int:
        """The exit code of one process; minus the number of the signal that ended it."""
        request = {
            "words": [str(word) for word in words],
            "strikes": [asdict(strike) for strike in strikes],
            "room": str(room),
            "samples": str(room.with_suffix(".samples")),
            "log": str(room.with_suffix(".log")),
            "unread": fault.unread and first,
            "file_limit": fault.file_limit if first else 0,
            "patient": fault.patient,
        }
        asked, answered = self._server.stdin, self._server.stdout
        if asked is None or answered is None:
            raise FaultError("expected pipes to the process that forks")
        print(json.dumps(request), file=asked, flush=True)
        answered.readline()  # the number of the process
        return int(answered.readline())


def can_mount() -> bool:
    """Whether this process may mount a file system of its own."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with _small_disk(Path(folder)):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    """A file system of 512 kB at `folder`."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True, capture_output=True)


def _write_pictures(folder: Path) -> Path:
    """Two classes of 20 noisy pictures each, of which 28 are for training: 5 steps of at most 6."""
    rng = np.random.default_rng(0)
    for place, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.normal(110 + 15 * place, 60, (32, 32, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02d}.png")
    return folder


def _log(room: Path) -> str:
    path = room.with_suffix(".log")
    return path.read_text() if path.exists() else ""


def _samples(room: Path) -> dict[int, str]:
    """The rows of each step, by its number.

    Raises:
        FaultError: if a step that was taken twice saw other rows.
    """
    seen: dict[int, str] = {}
    for line in room.with_suffix(".samples").read_text().splitlines():
        number, rows = line.split(" ", 1)
        if seen.setdefault(int(number), rows) != rows:
            raise FaultError(f"step {number}: expected the rows {seen[int(number)]} again; got {rows}")
    return seen


def _sha256(thing: object) -> str:
    return hashlib.sha256(json.dumps(thing, sort_keys=True).encode()).hexdigest()


def _exact(row: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in TIMED}
