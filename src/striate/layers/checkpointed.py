"""A chain of layers that trains in little memory, by computing again what it did not keep.

Source: Chen et al. 2016, arXiv:1604.06174, sec. 4.1: n layers in about sqrt(n) segments need memory for about
2 sqrt(n) outputs, and one more forward pass.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from math import isqrt

from torch import Tensor, is_grad_enabled, nn
from torch.utils.checkpoint import checkpoint


class Checkpointed(nn.Sequential):
    """An `nn.Sequential` with the same parameter names that keeps the output of every sqrt(n)-th layer only.

    Gradients are identical, dropout draws the same masks, and the running statistics of batch norm move once.
    Forward hooks inside run once more during the backward pass.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Runs every layer in turn."""
        if not is_grad_enabled():
            for layer in self:
                x = layer(x)
            return x
        layers = list(self)
        length = max(1, isqrt(len(layers)))
        for start in range(0, len(layers), length):
            segment = nn.Sequential(*layers[start : start + length])
            x = checkpoint(segment, x, use_reentrant=False, context_fn=partial(_contexts, segment))
        return x


def _contexts(segment: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """What surrounds the first pass of a segment, and the second."""
    return nullcontext(), _buffers_unchanged(segment)


@contextmanager
def _buffers_unchanged(segment: nn.Module) -> Iterator[None]:
    """Throws away what a segment writes into its buffers, because its first pass has written it already."""
    buffers = [(owner, *named) for owner in segment.modules() for named in owner.named_buffers(recurse=False)]
    for owner, name, buffer in buffers:
        setattr(owner, name, buffer.clone())
    try:
        yield
    finally:
        for owner, name, buffer in buffers:
            setattr(owner, name, buffer)
