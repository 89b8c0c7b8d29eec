"""`inspect`: a network in, its exact cost out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from striate.errors import StriateError, UsageError
from striate.graph.meta import META, Memory, mode_of
from striate.graph.trace import Calls, Trace
from striate.inspect.inspection import Inspection

FAILURES = (RuntimeError, NotImplementedError, ValueError, TypeError, IndexError, AttributeError, KeyError)


def inspect(net: nn.Module, input_shape: tuple[int, int, int], name: str = "") -> Inspection:
    """The exact cost of a network for one image, with no arithmetic done and no memory taken.

    Args:
        net: on the meta device, as `find` makes one.
        input_shape: (C, H, W).
        name: for the heading.

    Raises:
        UsageError: if the network cannot run on such an image, or looks at the values of tensors.
    """
    images = torch.empty((1, *input_shape), device=META)
    with mode_of(net, training=False):
        trace = _run(net, images)
    weights = {id(tensor): tensor for tensor in (*net.parameters(), *net.buffers())}.values()
    total = sum(parameter.numel() for parameter in net.parameters())
    inspection = Inspection(
        name=name or type(net).__name__,
        input_shape=input_shape,
        layers=trace.layers,
        parameters=total,
        idle=_by_module(trace.unused),
        weight_bytes=sum(tensor.nbytes for tensor in weights),
        gradient_bytes=sum(parameter.nbytes for parameter in net.parameters()),
        inference_bytes=trace.peak,
        training_bytes=_kept_for_backward(net, input_shape),
        uncounted=dict(trace.uncounted),
        unfollowed=dict(trace.unfollowed),
    )
    for layer in inspection.layers:
        layer.share = layer.macs / max(inspection.macs, 1)
    return inspection


def _run(net: nn.Module, images: Tensor) -> Trace:
    trace = Trace(net, images)
    try:
        with torch.no_grad(), _followed(net, trace.path), Calls(trace), trace:
            net(images)
    except StriateError:
        raise
    except FAILURES as error:
        where = f"`{trace.path[-1]}`" if trace.path[-1] else "its forward"
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "Try another --img-size or --in-channels."
        if "meta" in reason.lower() or "item()" in reason:
            hint = "Its code looks at values, and here tensors have shapes only."
        raise UsageError(
            f"{type(net).__name__}: expected a network that takes images {tuple(images.shape)}; {where} failed: "
            f"{reason.rstrip('.')}. {hint}"
        ) from error
    trace.find_unseen()
    return trace


@contextmanager
def _followed(net: nn.Module, path: list[str]) -> Iterator[None]:
    """Keeps `path` at the names of the modules that run now."""

    def enter(name: str) -> Any:
        return lambda _module, _inputs: path.append(name)

    def leave(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        path.pop()

    handles = []
    for name, module in net.named_modules():
        handles += [module.register_forward_pre_hook(enter(name)), module.register_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _kept_for_backward(net: nn.Module, input_shape: tuple[int, int, int]) -> int | None:
    """Bytes that one more image adds to what autograd holds when the forward pass is done, side branches included."""
    forward = getattr(net, "branches", net)
    living = []
    for images_in_batch in (2, 3):
        images = torch.empty((images_in_batch, *input_shape), device=META)
        memory = Memory(net, images)
        try:
            with mode_of(net, training=True), torch.enable_grad(), memory:
                output = forward(images)
        except (StriateError, *FAILURES):
            return None
        living.append(memory.living())
        del output
    return living[1] - living[0]


def _by_module(parameters: dict[str, int]) -> dict[str, int]:
    """Parameters a module, by the first part of their name."""
    total: dict[str, int] = {}
    for name, count in parameters.items():
        module = name.partition(".")[0]
        total[module] = total.get(module, 0) + count
    return total
