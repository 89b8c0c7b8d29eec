"""Batch norm by the notes' formulas, and by PyTorch."""

import torch
from torch import nn

from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact

ALPHA, EPSILON = 0.1, 1e-5


def normalised(trial: Trial) -> Measures:
    """gamma (h - mean) / sqrt(variance + epsilon) + beta, the last of which the notes leave out."""
    layer, h = nn.BatchNorm1d(6, eps=EPSILON, momentum=ALPHA).double(), 3 + 5 * torch.randn(32, 6).double()
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    by_hand = layer.weight * (h - h.mean(0)) / (h.var(0, correction=0) + EPSILON).sqrt() + layer.bias
    return {"largest difference": float((layer(h) - by_hand).detach().abs().max())}


def averaged(trial: Trial) -> Measures:
    """alpha mean + (1 - alpha) mu, batch after batch; of the variance, the one that is not biased."""
    layer = nn.BatchNorm1d(6, eps=EPSILON, momentum=ALPHA).double()
    mean, variance = torch.zeros(6).double(), torch.ones(6).double()
    for _ in range(5):
        h = 3 + 5 * torch.randn(32, 6).double()
        layer(h)
        mean, variance = ALPHA * h.mean(0) + (1 - ALPHA) * mean, ALPHA * h.var(0) + (1 - ALPHA) * variance
    running = torch.stack([layer.get_buffer("running_mean"), layer.get_buffer("running_var")])
    return {"largest difference": float((running - torch.stack([mean, variance])).abs().max())}


def before(trial: Trial) -> Measures:
    """Normalised before the activation: mean 0 and variance 1 for each unit, whatever came in."""
    outputs = nn.BatchNorm1d(6, affine=False, eps=1e-12).double()(3 + 5 * torch.randn(32, 6).double())
    off = torch.stack([outputs.mean(0), outputs.var(0, correction=0) - 1])
    return {"largest difference": float(off.abs().max())}


ARMS = {"the formula": normalised, "the running averages": averaged, "mean 0, variance 1": before}
STUDY = Study(
    claims=("e-bn",),
    claim="Batch norm is what the notes' formulas say, once epsilon is added",
    setup="Random batches of 32 in double precision; the output, the running averages after five batches, and "
    "mean and variance of each unit are compared with PyTorch's.",
    arms=ARMS,
    figure=Dots("largest difference"),
    rule=lambda numbers: all_of({name: exact(numbers, "largest difference", name, tolerance=1e-10) for name in ARMS}),
    planted={
        HOLDS: {name: {"largest difference": 1e-15} for name in ARMS},
        FAILS: {name: {"largest difference": 0.1} for name in ARMS},
    },
    literature="Ioffe and Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2: epsilon stands under the root, and the "
    "variance kept for inference is the unbiased one.",
    remark="The formulas agree to the rounding of doubles, once two things that the notes leave out are added: "
    "beta, and epsilon under the root. Of the running variance PyTorch keeps the unbiased one, so that a "
    "network in training and in evaluation divides by slightly different numbers, even on the same batch.",
    chance=False,
    seeds=3,
)
