from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_type_hints

import pytest
import torch
from torch import Tensor, nn

from striate.nets import create
from striate.recipe import TrainingRecipe
from striate.training.optimizer import build, parameter_groups

LR, MU, DECAY = 0.1, 0.8, 0.5
RHO, EPS = 0.99, 1e-8  # PyTorch's smoothing of RMSProp, and its epsilon
BETA2 = 0.999


@dataclass
class Textbook:
    """One weight's running quantities, in float64."""

    w: Tensor
    decay: float
    v: Tensor = field(default_factory=lambda: torch.zeros(()))
    s: Tensor = field(default_factory=lambda: torch.zeros(()))
    steps: int = 0


Rule = Callable[[Textbook, Tensor], None]


def sgd(t: Textbook, g: Tensor) -> None:
    t.w = t.w - LR * (g + t.decay * t.w)


def momentum(t: Textbook, g: Tensor) -> None:
    t.v = MU * t.v + g + t.decay * t.w
    t.w = t.w - LR * t.v


def nesterov(t: Textbook, g: Tensor) -> None:
    g = g + t.decay * t.w
    t.v = MU * t.v + g
    t.w = t.w - LR * (g + MU * t.v)


def rmsprop(t: Textbook, g: Tensor) -> None:
    g = g + t.decay * t.w
    t.s = RHO * t.s + (1 - RHO) * g**2
    t.v = MU * t.v + g / (t.s.sqrt() + EPS)
    t.w = t.w - LR * t.v


def adam(t: Textbook, g: Tensor) -> None:
    descend_by_moments(t, g + t.decay * t.w)


def adamw(t: Textbook, g: Tensor) -> None:
    t.w = t.w * (1 - LR * t.decay)
    descend_by_moments(t, g)


def descend_by_moments(t: Textbook, g: Tensor) -> None:
    t.steps += 1
    t.v = MU * t.v + (1 - MU) * g
    t.s = BETA2 * t.s + (1 - BETA2) * g**2
    corrected = t.v / (1 - MU**t.steps), t.s / (1 - BETA2**t.steps)
    t.w = t.w - LR * corrected[0] / (corrected[1].sqrt() + EPS)


Opt = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon"]
RULES: dict[Opt, Rule] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
    "muon": adamw,  # of a net whose only weights are the first and the last
}


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


@pytest.mark.parametrize("opt", RULES)
def test_three_steps_by_the_textbook(opt: Opt) -> None:
    net = small_net()
    optimizer = build(net, TrainingRecipe(opt=opt, lr=LR, momentum=MU, weight_decay=DECAY))
    books = {
        name: Textbook(p.detach().double(), DECAY if name in ("0.weight", "3.weight") else 0.0)
        for name, p in net.named_parameters()
    }
    for step in range(3):
        for name, parameter in net.named_parameters():
            g = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step))
            parameter.grad = g.clone()
            RULES[opt](books[name], g.double())
        optimizer.step()
    for name, parameter in net.named_parameters():
        assert torch.allclose(parameter.detach().double(), books[name].w, rtol=1e-4, atol=1e-6), name


def test_every_optimiser_of_the_recipe_is_tested() -> None:
    assert list(RULES) == list(get_args(get_type_hints(TrainingRecipe)["opt"]))


def test_norms_and_biases_do_not_decay() -> None:
    net = small_net()
    decayed, spared = parameter_groups(net, DECAY)
    names = {id(p): name for name, p in net.named_parameters()}
    assert decayed["weight_decay"] == DECAY
    assert spared["weight_decay"] == 0
    assert [names[id(p)] for p in parameters(decayed)] == ["0.weight", "3.weight"]
    assert [names[id(p)] for p in parameters(spared)] == ["0.bias", "1.weight", "1.bias", "3.bias"]


def test_the_weight_of_a_norm_over_a_map_does_not_decay() -> None:
    net = nn.Sequential(nn.Linear(4, 6, bias=False), nn.LayerNorm((2, 3)), nn.GroupNorm(1, 2))
    assert len(parameters(parameter_groups(net, DECAY)[0])) == 1


def parameters(group: dict[str, Any]) -> list[nn.Parameter]:
    found = group["params"]
    if not isinstance(found, list):
        raise TypeError(f"expected a list; got {found!r}")
    return found


def test_muon_makes_the_weights_between_the_first_and_the_last_orthogonal() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.LayerNorm((4, 4)), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(4, 3))
    optimizer = build(net, TrainingRecipe(opt="muon", weight_decay=0.0))
    names = {id(p): name for name, p in net.named_parameters()}
    by_rule = {True: set[str](), False: set[str]()}
    for group in optimizer.param_groups:
        by_rule[group["matrices"]] |= {names[id(p)] for p in parameters(group)}
    assert by_rule[True] == {"2.weight"}
    assert by_rule[False] == set(names.values()) - by_rule[True]
    net[0].requires_grad_(False)  # what is frozen stays the first
    (matrices, *_) = build(net, TrainingRecipe(opt="muon")).param_groups
    assert [names[id(p)] for p in parameters(matrices)] == ["2.weight"]


def test_frozen_weights_are_in_no_group_and_no_group_is_empty() -> None:
    net = small_net()
    net[0].requires_grad_(False)
    net[3].requires_grad_(False)
    (only,) = parameter_groups(net, DECAY)
    assert parameters(only) == list(net[1].parameters())
    assert only["weight_decay"] == 0


def test_the_rate_falls_by_its_share_with_every_stage() -> None:
    net = create("lenet5")
    groups = parameter_groups(net, 0.1, lr_decay=0.5)
    scales = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    names = {"fc3": 1.0, "fc2": 0.5, "fc1": 0.25, "conv2": 0.125, "conv1": 0.0625}
    assert len(scales) == 10
    for name, scale in names.items():
        assert {scales[id(p)] for p in net.get_submodule(name).parameters()} == {scale}
    assert {(group["lr_scale"], group["weight_decay"]) for group in groups} == {
        (scale, decay) for scale in names.values() for decay in (0.1, 0.0)
    }
