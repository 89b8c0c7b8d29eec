"""Models with random weights, and images, for explanations."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from striate.data import Preprocessing
from striate.device import choose
from striate.model import Model
from striate.nets import create
from striate.tasks import task_from_dict

MakeModel = Callable[..., Model]


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """A model of a net of the catalogue, whose batch norm knows some statistics; the same each time."""

    def make(name: str = "resnet20_cifar", classes: int = 3, size: int = 32, **arguments: object) -> Model:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            arguments |= {"num_classes": classes, "in_channels": 3}
            net = create(name, **arguments)
            net(torch.randn(8, 3, size, size))
        task = task_from_dict(
            tuple(f"class {k}" for k in range(classes)), {"name": "classify", "several_labels": False}
        )
        preprocessing = Preprocessing((3, size, size), (0.5,) * 3, (0.25,) * 3, crop_pct=1.0)
        machine = choose("cpu", "float32", "contiguous")
        return Model(machine.place(net).eval(), name, arguments, task, preprocessing, machine=machine)

    return make


@pytest.fixture(scope="session")
def images() -> Tensor:
    """(5, 32, 32, 3) uint8."""
    return torch.randint(0, 256, (5, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
