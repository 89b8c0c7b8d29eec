"""Runs that are killed at a random moment and started again, and what they leave: kinds of run, on tiny images.

Each run is a fork of this process, so that its seconds are its own work and not imports. Call from a process of one
thread.
"""

import csv
import hashlib
import os
import random
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from striate.cli.app import main
from striate.data import Preprocessing
from striate.device import choose
from striate.model import Model
from striate.nets import create
from striate.tasks.classify import Classify
from striate.training import RunFolder, checkpoint
from striate.training.folder import TIMED

MISUSE = 2  # exit code of a resume where no whole run lies
COMMON = ("--epochs", "2", "-b", "6", "-j", "1", "--device", "cpu", "--runtime", "torch", "--seed", "3", "--no-report")
OFTEN = ("--checkpoint-every", "0.000001")
FROZEN = ("--weights", "WEIGHTS", "--views", "3", *COMMON, *OFTEN)
KINDS = {  # data, and flags
    "scratch": (
        "classes",
        *("--weights", "none", "-m", "resnet20_cifar", "--img-size", "16", "--opt", "muon", "--ema-decay", "0.9"),
        *("--pixel-cache", "on", *COMMON, *OFTEN),
    ),
    "all": ("classes", "--freeze", "all", *FROZEN),
    "stage": ("classes", "--freeze", "layer2", *FROZEN),
    "none": ("classes", "--freeze", "none", *FROZEN),
    "labels": ("several.csv", "--label-separator", ";", "--freeze", "layer1", *FROZEN),
    "boxes": ("boxes.csv", "--freeze", "layer2", *FROZEN),
    "masks": ("masks", "--freeze", "none", "--weights", "WEIGHTS", *COMMON, *OFTEN),
}  # fmt: skip


@dataclass
class Killing:
    """Kills runs of these kinds.

    Args:
        root: folder for all that is made.
        seed: of the moments.
    """

    root: Path
    seed: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._count = 0
        self._unbroken: dict[str, tuple[str, float]] = {}
        self._make_data()

    def unbroken(self, kind: str) -> tuple[str, float]:
        """What a run that nobody kills leaves, and its seconds."""
        if kind not in self._unbroken:
            output, cache = self._folders()
            started = time.monotonic()
            code = self._wait(self._start(self._train(kind, output), cache), None)
            if code != 0:
                raise RuntimeError(f"{kind}: expected the exit code 0; got {code}: {self._said()}")
            self._unbroken[kind] = left_by(RunFolder(output)), time.monotonic() - started
        return self._unbroken[kind]

    def killed(self, kind: str) -> tuple[str, float, bool]:
        """What a run leaves that was killed once and started again; after how many seconds; and whether it was whole.

        Where it was not, because its folder lacks what a run goes on by, it begins anew in another folder.
        """
        _, seconds = self.unbroken(kind)
        while True:
            output, cache = self._folders()
            moment = self._random.uniform(0, seconds)
            if self._wait(self._start(self._train(kind, output), cache), moment) == -signal.SIGKILL:
                break  # else it had ended before
        code = self._wait(self._start(["train", "--resume", str(output)], cache), None)
        whole = code == 0
        if code == MISUSE:
            output = output.with_name(f"{output.name}-again")
            code = self._wait(self._start(self._train(kind, output), cache), None)
        if code != 0:
            raise RuntimeError(f"{kind}, killed after {moment:.2f} s: expected the exit code 0; got {self._said()}")
        return left_by(RunFolder(output)), moment, whole

    def _train(self, kind: str, output: Path) -> list[str]:
        data, *flags = KINDS[kind]
        weights = str(self.root / "weights.safetensors")
        return ["train", str(self.root / data), *(weights if f == "WEIGHTS" else f for f in flags), "-o", str(output)]

    def _folders(self) -> tuple[Path, Path]:
        self._count += 1
        return self.root / f"run{self._count}", self.root / f"cache{self._count}"

    def _said(self) -> str:
        return (self.root / "said.txt").read_text()[-500:]

    def _start(self, words: list[str], cache: Path) -> int:
        child = os.fork()
        if child:
            return child
        os.environ["STRIATE_CACHE"] = str(cache)
        said = os.open(self.root / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        code: object = 1
        try:
            main(words)
            code = 0
        except SystemExit as left:
            code = left.code
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code if isinstance(code, int) else 0 if code is None else 1)

    def _wait(self, child: int, moment: float | None) -> int:
        """The exit code of a child, which is killed at a moment."""
        if moment is not None:
            time.sleep(moment)
            os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _make_data(self) -> None:
        """Three classes of small images, tables of two labels for some and of boxes, masks, and weights."""
        torch.set_num_threads(1)
        rng = np.random.default_rng(0)
        lines, boxes = ["path,label"], ["path,label,xmin,ymin,xmax,ymax"]
        for folder in ("images", "masks"):
            (self.root / "masks" / folder).mkdir(parents=True)
        for place, name in enumerate("abc"):
            (self.root / "classes" / name).mkdir(parents=True)
            for number in range(10):
                pixels = rng.normal(60 + 60 * place, 40, (16, 16, 3)).clip(0, 255).astype(np.uint8)
                path = Path("classes", name, f"{number}.png")
                Image.fromarray(pixels).save(self.root / path)
                lines.append(f"{path},{name}{';odd' if number % 2 else ''}")
                boxes.append(f"{path},{name},{number % 4},2,{8 + number % 5},13")
                Image.fromarray(pixels).save(self.root / "masks" / "images" / f"{name}{number}.png")
                mask = np.zeros((16, 16), np.uint8)
                mask[2:13, number % 4 : 8 + number % 5] = 1 + place
                Image.fromarray(mask).save(self.root / "masks" / "masks" / f"{name}{number}.png")
        for table, rows in (("several.csv", lines), ("boxes.csv", boxes)):
            (self.root / table).write_text("\n".join(rows) + "\n")
        arguments = {"num_classes": 5, "in_channels": 3}
        torch.manual_seed(0)
        net = create("resnet20_cifar", **arguments).eval()
        shown = Preprocessing((3, 16, 16), (0.5,) * 3, (0.5,) * 3, crop_pct=1.0)
        task = Classify(tuple("vwxyz"))
        model = Model(net, "resnet20_cifar", arguments, task, shown, machine=choose("cpu", "float32"))
        model.save(self.root / "weights.safetensors")


def left_by(folder: RunFolder) -> str:
    """The sha256 of what a finished run leaves: its model, its metrics but for the clock's, its last checkpoint."""
    digest = hashlib.sha256(checkpoint.digest(load_file(folder.model)).encode())
    with folder.metrics.open(newline="") as file:
        for row in csv.DictReader(file):
            digest.update(repr(sorted((k, v) for k, v in row.items() if k not in TIMED)).encode())
    for path in checkpoint.found(folder.checkpoint)[:1]:
        digest.update(checkpoint.digest(checkpoint.read(path).tensors).encode())
    return digest.hexdigest()
