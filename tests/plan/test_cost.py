"""What is counted is held against `striate.inspect`; what is timed, against nothing but itself."""

import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from net_table import NETS, Net
from torch import Tensor

from striate.data import Preprocessing, read, split
from striate.device import choose
from striate.graph import META, cut
from striate.graph.memory import training_cost
from striate.inspect import inspect
from striate.nets import create
from striate.plan.cost import Learning, Rates, choices, counted, learning_seconds, measured
from striate.recipe import DataRecipe, MachineRecipe, Recipe, TrainingRecipe, TransferRecipe

SHOWN = Preprocessing((1, 32, 32), (0.5,), (0.5,), crop_pct=1.0)
STAGES = ("conv1", "conv2", "fc1", "fc2")
RATES = Rates(decode=0.001, forward=0.01, step=0.03, error=1.2, head=0.002)
RECIPE = Recipe(training=TrainingRecipe(epochs=10, batch_size=8), machine=MachineRecipe(workers=1))
QUICK = ("lenet5", "resnet20_cifar", "mobilenet_v2", "googlenet", "squeezenet1_1", "vgg11_bn", "unet")
ROWS = [pytest.param(row, id=row.name, marks=[] if row.name in QUICK else [pytest.mark.slow]) for row in NETS]


@pytest.mark.parametrize("row", ROWS)
def test_multiplications_parameters_and_memory_are_those_of_inspect(row: Net) -> None:
    with torch.device("meta"):
        net = create(row.name)
    stages: tuple[str, ...] = net.stages  # type: ignore[assignment]
    parts = counted(net, stages, row.input)
    whole, half, head = (parts[number] for number in (0, len(stages) // 2, len(stages)))
    found = inspect(net, row.input)
    assert whole.macs == found.macs
    assert whole.parameters == found.parameters
    assert found.training_bytes is not None
    if not hasattr(net, "branches"):  # which `inspect` counts too
        assert whole.kept_bytes == found.training_bytes
    assert whole.macs > half.macs >= head.macs
    assert whole.kept_bytes > half.kept_bytes >= head.kept_bytes
    assert whole.parameters > half.parameters >= head.parameters


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in NETS if row.name in QUICK])
def test_what_learns_costs_what_it_costs_by_itself(row: Net) -> None:
    """Dropout behind frozen stages keeps no mask, and values that cross are kept whatever reads them."""
    with torch.device("meta"):
        net: Any = create(row.name).train()
    for number, part in enumerate(counted(net, net.stages, row.input)):
        alone = cut(net, net.stages[:number], row.input)

        def values(count: int, shapes: Sequence[tuple[int, ...]] = alone.shapes) -> list[Tensor]:
            return [torch.empty(count, *shape, device=META) for shape in shapes]

        cost = training_cost(net, alone.rest, values)
        assert (part.macs, part.kept_bytes) == (cost.macs, cost.kept_bytes)
        assert part.values == sum(math.prod(shape) for shape in alone.shapes)


def test_what_is_left_of_lenet() -> None:
    net = create("lenet5", activation="relu", num_classes=3)
    assert counted(net, STAGES, (1, 32, 32))[3] == Learning(
        macs=120 * 84 + 84 * 3,
        kept_bytes=4 * (120 + 84 + 3),  # the inputs of two dense layers, the second of which relu needs too; the logits
        parameters=121 * 84 + 85 * 3,
        values=120,
    )


