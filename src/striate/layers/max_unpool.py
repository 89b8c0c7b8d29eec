"""Max pooling that remembers where each maximum was, and the unpooling that puts values back there.

Source: Badrinarayanan et al. 2015, arXiv:1511.00561, sec. 3 and fig. 3, for windows that do not overlap. PyTorch's
`max_unpool2d` gives the same values; a scatter also runs where that lacks a kernel, and takes any output size.
"""

from torch import Tensor
from torch.nn.functional import max_pool2d_with_indices


def max_pool_positions(x: Tensor, kernel_size: int = 2) -> tuple[Tensor, Tensor]:
    """The maxima of windows that do not overlap, and the position of each as row * W + column.

    Both are (N, C, floor(H / kernel_size), floor(W / kernel_size)).
    """
    return max_pool2d_with_indices(x, (kernel_size, kernel_size))


def max_unpool(x: Tensor, positions: Tensor, size: tuple[int, int]) -> Tensor:
    """Each value of `x` at its position in a map of `size` (H, W) that is zero elsewhere: (N, C, H, W).

    Args:
        x: (N, C, h, w).
        positions: of the shape of `x`, no two of a map alike, from a map of `size`.
    """
    height, width = size
    flat = x.new_zeros(*x.shape[:2], height * width)
    return flat.scatter(2, positions.flatten(2), x.flatten(2)).view(*x.shape[:2], height, width)
