"""Muon: momentum whose every matrix is made orthogonal before it is applied, so that all directions learn at one pace.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks", with the scale of Liu et al.
2025, "Muon is scalable for LLM training" (arXiv:2502.16982, eq. 4), at which learning rate and weight decay are those
of AdamW. PyTorch's own takes no convolutions.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: steep at 0, and near 1 it wanders between 0.7 and 1.2
ITERATIONS = 5
TINY = torch.finfo(torch.float32).tiny
BETA2, EPS = 0.999, 1e-8  # of AdamW
ADAMW_RMS = 0.2  # of a step of AdamW at rate 1, as Liu et al. found it


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly U V^T of a matrix U S V^T: singular values between 0.7 and 1.2, by Newton and Schulz's iteration.

    Args:
        matrix: (M, N); of zeros it is zeros.

    Returns:
        (M, N), float32; the iteration itself is in bfloat16, which it forgives.
    """
    if len(matrix) > matrix.shape[1]:
        return orthogonal(matrix.T).T  # the smaller product
    a, b, c = QUINTIC
    x: Tensor = (matrix / matrix.norm().clamp(min=TINY)).bfloat16()
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.float()


class Muon(Optimizer):
    """Orthogonal Nesterov momentum for groups marked `matrices`, AdamW for the others.

    Args:
        groups: of parameters; those of one with `matrices` true have two dimensions or more, the output's first.
        lr: learning rate, as for AdamW.
        momentum: of the matrices; the first beta of the others.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, momentum: float) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": 0.0, "matrices": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure is ever given
        """Takes one step."""
        for group in self.param_groups:
            rule = self._orthogonal if group["matrices"] else self._adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(rule(parameter, parameter.grad, group["momentum"]), alpha=-group["lr"])

    def _orthogonal(self, parameter: Tensor, gradient: Tensor, momentum: float) -> Tensor:
        velocity = self.state[parameter].setdefault("velocity", torch.zeros_like(parameter))
        velocity.mul_(momentum).add_(gradient)
        ahead = gradient.add(velocity, alpha=momentum).flatten(1)
        return ADAMW_RMS * math.sqrt(max(ahead.shape)) * orthogonal(ahead).view_as(parameter)

    def _adam(self, parameter: Tensor, gradient: Tensor, momentum: float) -> Tensor:
        state = self.state[parameter]
        if not state:
            state.update(step=torch.zeros(()), mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        state["step"] += 1
        steps = state["step"].item()
        mean = state["mean"].lerp_(gradient, 1 - momentum) / (1 - momentum**steps)
        square = state["square"].lerp_(gradient.square(), 1 - BETA2) / (1 - BETA2**steps)
        update: Tensor = mean / (square.sqrt() + EPS)
        return update
