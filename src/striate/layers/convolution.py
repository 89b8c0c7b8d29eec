"""Convolution as mathematics defines it, and cross-correlation, which deep learning calls convolution.

    cross_correlate(x, w)[i, j] = sum of x[i + a, j + b] w[a, b]    the filter as it is: what `nn.Conv2d` does
    convolve(x, w)[i, j]        = sum of x[i - a, j - b] w[a, b]    the filter turned by 180 degrees first

Over all shifts at which the two overlap ("full"), convolution is commutative and associative; cross-correlation is
neither. A filter that is trained does not care; one that is designed, or two that are to be joined into one, do.
"""

from typing import Literal, get_args

from torch import Tensor
from torch.nn.functional import conv2d

from striate.errors import SizeError, UsageError, nearest

Mode = Literal["full", "valid"]


def cross_correlate(image: Tensor, kernel: Tensor, mode: Mode = "full") -> Tensor:
    """The sums of products of `kernel`, unturned, with what lies under it at each shift.

    Args:
        image: (H, W).
        kernel: (h, w), of the same dtype.
        mode: "full", every shift at which the two overlap: (H + h - 1, W + w - 1); or "valid", every shift at which
            the kernel lies inside: (H - h + 1, W - w + 1).

    Raises:
        SizeError: a tensor has not two dimensions, or a "valid" kernel is larger than the image.
        UsageError: `mode` is neither.

    >>> import torch
    >>> cross_correlate(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, -1.0]]), "valid")
    tensor([[-1., -1.]])
    """
    for name, tensor in (("image", image), ("kernel", kernel)):
        if tensor.dim() != 2:
            raise SizeError(
                f"`{name}`: expected the shape (H, W); got {list(tensor.shape)}. Try one channel at a time."
            )
    height, width = kernel.shape
    if mode == "full":
        padding = (height - 1, width - 1)
    elif mode == "valid":
        padding = (0, 0)
        if height > image.shape[0] or width > image.shape[1]:
            raise SizeError(
                f"`kernel`: expected at most {list(image.shape)}, the size of the image; got {list(kernel.shape)}. "
                'Try mode="full".'
            )
    else:
        raise UsageError(f"`mode`: expected full or valid; got {mode!r}. {nearest(str(mode), get_args(Mode))}")
    return conv2d(image[None, None], kernel[None, None], padding=padding)[0, 0]


def convolve(image: Tensor, kernel: Tensor, mode: Mode = "full") -> Tensor:
    """True convolution: `cross_correlate` with the kernel turned by 180 degrees.

    >>> import torch
    >>> convolve(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, -1.0]]), "valid")
    tensor([[1., 1.]])
    """
    return cross_correlate(image, kernel.flip(-2, -1) if kernel.dim() == 2 else kernel, mode)
