"""A task that lives in this file alone: a new task needs no other file of the program.

It asks how bright the left and the right half of an image are, and learns from what the image's mask says: numbers, not
classes, with targets that turn with the image.
"""

import csv
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from striate.augment import Size
from striate.augment.mix import Mix
from striate.cli.app import main
from striate.console import Reporter
from striate.data import Annotations, Batch, Index, Preprocessing, Rows, build
from striate.data.index_file import load_index, save_index
from striate.errors import DataError, ModelFileError, UsageError
from striate.evaluation import evaluate
from striate.model import load
from striate.recipe import Recipe
from striate.tasks import TASKS, HeadProblem, Objective, Prediction, Targets, ValueProblem
from striate.tasks.bootstrap import Groups
from striate.training import RunFolder, resume, train
from striate.training.signals import Interrupted

MakeRecipe = Callable[..., Recipe]


@dataclass(frozen=True)
class Halves(Prediction):
    """How bright the halves are, in the original's own left and right."""

    left: float = float("nan")
    right: float = float("nan")
    width: int = 0

    def row(self, top_k: int) -> dict[str, Any]:
        """The path, both numbers, and the error."""
        return {"path": self.path, "left": self.left, "right": self.right, "error": self.error}


class SquaredError(Objective):
    """The mean squared error of both numbers."""

    def forward(self, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        """Loss () and outputs (N, 2)."""
        outputs: Tensor = self.net(images).float()
        return mse_loss(outputs, targets["halves"]), outputs

    def mass(self, targets: Targets) -> float:
        """Each image counts alike."""
        return len(targets["halves"])


@dataclass(frozen=True)
class Brightness:
    """How bright each half of an image is, from 0 to 1."""

    classes: tuple[str, ...] = ("left", "right")
    name = "brightness"
    outputs = 2
    score = "closeness"
    image_score = "closeness"
    pipeline_tag = "image-to-image"
    shares = ()
    has_temperature = False
    temperature = 1.0
    record_width = 4

    @classmethod
    def suits(cls, index: Index, recipe: Recipe) -> bool:
        """It is asked for by its name alone."""
        return False

    @classmethod
    def resolve(cls, recipe: Recipe) -> Recipe:
        """As it is."""
        return recipe

    @classmethod
    def resolve_transfer(cls, recipe: Recipe) -> Recipe:
        """As it is."""
        return recipe

    def require_trainable(self, index: Index) -> None:
        """Nothing more."""

    @classmethod
    def of(cls, index: Index, recipe: Recipe) -> Self:
        """The same question for all data with masks."""
        if recipe.augment.mixup:
            raise UsageError("`mixup`: expected 0 with the task brightness; got more.")
        if index.table["mask"].null_count == len(index):
            raise DataError("mask: expected images with masks; got none.")
        return cls()

    @classmethod
    def from_dict(cls, classes: tuple[str, ...], values: Mapping[str, Any]) -> Self:
        """The task of a model file."""
        return cls(classes)

    def to_dict(self) -> dict[str, Any]:
        """What a model file keeps."""
        return {"name": self.name}

    @classmethod
    def require_outputs(cls, network: str, outputs: Tensor) -> None:
        """Any network that gives a vector will do."""
        if outputs.ndim != 2:
            raise UsageError(f"`model`: expected one that gives a vector; got {network}.")

    @classmethod
    def over(cls, name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The same network."""
        return name, dict(arguments)

    def net(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Two outputs."""
        return name, {**arguments, "num_classes": 2}

    def match(self, index: Index) -> Index:
        """As it is."""
        return index

    def annotations(self, index: Index) -> Annotations:
        """The masks."""
        paths = index.table["mask"].to_pylist()
        return {"masks": lambda row: np.asarray(Image.open(index.root / paths[row]))}

    def targets(self, index: Index, batch: Batch, preprocessing: Preprocessing) -> Targets:
        """The share of each half that the mask, as it was transformed, covers."""
        assert batch.masks is not None
        covered = (batch.masks == 1).float()
        left, right = covered.tensor_split(2, dim=2)
        return {"halves": torch.stack([left.mean(dim=(1, 2)), right.mean(dim=(1, 2))], dim=1)}

    def blank_targets(self, count: int, input_size: tuple[int, int, int]) -> Targets:
        """Zeros."""
        return {"halves": torch.zeros(count, 2)}

    def mix(self, targets: Targets, mix: Mix) -> Targets:
        """Not mixed: `of` refuses it."""
        raise NotImplementedError

    def objective(self, net: nn.Module, recipe: Recipe | None = None, index: Index | None = None) -> SquaredError:
        """The squared error."""
        return SquaredError(net)

    def as_targets(self, outputs: Tensor) -> Targets:
        """Both numbers."""
        return {"halves": outputs}

    def unmirror(self, outputs: Tensor) -> Tensor:
        """Each number is that of the other half."""
        return outputs.flip(1)

    def average(self, outputs: Sequence[Tensor]) -> Tensor:
        """The means."""
        return torch.stack(list(outputs)).mean(dim=0)

    def image_scores(self, outputs: Tensor, targets: Targets) -> Tensor:
        """One less the mean distance."""
        return 1 - (outputs - targets["halves"]).abs().mean(dim=1).clamp(max=1)

    def observe(self, outputs: Tensor, index: Index, batch: Batch, preprocessing: Preprocessing) -> Tensor:
        """Both numbers, answered and true."""
        return torch.cat([outputs, self.targets(index, batch, preprocessing)["halves"]], dim=1)

    def metrics(self, records: Tensor, groups: Groups | None = None) -> dict[str, float]:
        """The mean closeness, with made-up bounds."""
        value = float(self.image_scores(records[:, :2], {"halves": records[:, 2:]}).mean())
        return {"count": len(records), "closeness": value, "closeness_low": value - 0.1, "closeness_high": value + 0.1}

    def record_scores(self, records: Tensor) -> NDArray[np.float64]:
        """The closeness of each."""
        return self.image_scores(records[:, :2], {"halves": records[:, 2:]}).double().numpy()

    def line(self, metrics: Mapping[str, float]) -> str:
        """The closeness."""
        return f"closeness {metrics['closeness']:.4f}"

    def confusion(self, records: Tensor) -> None:
        """There are no classes to confuse."""

    def graded(self, records: Tensor) -> None:
        """An answer is no class."""

    def probabilities(self, outputs: Tensor) -> None:
        """Nor has it a probability."""

    def calibrated(self, outputs: Tensor, targets: Targets) -> Self:
        """As it is."""
        return self

    def answers(self, records: Tensor) -> NDArray[np.int64]:
        """Which half is brighter."""
        return records[:, :2].argmax(dim=1).numpy()

    def head_problem(self, index: Index, rows: Rows, recipe: Recipe) -> HeadProblem | None:
        """Not fitted."""
        return None

    def head_parts(
        self, index: Index, rows: Rows, recipe: Recipe, views: Sequence[Targets]
    ) -> dict[str, HeadProblem | ValueProblem]:
        """Not fitted."""
        return {}

    def decode(
        self, outputs: Tensor, paths: Sequence[str], sizes: Sequence[Size], preprocessing: Preprocessing
    ) -> list[Halves]:
        """Both numbers, and the original's width."""
        every = zip(outputs.tolist(), paths, sizes, strict=True)
        return [Halves(path, {}, left=left, right=right, width=width) for (left, right), path, (width, _) in every]

    def truth(self, index: Index, row: int, size: Size) -> Prediction:
        """Both halves, as the mask covers them."""
        return Prediction(index.paths([row])[0], {})

    def unread(self, path: str, error: str) -> Halves:
        """Neither number."""
        return Halves(path, {}, error=error)


@pytest.fixture(autouse=True)
def brightness(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one row that a new task adds."""
    monkeypatch.setitem(TASKS, "brightness", Brightness)


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    """An index of 24 images, left or right bright, with masks of what is bright."""
    folder, rng = tmp_path / "halves", np.random.default_rng(0)
    folder.mkdir()
    for number in range(24):
        mask = np.zeros((32, 40), np.uint8)
        mask[:, slice(0, 20) if number % 2 else slice(20, 40)] = 1
        pixels = rng.normal(60, 10, (32, 40)) + 120 * mask
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        Image.fromarray(mask).save(folder / f"{number}.mask.png")
    index = build(
        folder,
        ("background", "bright"),
        [f"{number}.png" for number in range(24)],
        label=[number % 2 for number in range(24)],
        mask=[f"{number}.mask.png" for number in range(24)],
        mask_classes=("background", "bright"),
        mask_values={0: 0, 1: 1},
    )
    save_index(index, folder / "index.parquet")
    return folder / "index.parquet"


@pytest.fixture
def recipe(tiny_recipe: MakeRecipe) -> Recipe:
    return tiny_recipe(task="brightness", epochs=6, mirror=0.5, ema_decay=0.5, label_smoothing=0.0)


def rows_of(run: RunFolder) -> list[dict[str, str]]:
    with run.metrics.open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_is_trained_and_its_metrics_stand_where_others_do(
    halves: Path, recipe: Recipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = train(halves, recipe, reporter=silent)
    assert run.path.parent == Path("runs/brightness")
    assert {"train_closeness", "val_closeness", "val_closeness_low"} <= rows_of(run)[0].keys()
    assert "; val closeness 0." in run.log.read_text()
    model = load(run.model, device="cpu", precision="float32")
    assert model.task == Brightness()
    assert model.metrics["closeness"] == max(float(row["val_closeness"]) for row in rows_of(run))
    assert model.metrics["closeness"] > 0.7
    left, right = model.predict([halves.parent / "1.png", halves.parent / "0.png"])
    assert isinstance(left, Halves)
    assert isinstance(right, Halves)
    assert left.width == 40
    assert left.left - left.right > right.left - right.right + 0.5


@dataclass(frozen=True)
class Stopping(Reporter):
    """Sends this process a signal when an epoch has been told."""

    at: str = "epoch 2/"

    def info(self, text: str) -> None:
        super().info(text)
        if text.startswith(self.at):
            signal.raise_signal(signal.SIGTERM)


def test_it_is_stopped_and_resumed_to_the_bit(halves: Path, recipe: Recipe, silent: Reporter, tmp_path: Path) -> None:
    unbroken = train(halves, recipe, tmp_path / "unbroken", silent)
    with pytest.raises(Interrupted):
        train(halves, recipe, tmp_path / "broken", Stopping(Console(quiet=True)))
    broken = resume(tmp_path / "broken", None, silent)
    assert [row["val_closeness"] for row in rows_of(broken)] == [row["val_closeness"] for row in rows_of(unbroken)]
    first, second = (load(run.model, device="cpu").net.state_dict() for run in (unbroken, broken))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_it_is_evaluated(halves: Path, recipe: Recipe, silent: Reporter, tmp_path: Path) -> None:
    run = train(halves, recipe, tmp_path / "run", silent)
    model = load(run.model, device="cpu", precision="float32")
    result = evaluate(model, load_index(run.index), "val")
    assert result.metrics == pytest.approx(model.metrics)
    assert result.confusion is None


@pytest.fixture
def striate_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    def run(*words: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        return int(left.value.code or 0), capsys.readouterr().out

    yield run
    sys.stdout.flush()


def test_the_command_line_trains_evaluates_and_predicts_it(halves: Path, tmp_path: Path, striate_words: Any) -> None:
    run = tmp_path / "run"
    tiny = ("--model", "lenet5", "--epochs", 1, "-b", 8, "-j", 1, "--device", "cpu", "--precision", "float32")
    assert striate_words("train", halves, "--task", "brightness", *tiny, "-o", run)[0] == 0
    code, out = striate_words("evaluate", run / "model.safetensors", halves, "-j", 1)
    assert code == 0
    assert "closeness 0." in out
    assert "95 % interval" in out
    (halves.parent / "empty.png").touch()
    code, out = striate_words(
        "predict", run / "model.safetensors", halves.parent / "0.png", halves.parent / "empty.png"
    )
    assert code == 3
    header, first, failed = out.splitlines()
    assert header == "path,left,right,error"
    assert first.startswith(f"{halves.parent / '0.png'},")
    assert failed.endswith("empty") or "empty" in failed


def test_what_it_refuses_is_refused(
    halves: Path, two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="`mixup`: expected 0 with the task brightness; got more"):
        train(halves, tiny_recipe(task="brightness", mixup=0.2), tmp_path / "a", silent)
    with pytest.raises(DataError, match="mask: expected images with masks; got none"):
        train(two_classes, tiny_recipe(task="brightness"), tmp_path / "b", silent)


def test_an_unknown_task_is_named_with_the_nearest(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        train(two_classes, tiny_recipe(task="clasify"), tmp_path / "run", silent)
    assert str(caught.value).startswith("`task`: expected auto or one of segment, ")
    assert str(caught.value).endswith("got clasify. Did you mean `classify`?")


def test_a_model_of_a_task_that_is_gone_says_so(
    halves: Path, recipe: Recipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(halves, recipe, tmp_path / "run", silent)
    monkeypatch.delitem(TASKS, "brightness")
    with pytest.raises(ModelFileError, match=r"expected one of the tasks .*classify; got brightness\. Try a newer"):
        load(run.model)
