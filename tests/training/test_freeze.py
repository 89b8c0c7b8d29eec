"""Which stages are frozen, and that they stay so."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from striate.errors import UsageError
from striate.nets import create
from striate.training.freeze import freeze, frozen_stages, keep_statistics

STAGES = ("conv1", "bn1", "layer1", "layer2", "layer3")


def net() -> nn.Module:
    torch.manual_seed(0)
    return create("resnet20_cifar")


@pytest.mark.parametrize(
    ("spec", "count"),
    [("none", 0), ("all", 5), ("conv1", 1), ("layer2", 4), ("0", 0), ("0.4", 2), ("0.5", 2), ("1", 5), ("1.0", 5)],
)
def test_what_a_spec_means(spec: str, count: int) -> None:
    assert frozen_stages(net(), spec) == STAGES[:count]


@pytest.mark.parametrize(
    ("name", "spec", "count"),
    [
        ("headed", "layer1", 3),
        ("headed", "encoder.layer1", 3),
        ("unet_resnet18", "conv1", 1),
        ("segnet", "decoder.0", 6),
    ],
)
def test_the_end_of_a_stages_name_will_do(name: str, spec: str, count: int) -> None:
    with torch.device("meta"):
        deep = create(name)
    assert len(frozen_stages(deep, spec)) == count


def test_a_number_is_a_share_though_a_stages_name_ends_so() -> None:
    with torch.device("meta"):
        net = create("squeezenet1_1")  # whose stages are features.0, features.3, …
    assert frozen_stages(net, "0") == ()
    assert frozen_stages(net, "1") == net.stages


def test_the_end_of_two_stages_names_will_not_do() -> None:
    with torch.device("meta"):
        net: Any = create("unet_resnet18")
    net.stages = ("a.conv", "b.conv")
    with pytest.raises(UsageError, match="got conv"):
        frozen_stages(net, "conv")


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_freezes_no_less(a: float, b: float) -> None:
    few, many = (frozen_stages(net(), str(share)) for share in sorted((a, b)))
    assert many[: len(few)] == few


@pytest.mark.parametrize("spec", ["layer9", "1.01", "-0.1", "nan", "", "auto"])
def test_a_spec_that_means_nothing(spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        frozen_stages(net(), spec)
    assert str(caught.value) == (
        "`freeze`: expected all, none, a share from 0 to 1, or a stage of the network; "
        f"got {spec}. Its stages are conv1, bn1, layer1, layer2, layer3."
    )


def trained(model: nn.Module, steps: int = 2) -> None:
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.1)
    for _ in range(steps):
        model.train()
        optimizer.zero_grad()
        model(torch.randn(4, 3, 16, 16)).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("copied", [False, True])
def test_what_is_frozen_keeps_every_bit_while_the_rest_trains(copied: bool) -> None:
    model = net()
    frozen = frozen_stages(model, "layer1")
    freeze(model, frozen)
    if copied:
        model = copy.deepcopy(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trained(model)
    for name, tensor in model.state_dict().items():
        stays = name.startswith(tuple(f"{stage}." for stage in frozen))
        assert torch.equal(tensor, before[name]) == stays, name


def test_without_freezing_the_statistics_of_batch_norm_move() -> None:
    model = net()
    before = model.get_buffer("bn1.running_mean").clone()
    trained(model)
    assert not torch.equal(model.get_buffer("bn1.running_mean"), before)


def test_batch_norms_that_keep_their_statistics_learn_their_scale() -> None:
    model = net()
    keep_statistics(model)
    model = copy.deepcopy(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained(model)
    for name, value in model.state_dict().items():
        statistic = "running" in name or "num_batches" in name
        assert torch.equal(value, before[name]) == statistic, name
