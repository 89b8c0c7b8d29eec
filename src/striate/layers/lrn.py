"""Local response normalisation (Krizhevsky et al. 2012, NeurIPS 25, sec. 3.3)."""

from torch import Tensor
from torch.nn.functional import pad

from striate.errors import SizeError


def local_response_norm(x: Tensor, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> Tensor:
    """Divides each activation by a power of the energy at its place in the channels beside it.

        y[c] = x[c] / (k + alpha * sum of x[j]^2 over the `size` channels j around c) ^ beta

    It normalises activations, never parameters: it has none. Beyond the first and the last channel lies zero; an even
    `size` reaches one channel further back than ahead.

    Args:
        x: (N, C, …).
        size: >= 1, in channels.
        alpha, beta, k: the paper's, which sums; PyTorch and Caffe average, so their alpha is `size` times this one.

    Raises:
        SizeError: `size` is below 1.

    Source: sec. 3.3, whose constants are the defaults. Checked against `torch.nn.LocalResponseNorm`.
    """
    if size < 1:
        raise SizeError(f"`size`: expected at least 1 channel; got {size}. Try 5, the paper's.")
    channels = x.shape[1]
    around = [0, 0] * (x.dim() - 2) + [size // 2, (size - 1) // 2]
    squares = pad(x.square(), around)
    energy = squares.narrow(1, 0, channels)
    for first in range(1, size):
        energy = energy + squares.narrow(1, first, channels)
    return x / (k + alpha * energy) ** beta
