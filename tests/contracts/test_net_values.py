"""What a net promises about numbers: gradients, files, precision, memory format, independence of the batch."""

import copy
from typing import Any

import pytest
import torch
from net_table import EACH, Net
from safetensors.torch import load, save
from torch import Tensor, nn

from striate.nets import create


@pytest.fixture(scope="module", autouse=True)
def _tanh_is_dispatched() -> None:
    """MKL may answer a process's first call of tanh with 4 digits where two threads make it (pytorch issue 188792)."""
    torch.tanh(torch.zeros(1))


@pytest.fixture(scope="module", params=EACH)
def row(request: pytest.FixtureRequest) -> Net:
    assert isinstance(request.param, Net)
    return request.param


@pytest.fixture(scope="module")
def images(row: Net) -> Tensor:
    return torch.randn(2, *row.input, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def net(row: Net, images: Tensor) -> Any:
    """Made once a row, in eval mode; a test that changes it changes a copy."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = create(row.name)
    if row.settled:
        settle(net, images)
    return net.eval()


def settle(net: nn.Module, images: Tensor) -> None:
    """Gives batch norm the statistics of the images."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.train()(images)


@pytest.fixture(scope="module")
def logits(net: Any, images: Tensor) -> Tensor:
    with torch.inference_mode():
        result: Tensor = net(images)
    return result


def distance(actual: Tensor, expected: Tensor) -> float:
    return float(torch.linalg.vector_norm(actual.float() - expected) / torch.linalg.vector_norm(expected))


def test_logits_differ_between_images(logits: Tensor) -> None:
    assert torch.isfinite(logits).all()
    assert not torch.equal(logits[0], logits[1])


def test_gradient_reaches_every_parameter(net: Any, images: Tensor) -> None:
    net = copy.deepcopy(net).train()
    outputs = net.branches(images) if hasattr(net, "branches") else [net(images)]
    names, parameters = zip(*net.named_parameters(), strict=True)
    gradients = torch.autograd.grad(torch.stack(outputs).square().sum(), parameters, allow_unused=True)
    unreached = [name for name, g in zip(names, gradients, strict=True) if g is None or not g.count_nonzero()]
    assert unreached == []


def test_logits_survive_a_file(row: Net, net: Any, images: Tensor, logits: Tensor) -> None:
    contents = save(net.state_dict())
    with torch.device("meta"):  # whatever the file lacks stays on meta and fails
        other = create(row.name).eval()
    other.load_state_dict(load(contents), assign=True)
    with torch.inference_mode():
        assert torch.equal(other(images), logits)


def test_bfloat16_weights(row: Net, net: Any, images: Tensor, logits: Tensor) -> None:
    with torch.inference_mode():
        actual = copy.deepcopy(net).to(torch.bfloat16)(images.to(torch.bfloat16))
    assert actual.dtype == torch.bfloat16
    assert distance(actual, logits) < row.bfloat16_error


def test_bfloat16_autocast(row: Net, net: Any, images: Tensor, logits: Tensor) -> None:
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        actual = net(images)
    assert distance(actual, logits) < row.bfloat16_error


def test_channels_last(net: Any, images: Tensor, logits: Tensor) -> None:
    net = copy.deepcopy(net).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        actual = net(images.to(memory_format=torch.channels_last))
    assert distance(actual, logits) < 1e-4


def test_an_image_alone_gives_what_it_gives_in_a_batch(net: Any, images: Tensor, logits: Tensor) -> None:
    with torch.inference_mode():
        alone = torch.cat([net(images[:1]), net(images[1:])])
    assert distance(alone, logits) < 1e-4
