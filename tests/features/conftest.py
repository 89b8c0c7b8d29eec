"""A run of LeNet-5 before its first step."""

from pathlib import Path

import pytest

from striate.console import Reporter
from striate.data import Preprocessing, read, split
from striate.device import choose
from striate.recipe import MachineRecipe, NetworkRecipe, Recipe
from striate.tasks.classify import Classify
from striate.training import RunFolder
from striate.training.resolve import resolve
from striate.training.run import Run


@pytest.fixture
def small_run(two_classes: Path, silent: Reporter, tmp_path: Path) -> Run:
    """A run of LeNet-5 on two classes, before its first step."""
    recipe = resolve(Recipe(NetworkRecipe("lenet5"), machine=MachineRecipe(device="cpu", precision="float32")))
    index = split(read(two_classes), val_fraction=0.25, test_fraction=0.0, seed=0)
    task, shown = Classify(index.classes), Preprocessing((1, 32, 32), (0.5,), (0.5,), 1.0)
    arguments = {"num_classes": 2, "in_channels": 1}
    machine, folder = choose("cpu", "float32"), RunFolder.create(tmp_path / "run")
    return Run(recipe, index, task, shown, machine, 1, folder, silent, "lenet5", arguments)
