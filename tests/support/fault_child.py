"""Runs `striate` command lines, each in a process of its own in which something goes wrong as asked for.

Reads a request a line, forks, and answers with the process's number and later with its exit code. What takes long, the
imports, is done once; nothing is computed before the fork, because threads do not survive it.
"""

import errno
import importlib
import itertools
import json
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch
import torch._dynamo  # which a network's trial without values needs, and half of a process's time is
from torch import Tensor, nn
from torch.nn.functional import dropout, relu

from striate.cli.app import main
from striate.data import Batch
from striate.nets import CATALOGUE
from striate.training import loop
from striate.training.accumulate import Step
from striate.training.inputs import Inputs
from striate.training.run import Run
from striate.training.saver import Saver
from striate.training.state import State

SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}


class Small(nn.Module):
    """A net that has all that is hard to resume: batch norm and dropout."""

    image_size = 32

    def __init__(self, *, num_classes: int = 2, in_channels: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 8, 5, stride=4)
        self.bn = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, C, H, W)."""
        x = relu(self.bn(self.conv(x))).mean(dim=(2, 3))
        logits: Tensor = self.fc(dropout(x, 0.25, self.training))
        return logits


def strike(act: str, room: Path) -> None:
    """Lets it go wrong, here and now."""
    if act in SIGNALS:
        os.kill(os.getpid(), SIGNALS[act])
    elif act == "crash":
        raise LookupError("nobody foresaw this")
    elif act == "fill":
        with (room / "filler").open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    return
    elif act == "drain":
        (room / "filler").unlink()
    else:
        number = getattr(errno, act)
        raise OSError(number, os.strerror(number))


def arm(spec: dict[str, Any], room: Path) -> None:
    """Replaces a function by one that goes wrong from its call number `at` on, `times` times."""
    module, _, path = spec["target"].partition(":")
    *parents, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for parent in parents:
        owner = getattr(owner, parent)
    original: Callable[..., Any] = getattr(owner, name)
    calls = itertools.count(1)

    def faulty(*arguments: Any, **named: Any) -> Any:
        counts = not spec["in_writer"] or threading.current_thread().name == "checkpoint"
        due = counts and spec["at"] <= next(calls) < spec["at"] + spec["times"]
        if due and not spec["after"]:
            strike(spec["act"], room)
        result = original(*arguments, **named)
        if due and spec["half"]:
            os.truncate(arguments[1], os.path.getsize(arguments[1]) // 2)  # noqa: PTH202 - Path's are what is replaced
        if due and spec["after"]:
            strike(spec["act"], room)
        return result

    setattr(owner, name, faulty)


def record(samples: Path) -> None:
    """Notes the rows of each step that is begun."""
    take_step = loop.take_step

    def noted(run: Run, inputs: Inputs, state: State, *others: Any) -> Step:
        batch: Batch = others[2]
        with samples.open("a") as file:
            file.write(f"{state.progress.step} {batch.rows.tolist()}\n")
        return take_step(run, inputs, state, *others)

    loop.take_step = noted  # type: ignore[assignment]


def wait_for_every_write() -> None:
    """Ends each step with its checkpoint written, so that the calls of a process can be counted."""
    after_step = Saver.after_step

    def patient(self: Saver, state: State) -> None:
        self._wait()
        after_step(self, state)
        self._wait()

    Saver.after_step = patient  # type: ignore[method-assign]


def live(request: dict[str, Any]) -> NoReturn:
    """One process, from its first word to its exit code."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if request["unread"]:  # its output is a pipe whose other end is closed
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # those before believe that they can seek
    if request["file_limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_limit"], request["file_limit"]))
    record(Path(request["samples"]))
    if request["patient"]:
        wait_for_every_write()
    for spec in request["strikes"]:
        arm(spec, Path(request["room"]))
    code = 1
    try:
        main(request["words"])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


def serve() -> None:
    """Answers requests until there are no more."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background jobs ignore it
    torch.set_num_threads(1)
    CATALOGUE["small"] = Small
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(json.loads(line))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
