"""Batch norm whose statistics are of the images of all processes, on processors and GPUs alike.

PyTorch's own, `nn.SyncBatchNorm`, runs on GPUs alone.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from striate.errors import UsageError
from striate.training.process_group import Processes

PLACES = (0, 2, 3)  # dimensions of maps (N, C, H, W) that a channel's statistics are over


def synchronise(net: nn.Module, processes: Processes) -> None:
    """Makes every batch norm of a net take its statistics over all processes; its parameters stay the same objects.

    Args:
        net: changed in place; names in its state stay as they are.
        processes: those that train it.

    Raises:
        UsageError: if it has a batch norm of another kind than `nn.BatchNorm2d` as the catalogue uses it.
    """
    for name, module in net.named_modules():
        if not isinstance(module, _BatchNorm):
            continue
        usual = module.affine and module.track_running_stats and module.momentum is not None
        if type(module) is not nn.BatchNorm2d or not usual:
            raise UsageError(
                "`sync_batch_norm`: expected nn.BatchNorm2d, with weights and with running averages of a fixed "
                f"momentum; got {type(module).__name__} at `{name}`. Try it without, or another network."
            )
        module.__class__ = SyncedBatchNorm2d
        module.processes = processes  # type: ignore[assignment]


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """As `nn.BatchNorm2d` over the joined batch of all processes, up to rounding.

    Each process goes back from its part of the one mean loss, not from a mean of its own. Gradients of weight and bias
    are its part too, to be added up with all others.
    """

    processes: Processes
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, x: Tensor) -> Tensor:
        """Normalised maps (N, C, H, W), of the type of `x`."""
        if not self.training:
            return super().forward(x)
        mean, variance, count = self._statistics(x.detach())
        inverse_std = torch.rsqrt(variance + self.eps)
        normalised: Tensor = _Normalise.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, mean.float(), inverse_std.float(), count, self.processes
        )
        with torch.no_grad():
            self.running_mean.lerp_(mean.float(), self.momentum)
            self.running_var.lerp_((variance * count / (count - 1)).float(), self.momentum)  # unbiased, as PyTorch's
            self.num_batches_tracked.add_(1)
        return normalised

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor, float]:
        """Mean and variance (C,) of each channel, and how many values it has, over all processes."""
        values = x.double()  # so that the difference of two large numbers keeps the digits of a small variance
        own = values.new_tensor([x.numel() / x.shape[1]])
        sums = torch.cat([values.sum(PLACES), values.square().sum(PLACES), own])  # (2C + 1,)
        self.processes.add_([sums])
        count = float(sums[-1])
        mean, square = (sums[:-1] / count).chunk(2)
        return mean, (square - mean.square()).clamp(min=0), count


class _Normalise(torch.autograd.Function):
    """weight (x - mean) / std + bias, where mean and std follow from the `x` of all processes.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1 and the gradients of sec. 3, with both sums over the
    batch taken over the processes.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        inverse_std: Tensor,
        count: float,
        processes: Any,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, inverse_std)
        ctx.count, ctx.processes = count, processes
        normalised = (x.float() - _over(mean)) * _over(inverse_std)
        return (normalised * _over(weight) + _over(bias)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse_std = ctx.saved_tensors
        gradient = gradient.float()
        normalised = (x.float() - _over(mean)) * _over(inverse_std)
        of_bias = gradient.sum(PLACES, dtype=torch.float64)
        of_weight = (gradient * normalised).sum(PLACES, dtype=torch.float64)
        sums = torch.cat([of_bias, of_weight])
        ctx.processes.add_([sums])
        mean_of_bias, mean_of_weight = (sums / ctx.count).float().chunk(2)
        centred = gradient - _over(mean_of_bias) - normalised * _over(mean_of_weight)
        of_x = (centred * _over(weight * inverse_std)).to(x.dtype)
        return of_x, of_weight.to(weight.dtype), of_bias.to(weight.dtype), None, None, None, None


def _over(channels: Tensor) -> Tensor:
    """(C, 1, 1), which spreads over maps (N, C, H, W)."""
    return channels[:, None, None]
