"""The shapes of the results of common operations on meta tensors.

PyTorch has rules of its own for all of them, but they are slow, and the first use of one imports its compiler, which
takes longer than the inspection of any network. Operations that are not here go by PyTorch's rule, and tests compare
the two.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from striate.arithmetic import conv_size, pool_size, transposed_conv_size

UNARY = """
abs celu clone elu exp gelu hardsigmoid hardswish hardtanh leaky_relu log mish neg relu relu6 rsqrt sigmoid silu
softplus sqrt square tanh clamp clamp_min clamp_max pow threshold _softmax _log_softmax
"""
BINARY = "add sub mul div maximum minimum"


def result_of(operation: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operation returns for meta tensors."""
    first = args[0] if args else None
    if isinstance(first, Tensor) and first.is_meta and first.is_floating_point():
        if name in IN_PLACE and _agree(first, args):
            return first
        if name in SHAPES and _agree(first, args):
            return SHAPES[name](*args, **kwargs)
    elif (
        name == "cat"
        and first
        and all(_agree(first[0], (part,)) for part in first)
        and len({*map(Tensor.dim, first)}) == 1
    ):
        return _cat(*args)
    return operation(*args, **kwargs)


def _agree(first: Tensor, args: tuple[Any, ...]) -> bool:
    """Whether all tensors have one type, so that the result has it too."""
    return first.is_meta and all(arg.dtype == first.dtype for arg in args if isinstance(arg, Tensor))


def _like(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x.new_empty(x.shape)


def _empty_like(x: Tensor, *, dtype: torch.dtype | None = None, device: Any = None, **_: Any) -> Tensor:
    return x.new_empty(x.shape, dtype=dtype, device=device)


def _broadcast(x: Tensor, y: Any, **_: Any) -> Tensor:
    if not isinstance(y, Tensor) or x.shape == y.shape:
        return x.new_empty(x.shape)
    rank = max(x.dim(), y.dim())
    sides = [((1,) * (rank - t.dim()) + tuple(t.shape)) for t in (x, y)]
    if any(a != b and 1 not in (a, b) for a, b in zip(*sides, strict=True)):
        raise RuntimeError(f"shapes {list(x.shape)} and {list(y.shape)} do not fit together")
    return x.new_empty([b if a == 1 else a for a, b in zip(*sides, strict=True)])


def _cat(parts: list[Tensor], dim: int = 0) -> Tensor:
    shape = list(parts[0].shape)
    for part in parts[1:]:
        rest = [(a, b) for d, (a, b) in enumerate(zip(shape, part.shape, strict=True)) if d != dim % len(shape)]
        if any(a != b for a, b in rest):
            shapes = ", ".join(str(list(p.shape)) for p in parts)
            raise RuntimeError(f"concatenation expected shapes that differ in dimension {dim} alone and got {shapes}")
    shape[dim] = sum(part.shape[dim] for part in parts)
    return parts[0].new_empty(shape)


def _mean(x: Tensor, dim: list[int] | None = None, keepdim: bool = False, **_: Any) -> Tensor:
    gone = {d % x.dim() for d in dim} if dim else set(range(x.dim()))
    return x.new_empty([1 if d in gone else n for d, n in enumerate(x.shape) if keepdim or d not in gone])


def _addmm(bias: Tensor, a: Tensor, b: Tensor, **_: Any) -> Tensor:
    return _mm(a, b)


def _mm(a: Tensor, b: Tensor) -> Tensor:
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError(f"a dense layer expected {b.shape[-2]} numbers and got {a.shape[-1]}")
    return a.new_empty((*a.shape[:-1], b.shape[-1]))


def _batch_norm(x: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    training = rest[4]
    mean, deviation = (x.new_empty(x.shape[1] if training else 0) for _ in range(2))
    return x.new_empty(x.shape), mean, deviation


def _pool(
    x: Tensor, kernel_size: list[int], stride: list[int], padding: list[int], dilation: list[int], ceil_mode: bool
) -> Tensor:
    k, s, p, d = ((list(v) * 2)[:2] for v in (kernel_size, stride or kernel_size, padding, dilation))
    size = [pool_size(n, k[i], s[i], p[i], d[i], ceil_mode=ceil_mode) for i, n in enumerate(x.shape[-2:])]
    return x.new_empty((*x.shape[:-2], *size))


def _max_pool(
    x: Tensor,
    kernel_size: list[int],
    stride: Any = (),
    padding: Any = (0,),
    dilation: Any = (1,),
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    out = _pool(x, kernel_size, stride, padding, dilation, ceil_mode)
    return out, out.new_empty(out.shape, dtype=torch.int64)


def _average_pool(
    x: Tensor, kernel_size: list[int], stride: Any = (), padding: Any = (0,), ceil_mode: bool = False, *_: Any
) -> Tensor:
    return _pool(x, kernel_size, stride, padding, [1], ceil_mode)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> Tensor:
    rank = weight.dim() - 2
    expected, channels = weight.shape[1] * groups, weight.shape[0]
    if transposed:
        expected, channels = channels, expected
    if x.shape[1] != expected:
        raise RuntimeError(f"a convolution expected {expected} channels and got {x.shape[1]}")
    s, p, d, extra = ((list(value) * rank)[:rank] for value in (stride, padding, dilation, output_padding))
    sides = enumerate(zip(x.shape[2:], weight.shape[2:], strict=True))
    if transposed:
        size = [transposed_conv_size(n, k, s[i], p[i], extra[i], d[i]) for i, (n, k) in sides]
    else:
        size = [conv_size(n, k, s[i], p[i], d[i]) for i, (n, k) in sides]
    return x.new_empty((x.shape[0], channels, *size))


SHAPES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(UNARY.split(), _like),
    **dict.fromkeys(BINARY.split(), _broadcast),
    "_adaptive_avg_pool2d": lambda x, size: x.new_empty((*x.shape[:-2], *size)),
    "addmm": _addmm,
    "avg_pool2d": _average_pool,
    "bmm": _mm,
    "convolution": _convolution,
    "empty_like": _empty_like,
    "max_pool2d_with_indices": _max_pool,
    "mean": _mean,
    "mm": _mm,
    "native_batch_norm": _batch_norm,
}
IN_PLACE = frozenset(f"{name}_" for name in f"{UNARY} {BINARY} bernoulli fill zero".split())
