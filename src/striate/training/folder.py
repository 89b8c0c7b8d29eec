"""The run folder: everything that a run leaves behind."""

import csv
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from striate.data import Index
from striate.data.index_file import save_index
from striate.errors import UsageError
from striate.evaluation.answered import Answered
from striate.files import write_whole
from striate.recipe import Recipe, dumps, load

TIMED = frozenset({"images_per_s", "wait_share", "train_s"})  # columns of metrics.csv that the clock decides


class RunFolder:
    """The files of one run, by name.

    recipe.toml        the recipe, fully resolved
    index.parquet      the images with their labels and splits, as they were checked
    check.csv          files that are left out or odd, with the reason
    metrics.csv        a row an epoch; all but the columns `TIMED` are the same to the bit in every such run
    model.safetensors  the best so far, for use
    snapshots/         the model at the end of each fall of the learning rate, where it falls several times
    members/           a run folder each, where several models are trained to answer together
    checkpoint/        the last two, named by their step, for --resume
    report.html        how good the model is, where it fails and what would help
    README.md          the same as a model card
    log.txt            what was printed
    tensorboard/       events, where asked for
    .lock              held by the process that trains
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.toml"
        self.index = path / "index.parquet"
        self.check = path / "check.csv"
        self.metrics = path / "metrics.csv"
        self.model = path / "model.safetensors"
        self.snapshots = path / "snapshots"
        self.members = path / "members"
        self.checkpoint = path / "checkpoint"
        self.report = path / "report.html"
        self.card = path / "README.md"
        self.log = path / "log.txt"
        self.tensorboard = path / "tensorboard"
        self.lock = path / ".lock"
        self.answered: Answered | None = None  # what the model file answered at the end of the run, in this process

    @property
    def resumed_by(self) -> str:
        """The command with which the run goes on."""
        return f"striate train --resume {shlex.quote(str(self.path))}"

    @staticmethod
    def create(wanted: Path) -> "RunFolder":
        """A new folder at `wanted`, or where that exists at `wanted`-2, `wanted`-3 and so on; never an old one.

        Raises:
            UsageError: if it cannot be made.
        """
        wanted = wanted.resolve() if wanted.name in ("", "..") else wanted  # `.` has a name in its parent
        number = 1
        while True:
            path = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
            try:
                path.mkdir(parents=True)
            except FileExistsError as error:
                if not wanted.name:  # `/`
                    raise UsageError(f"output {path}: expected the name of a folder. Try another --output.") from error
                if path.is_dir() and number == 1 and not any(path.iterdir()):
                    return RunFolder(path)
                number += 1
            except OSError as error:
                raise UsageError(f"output {path}: cannot be made: {error.strerror}. Try another --output.") from error
            else:
                return RunFolder(path)

    @staticmethod
    def find(path: Path) -> "RunFolder":
        """The folder of an earlier run.

        Raises:
            UsageError: if `path` is not one.
        """
        folder = RunFolder(path)
        if folder.recipe.exists() and not folder.index.exists():
            raise UsageError(
                f"resume: expected a run that had checked its images; got {path}, which stopped before. "
                "Train on the data again."
            )
        if not folder.recipe.exists():
            raise UsageError(f"resume: expected the folder of a run, with recipe.toml and index.parquet; got {path}.")
        return folder

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes from going on with this run; the lock of one that dies goes with it.

        Raises:
            UsageError: another process has it.
        """
        lock = FileLock(self.lock, blocking=False)
        try:
            with suppress(NotImplementedError):  # a file system without locks
                lock.acquire()
        except Timeout as error:
            raise UsageError(
                f"{self.path}: expected a run that no other process trains; got one that a process is at. "
                "Try again when that has ended, or another --output."
            ) from error
        try:
            yield
        finally:
            lock.release()

    def tidy(self) -> None:
        """Removes what a process that was killed left half written."""
        for path in (
            self.recipe,
            self.index,
            self.metrics,
            self.model,
            self.report,
            self.card,
            self.checkpoint / "step-*",
        ):
            for aside in path.parent.glob(f".{path.name}.*"):
                aside.unlink(missing_ok=True)

    def write_recipe(self, recipe: Recipe) -> None:
        """Keeps the resolved recipe."""
        write_whole(self.recipe, lambda aside: aside.write_text(dumps(recipe), encoding="utf-8"))

    def read_recipe(self) -> Recipe:
        """The recipe of the run."""
        return load(self.recipe)

    def write_index(self, index: Index) -> None:
        """Keeps the checked and split index."""
        write_whole(self.index, partial(save_index, index))

    def write_metrics(self, rows: Sequence[dict[str, Any]]) -> None:
        """Writes the metrics of all finished epochs."""

        def write(aside: Path) -> None:
            with aside.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, rows[0].keys())
                writer.writeheader()
                writer.writerows(rows)

        write_whole(self.metrics, write)

    def write_events(self, row: dict[str, Any]) -> None:
        """Adds the metrics of an epoch to the TensorBoard events."""
        from torch.utils.tensorboard import SummaryWriter  # the extra `striate[log]`, checked before the run began

        with SummaryWriter(str(self.tensorboard)) as writer:
            for name, value in row.items():
                writer.add_scalar(name, value, row["step"])
