"""Gradients of convolutions' weights in bfloat16 on a processor: written whole, and as products where that is faster.

Where a map is so small that some places of a kernel see nothing but padding, oneDNN leaves the gradient of the weights
there as the memory was: seen with PyTorch 2.13 and kernels of 5x5 and more. It is zero, and is made so.

On a processor PyTorch gives a convolution to oneDNN, which goes along the rows of a map. AMX multiplies 16 rows of a
matrix at a time, so on a map of 7 columns half of it idles; and of a kernel of 1x1 the gradient is a plain product
anyway. One product over all pixels of all images, of the kernel's patches laid side by side, has no such edges.
docs/decisions/training-speed.md has what it gives.
"""

from contextlib import AbstractContextManager, nullcontext
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from striate.device import Machine
from striate.graph.meta import QuickMode

BACKWARD = torch.ops.aten.convolution_backward.default
LEAST_CHANNELS = 128  # in, of a kernel of 1x1; of larger ones, whose patches have to be copied, twice as many
LEAST_OUT = 64
MOST_PIXELS = 64  # of an output map, with a larger kernel
MOST_VALUES = 2**26  # of all patches together: 128 megabytes


class Backward(NamedTuple):
    """What PyTorch's `convolution_backward` is given, in its order."""

    gradient: Tensor
    """The gradient of the output (N, out, H, W)."""

    images: Tensor
    weight: Tensor
    bias_sizes: list[int] | None
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    transposed: bool
    output_padding: list[int]
    groups: int
    wanted: list[bool]
    """Gradients: of images, weight and bias."""


def bfloat16_backward(net: nn.Module, machine: Machine) -> AbstractContextManager[object]:
    """What to surround a backward pass with, again and again; nothing where nothing is to be mended or gained.

    Args:
        net: that learns.
        machine: where, and in which precision.
    """
    if machine.device.type != "cpu" or machine.precision != "bfloat16":
        return nullcontext()
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    wide = any(layer.in_channels >= LEAST_CHANNELS and layer.out_channels >= LEAST_OUT for layer in layers)
    products = wide and bool(torch.cpu.get_capabilities().get("amx_bf16"))
    large = any(extent > 3 for layer in layers for extent in layer.kernel_size)
    return WeightGradients(products) if products or large else nullcontext()


class WeightGradients(QuickMode):
    """A context in which the gradients of convolutions' weights are whole.

    Args:
        products: whether some of them are matrix products.
    """

    def __init__(self, products: bool) -> None:
        super().__init__()
        self.products = products

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Called by PyTorch for each operation."""
        if func is not BACKWARD:
            return func(*args, **(kwargs or {}))
        of = Backward(*args)
        found = gradients(of) if self.products and gains(of) else func(*args)
        if of.wanted[1] and not of.transposed:
            clear_unseen(found[1], of)
        return found


def clear_unseen(of_weight: Tensor, of: Backward) -> None:
    """Makes the gradient zero, in place, where a kernel sees nothing but padding."""
    for axis, kernel in enumerate(of.weight.shape[2:]):
        pixels, outputs = of.images.shape[2 + axis], of.gradient.shape[2 + axis]
        for tap in range(kernel):
            first = tap * of.dilation[axis] - of.padding[axis]  # the pixel that it sees from the first output
            if not any(0 <= first + output * of.stride[axis] < pixels for output in range(outputs)):
                of_weight.select(2 + axis, tap).zero_()


def gains(of: Backward) -> bool:
    """Whether a product is expected to be faster than oneDNN."""
    plain = of.images.ndim == 4 and set(of.dilation) == {1} and not of.transposed and of.groups == 1
    if not plain or not of.wanted[1] or of.images.dtype != torch.bfloat16:
        return False
    out_channels, in_channels, *kernel = of.weight.shape
    if out_channels < LEAST_OUT:
        return False
    if prod(kernel) == 1:
        return in_channels >= LEAST_CHANNELS
    count, _, *size = of.gradient.shape
    few = prod(size) <= MOST_PIXELS and count * prod(size) * of.weight[0].numel() <= MOST_VALUES
    return in_channels >= 2 * LEAST_CHANNELS and few


def gradients(of: Backward) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """Of images, weight and bias; that of the weight as a product."""
    of_images = None
    if of.wanted[0]:
        of_images, _, _ = BACKWARD(*of._replace(wanted=[True, False, False]))
    flat = of.gradient.permute(0, 2, 3, 1).flatten(0, 2)  # (N H W, out)
    kernel = of.weight.shape[2:]
    of_weight = _product(flat, _patches(of.images, kernel, of.stride, of.padding))
    of_bias = flat.sum(dim=0) if of.wanted[2] else None
    return of_images, of_weight.unflatten(1, (*kernel, -1)).permute(0, 3, 1, 2), of_bias


def _patches(images: Tensor, kernel: torch.Size, stride: list[int], padding: list[int]) -> Tensor:
    """(N H W, kernel and in): what each pixel of the output is made of."""
    x = images.permute(0, 2, 3, 1)
    if any(padding):
        x = pad(x, (0, 0, padding[1], padding[1], padding[0], padding[0]))
    patches = x.unfold(1, kernel[0], stride[0]).unfold(2, kernel[1], stride[1])  # (N, H, W, in, kernel)
    return patches.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2)


def _product(flat: Tensor, patches: Tensor) -> Tensor:
    """(out, kernel and in): oneDNN multiplies faster by what lies in order, which is worth a copy of the smaller."""
    left = flat.t().contiguous() if patches.shape[1] > 4 * flat.shape[1] else flat.t()
    return left @ patches
