"""Every net of the catalogue, with batch norms that change their input."""

from typing import Any

import pytest
import torch
from net_table import NETS, Net
from torch import Tensor, nn

from striate.nets import create

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
