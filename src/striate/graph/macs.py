"""How many multiplications each operation makes, and which are known to make none.

As in the literature, only those of convolutions, dense layers and matrix products count; norms, activations, pooling,
interpolation and element-wise products do not. Any operation that is in none of the lists here is unknown.
"""

from math import prod

from torch import Tensor

from striate.arithmetic import conv_macs, transposed_conv_macs
from striate.graph.op_rules import ATTENTIONS, PRODUCTS, RULES, Arguments, operands

UNCHANGED = """
alias as_strided chunk clone contiguous copy_ detach expand flatten lift_fresh narrow
permute reshape select set_ slice split split_with_sizes squeeze squeeze_ t to _to_copy transpose transpose_ unbind
unflatten unsafe_split unsqueeze unsqueeze_ view _reshape_copy _unsafe_view
"""
CREATED = """
bernoulli_ empty_like full_like new_empty new_empty_strided new_full new_ones new_zeros ones_like rand_like randn_like
zeros_like
"""
CONSTANT = frozenset(CREATED.split())
"""Operations that take the shape of a tensor and none of its values."""

SILENT = frozenset(UNCHANGED.split())
"""Operations that make no layer: views of the same values, or copies of them."""

MOVED = """
_local_scalar_dense argsort col2im cummax cumsum diagonal embedding flip fmod gather grid_sampler_2d im2col index
index_add index_copy index_put index_put_ index_select is_nonzero isinf isnan kthvalue masked_select median nonzero
repeat repeat_interleave roll rot90 scatter sort stack topk tril triu unfold upsample_linear1d upsample_nearest1d
upsample_trilinear3d upsample_nearest3d max_pool3d_with_indices avg_pool3d _adaptive_avg_pool3d max_unpool3d
"""
FREE = frozenset(RULES) | CONSTANT | SILENT | frozenset(MOVED.split())
"""Operations without multiplications, as counted here."""

WITH_COST = frozenset(f"convolution mv dot vdot addmv linear {PRODUCTS} {ATTENTIONS}".split())


def macs_of(operation: str, a: Arguments, out: Tensor) -> tuple[int, int]:
    """How many multiplications one operation makes, and how many biases it adds.

    Args:
        operation: a name in `WITH_COST`.
        a: its arguments by name.
        out: its first result.
    """
    if operation == "convolution":
        return _convolution(a, out), out.numel() if a["bias"] is not None else 0
    if operation in ATTENTIONS.split():
        tokens = a["query"].shape[:-1].numel()
        return tokens * a["key"].shape[-2] * (a["query"].shape[-1] + a["value"].shape[-1]), 0
    if operation in PRODUCTS.split():
        biased = operation in ("addmm", "baddbmm")
        return out.numel() * operands(a)[0].shape[-1], out.numel() if biased else 0
    if operation == "linear":
        return out.numel() * a["weight"].shape[-1], out.numel() if a["bias"] is not None else 0
    if operation == "addmv":
        return a["mat"].numel(), out.numel()
    return a["self"].numel(), 0


def _convolution(a: Arguments, out: Tensor) -> int:
    weight, groups = a["weight"], a["groups"]
    kernel_size = tuple(weight.shape[2:])
    images = prod(out.shape[: out.dim() - 1 - len(kernel_size)])
    if a["transposed"]:
        input_size = tuple(a["input"].shape[-len(kernel_size) :])
        channels = weight.shape[0], weight.shape[1] * groups
        return images * transposed_conv_macs(*channels, kernel_size, input_size, groups=groups)
    channels = weight.shape[1] * groups, weight.shape[0]
    return images * conv_macs(*channels, kernel_size, tuple(out.shape[-len(kernel_size) :]), groups=groups)
