"""Every net of the catalogue, with batch norms that do something; a run."""

from pathlib import Path
from typing import Any

import pytest
import torch
from net_table import NETS, Net
from torch import Tensor, nn

from striate.data import Preprocessing, read, split
from striate.device import choose
from striate.nets import create
from striate.recipe import MachineRecipe, NetworkRecipe, Recipe
from striate.tasks.classify import Classify
from striate.train import RunFolder
from striate.train.console import Reporter
from striate.train.run import resolve
from striate.train.state import Run

QUICK = 25e6  # parameters; of more, drawing the initial values alone takes seconds
ROWS = [
    pytest.param(row, id=row.name, marks=[pytest.mark.slow] if row.parameters > QUICK or row.settled else [])
    for row in NETS
]


@pytest.fixture(scope="module", params=ROWS)
def row(request: pytest.FixtureRequest) -> Net:
    assert isinstance(request.param, Net)
    return request.param


@pytest.fixture(scope="module")
def images(row: Net) -> Tensor:
    return torch.randn(2, *row.input, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def net(row: Net, images: Tensor) -> Any:
    """In evaluation mode; a test leaves it as it is."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = create(row.name)
        norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
        if row.settled:  # the statistics of the images
            for norm in norms:
                norm.momentum = 1.0
            with torch.no_grad():
                net.train()(images)
            return net.eval()
        for norm in norms:
            nn.init.normal_(norm.get_buffer("running_mean"), std=0.1)
            nn.init.uniform_(norm.get_buffer("running_var"), 0.5, 2)
            nn.init.uniform_(norm.weight, 0.8, 1.2)
            nn.init.normal_(norm.bias, std=0.1)
    return net.eval()


@pytest.fixture
def small_run(two_classes: Path, silent: Reporter, tmp_path: Path) -> Run:
    """A run of LeNet-5 on two classes, before its first step."""
    recipe = resolve(Recipe(NetworkRecipe("lenet5"), machine=MachineRecipe(device="cpu", precision="float32")))
    index = split(read(two_classes), val_fraction=0.25, test_fraction=0.0, seed=0)
    task, shown = Classify(index.classes), Preprocessing((1, 32, 32), (0.5,), (0.5,), 1.0)
    arguments = {"num_classes": 2, "in_channels": 1}
    machine, folder = choose("cpu", "float32"), RunFolder.create(tmp_path / "run")
    return Run(recipe, index, task, shown, machine, 1, folder, silent, {}, "lenet5", arguments)