def test_counting_does_not_import_the_compiler_of_pytorch() -> None:
    """SymPy comes with it, and both take longer to import than a net takes to count."""
    code = """
import sys
from striate.nets import create
from striate.plan.cost import counted

for name in ("efficientnet_lite0", "resnet18", "mobilenet_v1", "googlenet"):  # with dropout, padding and branches
    net = create(name)
    counted(net, net.stages, (3, 224, 224))
print("sympy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_every_choice_has_its_cost() -> None:
    net = create("lenet5", activation="relu")
    parts = counted(net, STAGES, (1, 32, 32))
    found = choices(STAGES, parts, RATES, RECIPE, images=100)
    assert [choice.freeze for choice in found] == ["all", "fc1", "conv2", "conv1", "none"]
    macs = [part.macs for part in parts]
    assert math.isclose(found[0].seconds, 100 * (0.002 + 2 * (0.001 + 0.01 * (1 - macs[4] / macs[0]))))
    share = macs[2] / macs[0]
    assert math.isclose(found[2].seconds, 100 * (0.002 + 8 * (0.001 + 0.01 * (1 - share)) + 10 * 0.03 * share))
    assert math.isclose(found[4].seconds, 100 * (0.002 + 10 * (0.001 + 0.03)))
    assert all(less.memory_bytes < more.memory_bytes for less, more in pairwise(found))
    assert [choice.disk_bytes for choice in found] == [84 * 400, 120 * 1600, 400 * 1600, 1176 * 1600, 0]


@pytest.mark.parametrize(("views", "passes"), [(1, 1), (3, 3), (0, 10)])
def test_views_that_are_not_kept_are_computed_in_every_epoch(views: int, passes: int) -> None:
    net = create("lenet5", activation="relu")
    recipe = replace(RECIPE, transfer=TransferRecipe(views=views))
    choice = choices(STAGES, counted(net, STAGES, (1, 32, 32)), replace(RATES, step=0.0), recipe, images=100)[2]
    whole, _, part, *_ = counted(net, STAGES, (1, 32, 32))
    assert math.isclose(choice.seconds, 100 * (0.002 + passes * (0.001 + 0.01 * (1 - part.macs / whole.macs))))
    assert choice.disk_bytes == 100 * 400 * 2 * views


def test_no_view_is_kept_where_they_would_not_fit() -> None:
    net = create("lenet5", activation="relu")
    recipe = replace(RECIPE, data=DataRecipe(cache_budget=8 * 400 * 2 * 100 / 1e9))  # eight of conv2's 400 values
    found = choices(STAGES, counted(net, STAGES, (1, 32, 32)), RATES, recipe, images=100)
    assert [choice.views for choice in found] == [2, 8, 8, 0, 0]
    assert found[3].disk_bytes == 0
    assert found[3].seconds > found[2].seconds


def test_memory_is_that_of_a_batch_or_of_all_images_where_they_are_fewer() -> None:
    net = create("lenet5", activation="relu")
    part = counted(net, STAGES, (1, 32, 32))[0]
    for images, batch_size, in_batch in ((100, 8, 8), (5, 8, 5)):
        recipe = replace(RECIPE, training=TrainingRecipe(batch_size=batch_size))
        found = choices(STAGES, counted(net, STAGES, (1, 32, 32)), RATES, recipe, images)[-1]
        assert found.memory_bytes == in_batch * part.kept_bytes + 12 * part.parameters


def test_rates_are_measured_and_leave_the_net_alone(two_classes: Path) -> None:
    index = split(read(two_classes), val_fraction=0.2, test_fraction=0.0, seed=0)
    net = create("lenet5", activation="relu").eval()
    parts = counted(net, STAGES, (1, 32, 32))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = measured(index, index.rows("train"), net, STAGES, parts, SHOWN, choose("cpu", "float32"), RECIPE, head=0.5)
    assert found.head == 0.5
    assert min(found.decode, found.forward, found.step) > 0
    assert found.error >= 1
    assert np.isfinite(found.error)
    few, many = (replace(RECIPE, training=TrainingRecipe(epochs=n)) for n in (1, 10_000))
    assert learning_seconds(index, net, SHOWN, choose("cpu", "float32"), few) > 0
    assert learning_seconds(index, net, SHOWN, choose("cpu", "float32"), many) > found.step * len(index)
    assert not net.training
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
        assert net.get_parameter(name).grad is None
