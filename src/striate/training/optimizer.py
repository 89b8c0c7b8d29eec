"""Optimisers by the names that the field gives them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from striate.recipe import TrainingRecipe
from striate.training.muon import Muon

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm)


def parameter_groups(
    net: nn.Module, weight_decay: float, lr_decay: float = 1.0, lr_scales: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Two groups: weights of convolutions and dense layers, which decay; norms and biases, which do not.

    Where the learning rate differs within the net, two for each multiple of it, `lr_scale`.

    Args:
        net: with `stages`, where the rate is to fall.
        weight_decay: of the first group.
        lr_decay: share of the rate that each stage has of the one after it, and the last of the head.
        lr_scales: by the names of modules, multiples of the rate that their parameters have besides.
    """
    norms = {id(p) for module in net.modules() if isinstance(module, NORMS) for p in module.parameters()}
    trained = [p for p in net.parameters() if p.requires_grad]
    fixed = [p for p in trained if id(p) in norms or p.ndim < 2]
    spared = {id(p) for p in fixed}
    decayed = [p for p in trained if id(p) not in spared]
    scales = _lr_scales(net, lr_decay, lr_scales or {})
    groups: list[dict[str, Any]] = [
        {"params": [p for p in some if scales[id(p)] == scale], "weight_decay": decay, "lr_scale": scale}
        for scale in sorted({scales[id(p)] for p in trained}, reverse=True)
        for some, decay in ((decayed, weight_decay), (fixed, 0.0))
    ]
    return [group for group in groups if group["params"]]


def _lr_scales(net: nn.Module, lr_decay: float, lr_scales: Mapping[str, float]) -> dict[int, float]:
    """The multiple of the learning rate of each parameter, by its id; the head, which is in no stage, does not fall."""
    scales = {id(p): 1.0 for p in net.parameters()}
    stages: tuple[str, ...] = getattr(net, "stages", ())
    for depth, stage in enumerate(reversed(stages), start=1):
        scales |= {id(p): lr_decay**depth for p in net.get_submodule(stage).parameters()}
    for name, scale in lr_scales.items():
        scales |= {id(p): scales[id(p)] * scale for p in net.get_submodule(name).parameters()}
    return scales


def build(
    net: nn.Module, recipe: TrainingRecipe, lr_scales: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """The optimiser that a recipe names, over the parameters of a net.

    Args:
        net: of which those parameters learn that ask for a gradient.
        recipe: its optimiser, learning rate and decay.
        lr_scales: as in `parameter_groups`.

    Source: all but Muon are as `torch.optim` has them; `momentum` serves as the first beta of Adam and AdamW.
    """
    groups = parameter_groups(net, recipe.weight_decay, recipe.lr_decay, lr_scales)
    beta = (recipe.momentum, 0.999)
    optimizer: torch.optim.Optimizer
    match recipe.opt:
        case "sgd":
            optimizer = torch.optim.SGD(groups, recipe.peak_lr, fused=True)
        case "momentum":
            optimizer = torch.optim.SGD(groups, recipe.peak_lr, momentum=recipe.momentum, fused=True)
        case "nesterov":
            optimizer = torch.optim.SGD(groups, recipe.peak_lr, momentum=recipe.momentum, nesterov=True, fused=True)
        case "rmsprop":
            optimizer = torch.optim.RMSprop(groups, recipe.peak_lr, momentum=recipe.momentum)
        case "adam":
            optimizer = torch.optim.Adam(groups, recipe.peak_lr, beta, fused=True)
        case "adamw":
            optimizer = torch.optim.AdamW(groups, recipe.peak_lr, beta, fused=True)
        case "muon":
            optimizer = Muon(_with_matrices(net, groups), recipe.peak_lr, recipe.momentum)
    return optimizer


def _with_matrices(net: nn.Module, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups, each parted in the weights between the first layer and the last, and the others."""
    layers = [module for module in net.modules() if not isinstance(module, NORMS)]
    weights = [p for layer in layers for p in layer.parameters(recurse=False) if p.ndim > 1]
    inner = {id(p) for p in weights[1:-1]}
    parted = [
        group | {"params": [p for p in group["params"] if (id(p) in inner) == matrices], "matrices": matrices}
        for group in groups
        for matrices in (True, False)
    ]
    return [group for group in parted if group["params"]]
