"""Gradients through hundreds of layers, with and without shortcuts, at the start of training."""

from functools import partial

import torch
from torch import nn

from striate.nets.initialise import reinitialise
from striate.nets.plain import PlainBlock
from striate.nets.resnet import BasicBlock, Block, stage
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside, more

BLOCKS, WIDTH = (5, 20, 100, 400), 4
LAYERS = tuple(2 * blocks for blocks in BLOCKS)


def without_norm(net: nn.Module) -> None:
    """Puts the identity in the place of each batch norm."""
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())


def measured(trial: Trial, block: Block, norm: bool = True) -> Measures:
    """The gradient at the first block's input beside that at the last one's output, and its powers of ten."""
    ratios = []
    for blocks in BLOCKS:
        net = stage(block, WIDTH, WIDTH, blocks, 1).double()
        reinitialise(net, "he", trial.seed)
        if not norm:
            without_norm(net)
        x = torch.randn(8, WIDTH, 6, 6, dtype=torch.float64, requires_grad=True)
        arrived = torch.randn(8, WIDTH, 6, 6, dtype=torch.float64)
        (gradient,) = torch.autograd.grad(net(x), x, arrived)
        size = float(gradient.square().mean().sqrt() / arrived.square().mean().sqrt())
        ratios.append(min(max(size, 1e-30), 1e30))
    return {
        "gradient at the first layer": ratios,
        "powers of ten off": [abs(float(torch.tensor(ratio).log10())) for ratio in ratios],
    }


RESIDUAL = partial(BasicBlock, option="A")
STUDY = Study(
    claims=("g-resnet-vanishing", "b-vanishing", "c-gradients", "d-gradients", "e-thousands"),
    claim="With shortcuts gradients neither vanish nor explode through hundreds of layers",
    setup="Chains of 10 to 800 layers in blocks of two 3x3 convolutions of 4 channels, with batch norm and "
    "weights by He's rule, see random maps. A random gradient is sent back, and measured where it "
    "arrives. The third arm has shortcuts and no batch norm.",
    arms={
        "plain": partial(measured, block=PlainBlock),
        "residual": partial(measured, block=RESIDUAL),
        "residual, no batch norm": partial(measured, block=RESIDUAL, norm=False),
    },
    figure=Lines("gradient at the first layer", "layers", tuple(map(str, LAYERS)), log=True),
    rule=lambda numbers: all_of(
        {
            "200 layers, against plain": more(numbers, "powers of ten off", "plain", "residual", least=1, at=2),
            "200 layers": inside(numbers, "powers of ten off", "residual", high=2, at=2),
            "800 layers": inside(numbers, "powers of ten off", "residual", high=2, at=3),
            "200 layers, no batch norm": inside(numbers, "powers of ten off", "residual, no batch norm", high=2, at=2),
        }
    ),
    planted={
        HOLDS: {
            "plain": {"powers of ten off": [0.5, 2.0, 9.0, 29.0]},
            "residual": {"powers of ten off": [0.1, 0.3, 0.8, 1.5]},
            "residual, no batch norm": {"powers of ten off": [0.1, 0.3, 0.8, 1.5]},
        },
        FAILS: {
            "plain": {"powers of ten off": [0.1, 0.3, 0.8, 1.5]},
            "residual": {"powers of ten off": [0.5, 2.0, 9.0, 29.0]},
            "residual, no batch norm": {"powers of ten off": [0.5, 2.0, 9.0, 29.0]},
        },
    },
    literature="He et al. 2015, arXiv:1512.03385, sec. 4.1: with batch norm the gradients of their plain nets do not "
    "vanish, so that is not why they train badly. Yang et al. 2019, arXiv:1902.08129: with batch norm and "
    "no shortcuts they explode with depth. Balduzzi et al. 2017, arXiv:1702.08591.",
    remark="Without shortcuts gradients do not vanish here: batch norm makes them explode, by eleven powers of "
    "ten more than with shortcuts over 200 layers. With shortcuts they still grow, slowly, with depth. "
    "Shortcuts alone do not do it: without batch norm each block doubles the variance of the sum, and the "
    "gradient grows with it. It takes both.",
)
