"""`inspect`: a network in, its exact cost out."""

import torch
from torch import Tensor, nn

from striate.errors import StriateError
from striate.graph.memory import training_cost
from striate.graph.meta import META, mode_of
from striate.graph.trace import FAILURES, trace
from striate.inspect.inspection import Inspection


def inspect(net: nn.Module, input_shape: tuple[int, int, int], name: str = "") -> Inspection:
    """The exact cost of a network for one image, with no arithmetic done and no memory taken.

    Args:
        net: on the meta device, as `find` makes one.
        input_shape: (C, H, W).
        name: for the heading.

    Raises:
        UsageError: if the network cannot run on such an image, or looks at the values of tensors.
    """
    seen = trace(net, torch.empty((1, *input_shape), device=META))
    weights = {id(tensor): tensor for tensor in (*net.parameters(), *net.buffers())}.values()
    total = sum(parameter.numel() for parameter in net.parameters())
    inspection = Inspection(
        name=name or type(net).__name__,
        input_shape=input_shape,
        layers=seen.layers,
        parameters=total,
        idle=_by_module(seen.unused),
        weight_bytes=sum(tensor.nbytes for tensor in weights),
        gradient_bytes=sum(parameter.nbytes for parameter in net.parameters()),
        inference_bytes=seen.peak,
        training_bytes=_kept_for_backward(net, input_shape),
        uncounted=dict(seen.uncounted),
        unfollowed=dict(seen.unfollowed),
    )
    for layer in inspection.layers:
        layer.share = layer.macs / max(inspection.macs, 1)
    return inspection


def _kept_for_backward(net: nn.Module, input_shape: tuple[int, int, int]) -> int | None:
    """Bytes that one more image adds to what autograd holds when the forward pass is done, side branches included."""

    def images(count: int) -> list[Tensor]:
        return [torch.empty((count, *input_shape), device=META)]

    try:
        with mode_of(net, training=True):
            return training_cost(net, getattr(net, "branches", net), images).kept_bytes
    except (StriateError, *FAILURES):
        return None


def _by_module(parameters: dict[str, int]) -> dict[str, int]:
    """Parameters of each module, by the first part of their name."""
    total: dict[str, int] = {}
    for name, count in parameters.items():
        module = name.partition(".")[0]
        total[module] = total.get(module, 0) + count
    return total
