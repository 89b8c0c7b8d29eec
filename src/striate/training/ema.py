"""A running average of the weights, which is often better than the weights themselves."""

import copy

import torch
from torch import nn


class Ema:
    """An exponential moving average of a net's parameters and buffers.

    The decay of the n-th update is at most (1 + n) / (10 + n), so that the initial weights are soon forgotten.
    Source: the ExponentialMovingAverage of TensorFlow 1, its argument `num_updates`.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Takes in the net's state after a step.

        Args:
            net: of the same architecture.
            step: number of the update, from 0.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        own, other = self.net.state_dict(), net.state_dict()
        floating = [name for name, value in own.items() if value.is_floating_point()]
        torch._foreach_lerp_([own[name] for name in floating], [other[name] for name in floating], 1 - decay)
        for name in own.keys() - set(floating):  # counters, such as batch norm's
            own[name].copy_(other[name])
