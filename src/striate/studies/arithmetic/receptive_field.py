"""The receptive field of n layers of 3x3 is 2n + 1, by where the gradient reaches."""

import torch
from torch import nn

from striate.arithmetic import Window
from striate.arithmetic import receptive_field as computed
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact

DEPTHS, SIDE = (1, 2, 3, 4, 5, 6), 63


def reached(depth: int) -> float:
    """The width of what the middle output of `depth` layers depends on."""
    net = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(depth)))
    image = torch.randn(1, 1, SIDE, SIDE, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(net.double()(image)[0, 0, SIDE // 2, SIDE // 2], image)
    columns = (gradient[0, 0] != 0).any(dim=0).nonzero().flatten()
    return float(columns.max() - columns.min() + 1)


def measured(trial: Trial) -> Measures:
    sizes = [reached(depth) for depth in DEPTHS]
    return {"pixels": sizes, "off 2n + 1": max(abs(size - (2 * n + 1)) for n, size in zip(DEPTHS, sizes, strict=True))}


def by_arithmetic(trial: Trial) -> Measures:
    sizes = [float(computed([Window(3, padding=1)] * depth).size) for depth in DEPTHS]
    return {"pixels": sizes, "off 2n + 1": max(abs(size - (2 * n + 1)) for n, size in zip(DEPTHS, sizes, strict=True))}


STUDY = Study(
    claims=("e-receptive", "e-enough"),
    claim="The n-th layer of 3x3 convolutions sees 2n + 1 pixels across, exactly as far as its gradient reaches",
    setup="Chains of 1 to 6 convolutions with random weights, at stride 1. The gradient of the middle output "
    "with respect to the image says what it sees; `striate.arithmetic.receptive_field` computes the same.",
    arms={"by the gradient": measured, "by arithmetic": by_arithmetic},
    figure=Lines("pixels", "layers", tuple(map(str, DEPTHS))),
    rule=lambda numbers: all_of(
        {
            "by the gradient": exact(numbers, "off 2n + 1", "by the gradient"),
            "by arithmetic": exact(numbers, "off 2n + 1", "by arithmetic"),
        }
    ),
    planted={
        HOLDS: {"by the gradient": {"off 2n + 1": 0.0}, "by arithmetic": {"off 2n + 1": 0.0}},
        FAILS: {"by the gradient": {"off 2n + 1": 2.0}, "by arithmetic": {"off 2n + 1": 1.0}},
    },
    literature="Araujo, Norris and Sim 2019, Computing Receptive Fields of Convolutional Neural Networks. Luo et al. "
    "2016, arXiv:1701.04128: most of what counts lies in the middle, in a bell whose width grows with the "
    "square root of the depth.",
    remark="The rule needs stride 1 and no dilation: after a stride of 2 each later layer adds four pixels (see "
    "the errata).",
    chance=False,
    seeds=3,
)
