"""A frozen part of a net as OpenVINO's operations, taken down one by one while PyTorch runs it once.

OpenVINO's own way is by `torch.export`, which takes seconds of every process before the first batch. Most nets are made
of few operations, and PyTorch's dispatcher names each with all that it is given, so that they can be told to OpenVINO
directly, as its own way would tell them: docs/decisions/openvino.md.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from striate.graph.meta import QuickMode
from striate.graph.parts import Prefix

if TYPE_CHECKING:
    from openvino import Model as OpenVinoNetwork
    from openvino import Node

IMAGES = 2  # of the one run; any number of images may follow


class UnknownOperationError(Exception):
    """An operation that has no row in `RULES`, or is used in a way that its row does not have."""


def network_of(prefix: Prefix, size: tuple[int, int, int]) -> "OpenVinoNetwork":
    """The frozen part as a network of OpenVINO for any number of images.

    Args:
        prefix: the frozen part, in float32 on the processor; it stays as it is.
        size: channels, height and width of the images.

    Raises:
        UnknownOperationError: if it has another operation.
    """
    import openvino

    entry = _opset().parameter([-1, *size], np.float32, name="images")
    with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False):
        images = torch.zeros(IMAGES, *size)
        with _Notes(images, entry) as notes:
            values = prefix(images)
    return openvino.Model([notes.value(value) for value in values], [entry])


def _opset() -> Any:
    """The operations of OpenVINO; a set of them stays as it is."""
    from openvino import opset14

    return opset14


class _Notes(QuickMode):
    """Takes down each operation on what depends on the images; what does not is worked out, and constant.

    Args:
        images: that the frozen part runs on.
        entry: what OpenVINO calls them.
    """

    def __init__(self, images: Tensor, entry: "Node") -> None:
        super().__init__()
        self._nodes = WeakTensorKeyDictionary()  # by each tensor that depends on the images
        self._nodes[images] = entry

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = operation(*args, **(kwargs or {}))
        if self._depends(args):
            rule = RULES.get(str(operation))
            result = found[0] if isinstance(found, tuple) else found
            if rule is None or kwargs or result.dtype is not torch.float32:
                raise UnknownOperationError(str(operation))
            self._nodes[result] = rule(self, *args)
        return found

    def value(self, tensor: Any) -> "Node":
        """What OpenVINO computes a tensor by that depends on the images."""
        if not self._depends(tensor):
            raise UnknownOperationError("a value that is the same for all images, beside one that is not")
        return self._nodes[tensor]

    def constant(self, tensor: Tensor) -> "Node":
        """A tensor that does not depend on the images."""
        if self._depends(tensor) or tensor.dtype is not torch.float32:
            raise UnknownOperationError("weights that depend on the images")
        return _opset().constant(tensor.detach().contiguous().numpy())

    def _depends(self, argument: Any) -> bool:
        if isinstance(argument, list | tuple):
            return any(self._depends(each) for each in argument)
        return isinstance(argument, Tensor) and argument in self._nodes


def _convolution(
    notes: _Notes,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> "Node":
    if transposed:
        raise UnknownOperationError("a transposed convolution")
    window = (list(stride), list(padding), list(padding), list(dilation))
    if groups == 1:
        summed = _opset().convolution(notes.value(x), notes.constant(weight), *window)
    else:
        filters = notes.constant(weight.unflatten(0, (groups, -1)))
        summed = _opset().group_convolution(notes.value(x), filters, *window)
    return summed if bias is None else _opset().add(summed, notes.constant(bias.reshape(1, -1, 1, 1)))


def _batch_norm(
    notes: _Notes,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> "Node":
    settings = (weight, bias, mean, variance)
    if training or any(each is None for each in settings):
        raise UnknownOperationError("batch norm by the statistics of a batch")
    constants = (notes.constant(each) for each in settings if each is not None)
    return _opset().batch_norm_inference(notes.value(x), *constants, eps)


def _clamp(notes: _Notes, x: Tensor, low: float = -1.0, high: float = 1.0) -> "Node":
    return _opset().clamp(notes.value(x), float(low), float(high))


def _pad(notes: _Notes, x: Tensor, pads: Sequence[int], value: float = 0.0) -> "Node":
    before, after = ([*[0] * (x.ndim - len(pads) // 2), *pads[side::2][::-1]] for side in (0, 1))
    if before[0] or after[0]:
        raise UnknownOperationError("more images than there are")
    return _opset().pad(notes.value(x), before, after, "constant", np.float32(value))


def _max_pool(
    notes: _Notes,
    x: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    ceil_mode: bool = False,
) -> "Node":
    if ceil_mode:
        raise UnknownOperationError("pooling that rounds up")
    settings = (stride or kernel_size, dilation, padding, padding, kernel_size)
    return _opset().max_pool(notes.value(x), *(list(each) * (2 // len(each)) for each in settings)).output(0)


def _mean(notes: _Notes, x: Tensor, dims: Sequence[int], keepdim: bool = False) -> "Node":
    axes = [dim % x.ndim for dim in dims]
    if not axes or 0 in axes:
        raise UnknownOperationError("a mean over images")
    return _opset().reduce_mean(notes.value(x), axes, keepdim)


def _cat(notes: _Notes, tensors: Sequence[Tensor], dim: int = 0) -> "Node":
    if dim % tensors[0].ndim == 0:
        raise UnknownOperationError("more images than there are")
    return _opset().concat([notes.value(tensor) for tensor in tensors], dim % tensors[0].ndim)


def _view(notes: _Notes, x: Tensor, shape: Sequence[int]) -> "Node":
    if shape[0] != x.shape[0] or min(shape) < 0:
        raise UnknownOperationError("a view that is not of each image")
    return _opset().reshape(notes.value(x), [-1, *shape[1:]], False)


def _slice(
    notes: _Notes, x: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> "Node":
    if dim % x.ndim == 0:
        if start or step != 1 or (end is not None and end < x.shape[0]):
            raise UnknownOperationError("some of the images")
        return notes.value(x)
    last = x.shape[dim] if end is None else min(end, x.shape[dim])
    return _opset().slice(notes.value(x), [start or 0], [last], [step], [dim % x.ndim])


RULES: dict[str, Callable[..., "Node"]] = {  # by the dispatcher's names
    "aten.convolution.default": _convolution,
    "aten.native_batch_norm.default": _batch_norm,
    "aten.relu.default": lambda notes, x: _opset().relu(notes.value(x)),
    "aten.hardtanh.default": _clamp,
    "aten.add.Tensor": lambda notes, x, y: _opset().add(notes.value(x), notes.value(y)),
    "aten.constant_pad_nd.default": _pad,
    "aten.max_pool2d_with_indices.default": _max_pool,
    "aten.mean.dim": _mean,
    "aten.cat.default": _cat,
    "aten.slice.Tensor": _slice,
    "aten.view.default": _view,
}
