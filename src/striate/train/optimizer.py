"""Optimisers by the names that the field gives them."""

import torch
from torch import nn

from striate.recipe import TrainingRecipe

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm)


def parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Two groups: weights of convolutions and dense layers, which decay; norms and biases, which do not."""
    norms = {id(p) for module in net.modules() if isinstance(module, NORMS) for p in module.parameters()}
    trained = [p for p in net.parameters() if p.requires_grad]
    fixed = [p for p in trained if id(p) in norms or p.ndim < 2]
    spared = {id(p) for p in fixed}
    decayed = [p for p in trained if id(p) not in spared]
    groups: list[dict[str, object]] = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": fixed, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def build(net: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """The optimiser that a recipe names, over the parameters of a net.

    Source: momentum, Nesterov, RMSProp, Adam and AdamW as `torch.optim` has them; `momentum` serves as the first beta
    of the last two.
    """
    groups = parameter_groups(net, recipe.weight_decay)
    beta = (recipe.momentum, 0.999)
    match recipe.opt:
        case "sgd":
            return torch.optim.SGD(groups, recipe.lr, fused=True)
        case "momentum":
            return torch.optim.SGD(groups, recipe.lr, momentum=recipe.momentum, fused=True)
        case "nesterov":
            return torch.optim.SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=True, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(groups, recipe.lr, momentum=recipe.momentum)
        case "adam":
            return torch.optim.Adam(groups, recipe.lr, beta, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, recipe.lr, beta, fused=True)
