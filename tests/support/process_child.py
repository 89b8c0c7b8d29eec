"""One of several processes that torchrun started: runs `striate` command lines, in which something may go wrong.

A file of JSON holds the command lines, and for each rank what goes wrong, as `fault_child.arm` takes it.
"""

import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import torch
from fault_child import Small, arm
from torch import Tensor
from torch.nn.functional import relu

from striate.cli.app import main
from striate.data import Batch
from striate.nets import CATALOGUE
from striate.tasks import Targets
from striate.tasks.classify import CrossEntropy
from striate.training import loop, process_group
from striate.training.accumulate import Step
from striate.training.inputs import Inputs
from striate.training.run import Run
from striate.training.state import State


@dataclass(frozen=True)
class Job:
    """What the processes of one launch do."""

    runs: list[list[str]]
    """Command lines, one after the other, until one fails."""

    strikes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By rank."""

    memory: dict[str, int] = field(default_factory=dict)
    """Most pictures that can learn at a time, by rank."""

    poison: dict[str, int] = field(default_factory=dict)
    """Which pass through the objective has a loss that is no number, by rank."""

    stuck: dict[str, int] = field(default_factory=dict)
    """Which pass through the objective does not end, by rank; the others wait two seconds."""


class Normed(Small):
    """Batch norm without dropout, whose masks are drawn anew in each process."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, C, H, W)."""
        logits: Tensor = self.fc(relu(self.bn(self.conv(x))).mean(dim=(2, 3)))
        return logits


def record() -> None:
    """Notes the rows of each step that is begun, in the run's folder, a file a rank."""
    take_step = loop.take_step

    def noted(run: Run, inputs: Inputs, state: State, *others: Any) -> Step:
        batch: Batch = others[2]
        with (run.folder.path / f"samples.{run.processes.rank}").open("a") as file:
            file.write(f"{json.dumps([state.progress.step, batch.rows.tolist()])}\n")
        return take_step(run, inputs, state, *others)

    loop.take_step = noted  # type: ignore[assignment]


def spoil(memory: int | None, poison: int | None, stuck: int | None) -> None:
    """Lets memory run out, makes one loss a NaN, and lets one pass take for ever."""
    forward, passes = CrossEntropy.forward, []

    def spoiled(self: CrossEntropy, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        loss, logits = forward(self, images, targets)
        if self.training and not images.is_meta:
            if memory and len(images) > memory:
                raise RuntimeError("can't allocate memory")
            passes.append(len(images))
            if poison == len(passes) - 1:
                loss = loss * torch.nan
            if stuck == len(passes) - 1:
                time.sleep(3600)
        return loss, logits

    CrossEntropy.forward = spoiled  # type: ignore[method-assign]


def launch(job: Job, folder: Path, processes: int = 2) -> tuple[int, str]:
    """Exit code and standard error of a launch that does `job`."""
    request = folder / "job.json"
    request.write_text(json.dumps(asdict(job)))
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with Popen([*command, __file__, str(request)], stderr=PIPE, text=True, cwd=folder, env=environment) as process:
        _, said = process.communicate()
    return process.returncode, said


def serve(path: Path, rank: str) -> int:
    """Runs what the file asks for, and returns the exit code of the last command line."""
    job = Job(**json.loads(path.read_text()))
    CATALOGUE["small"], CATALOGUE["normed"] = Small, Normed
    torch.set_num_threads(1)
    record()
    spoil(job.memory.get(rank), job.poison.get(rank), job.stuck.get(rank))
    if job.stuck:
        process_group.FOR_A_STEP = timedelta(seconds=2)
    for spec in job.strikes.get(rank, []):
        arm(spec, path.parent)
    for words in job.runs:
        try:
            main(words)
        except SystemExit as left:
            if left.code:
                return int(left.code)
    return 0


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), os.environ["RANK"]))
