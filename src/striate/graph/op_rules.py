"""How each operation of PyTorch passes receptive fields on.

Operations are those that reach a device ("aten"), so that functional code, operators and modules look alike.
A rule takes the operation's arguments by name, including tensors that do not depend on the image. It looks up their
receptive fields and returns those of the result, or None where they cannot be followed.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import reduce
from typing import Any

from torch import Tensor

from striate.graph.layout import COLUMNS, ROWS, ReceptiveFields, plain
from striate.graph.receptive_field import Axis

Arguments = dict[str, Any]
Lookup = Callable[[Tensor], ReceptiveFields | None]
Rule = Callable[[Arguments, Lookup, Tensor], ReceptiveFields | None]


def arguments_of(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Arguments:
    """The arguments of an operation's call by name, with the defaults of those that were not given."""
    a: Arguments = {argument.name: argument.default_value for argument in operation._schema.arguments}
    a |= dict(zip(a, args, strict=False)) | (kwargs or {})
    return a


def tensors_in(value: object) -> Iterable[Tensor]:
    """The tensors in an argument, which may be a list of them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)


def pair(value: Any) -> tuple[int, int]:
    """A number or a list of one or two, as (rows, columns)."""
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    return (numbers[0], numbers[-1])


def elementwise(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    """Each result reads what any operand reads at the same place."""
    found = [fields(tensor) for value in a.values() for tensor in tensors_in(value)]
    known = [field for field in found if field is not None]
    joined: ReceptiveFields | None = known[0].resized(out.shape)
    for field in known[1:]:
        joined = joined and joined.join(field, out.shape)
    return joined


def _windows(axes: Callable[[Arguments, ReceptiveFields, Tensor], tuple[Axis, Axis]]) -> Rule:
    """Makes a rule for an operation on maps (…, H, W)."""

    def rule(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
        field = fields(a["self"] if "self" in a else a["input"])
        return field.as_map(axes(a, field, out), out.shape) if field and field.is_map() else None

    return rule


def window_of(a: Arguments) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Kernel size, stride, padding and dilation of a convolution or pooling, each as (rows, columns)."""
    kernel = tuple(a["weight"].shape[2:]) if "weight" in a else a["kernel_size"]
    kernel_size = pair(kernel)
    return kernel_size, pair(a["stride"] or kernel_size), pair(a["padding"]), pair(a.get("dilation") or 1)


def _window(a: Arguments, field: ReceptiveFields, out: Tensor) -> tuple[Axis, Axis]:
    numbers = zip(*window_of(a), strict=True)
    transposed = a.get("transposed", False)
    rows, columns = (
        (axis.transposed if transposed else axis.window)(*four, n)
        for axis, four, n in zip(field.axes, numbers, out.shape[-2:], strict=True)
    )
    return rows, columns


def _max_pooled(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    """Max pooling: the maxima, and their positions, which remember where they came from."""
    field = _windows(_window)(a, fields, out)
    if field is None or out.is_floating_point():
        return field
    rows, columns = zip(*window_of(a), strict=True)
    h, w = a["self"].shape[-2:]
    return replace(field, places=((rows, columns), (h, w)))


def _unpooled(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    """Unpooling puts values where maxima were: a position reads what the windows around it do."""
    scattered = "index" in a
    index = a["index"] if scattered else a["indices"]
    values, positions = fields(a["src"] if scattered else a["self"]), fields(index)
    if values is None or positions is None or (scattered and fields(a["self"])):
        return None
    joined = values.join(positions, index.shape)
    return replace(joined, places=positions.places).unpooled(out.shape) if joined else None


def _each(change: Callable[[Arguments, Axis, int], Axis]) -> Rule:
    def axes(a: Arguments, field: ReceptiveFields, out: Tensor) -> tuple[Axis, Axis]:
        h, w = out.shape[-2:]
        return change(a, field.axes[ROWS], h), change(a, field.axes[COLUMNS], w)

    return _windows(axes)


def _padded(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    field = fields(a["self"])
    pads = a.get("pad", a.get("padding"))
    if field is None or not pads or not field.is_map():
        return None
    left, top = pads[0], pads[2] if len(pads) > 2 else 0
    h, w = out.shape[-2:]
    return field.as_map((field.axes[ROWS].moved(-top, 1, h), field.axes[COLUMNS].moved(-left, 1, w)), out.shape)


def _reduced(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    field = fields(a["self"])
    if field is None:
        return None
    over = a.get("dim")
    every = range(len(field.layout))
    dimensions = every if over is None or over == [] else [over] if isinstance(over, int) else over
    return field.reduced(dimensions, bool(a.get("keepdim", False)))


def _normalised(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    """In a softmax or layer norm, every element reads all along the dimensions that are normalised."""
    field = fields(a["self"] if "self" in a else a["input"])
    if field is None:
        return None
    over = [a["dim"]] if "dim" in a else range(-len(a["normalized_shape"]), 0)
    return field.saturated(field.sides(over))


def _group_norm(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    field = fields(a["input"])
    return field and field.saturated((ROWS, COLUMNS))


def _batch_norm(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    field = fields(a["input"])
    uses_batch = a.get("training", False) or a.get("use_input_stats", False)
    return field.saturated((ROWS, COLUMNS)) if field and uses_batch else field


def operands(a: Arguments) -> tuple[Tensor, Tensor]:
    """The two matrices of a product, or batches of them."""
    names = [name for name in ("self", "mat1", "mat2", "batch1", "batch2") if name in a][-2:]
    return a[names[0]], a[names[1]]


def _product(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    """In a matrix product, each result reads a row of the first operand and a column of the second."""
    left, right = (fields(operand) for operand in operands(a))
    if left:
        left = left.without(left.sides([-1]))
        left = ReceptiveFields(left.axes, (*left.layout[:-1], plain(out.shape[-1])))
    if right:
        right = right.without(right.sides([-2]))
        right = ReceptiveFields(right.axes, (*right.layout[:-2], plain(out.shape[-2]), right.layout[-1]))
    if left and right:
        return left.join(right, out.shape) or left.without({ROWS, COLUMNS}).join(
            right.without({ROWS, COLUMNS}), out.shape
        )
    return left or right


def _attention(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    """In attention, every token reads all tokens."""
    found = [fields(a[name]) for name in ("query", "key", "value")]
    whole = [field.saturated(field.sides([-2])) for field in found if field]
    if len(whole) < 3 or any(field.sides([-1]) for field in whole):
        return None
    return reduce(lambda x, y: x and y.join(x, out.shape), whole[1:], whole[0].resized(out.shape))


def _reshaped(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    field = fields(a["self"])
    return field and field.reshaped(out.shape)


def _permuted(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    field = fields(a["self"])
    if field is None:
        return None
    rank = len(field.layout)
    if "dims" in a:
        return field.permuted([d % rank for d in a["dims"]])
    order = list(range(rank))
    one, other = (a["dim0"] % rank, a["dim1"] % rank) if "dim0" in a else (0, rank - 1)
    order[one], order[other] = order[other], order[one]
    return field.permuted(order)


def _concatenated(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    parts = [fields(tensor) for tensor in a["tensors"]]
    dimension = a.get("dim", 0)
    known = [part for part in parts if part]
    if len(known) < len(parts) or any(part.sides([dimension]) for part in known):
        return None
    joined: ReceptiveFields | None = known[0].resized(out.shape)
    for part in known[1:]:
        joined = joined and joined.join(part, out.shape)
    return joined


def _sliced(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    field = fields(a["self"])
    if field is None:
        return None
    dimension = a.get("dim", 0) % len(field.layout)
    sides = field.sides([dimension])
    if not sides or out.shape[dimension] == a["self"].shape[dimension]:
        return field.resized(out.shape)
    if len(field.layout[dimension]) > 1:
        return None
    side, size = sides.pop(), a["self"].shape[dimension]
    start = a.get("start") or 0
    moved = field.axes[side].moved(start + size if start < 0 else start, a.get("step", 1), out.shape[dimension])
    axes = (moved, field.axes[COLUMNS]) if side == ROWS else (field.axes[ROWS], moved)
    layout = list(field.layout)
    layout[dimension] = ((out.shape[dimension], side),)
    return ReceptiveFields(axes, tuple(layout))


def _split(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    field = fields(a["self"])
    if field is None or field.sides([a.get("dim", 0)]):
        return None
    return (
        field.reduced([a.get("dim", 0)], keepdim=False) if out.dim() < len(field.layout) else field.resized(out.shape)
    )


def _shuffled(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    """Pixel shuffle turns channels into finer positions, each of which reads what its old position did."""
    return _each(lambda _, axis, n: axis.nearest(n))(a, fields, out)


def _unshuffled(a: Arguments, fields: Lookup, out: Tensor) -> ReceptiveFields | None:
    factor = a["downscale_factor"]
    return _each(lambda _, axis, n: axis.window(factor, factor, 0, 1, n))(a, fields, out)


def _rules(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


ELEMENTWISE = """
abs add add_ addcdiv addcmul alias bitwise_and bitwise_not bitwise_or celu clamp clamp_ clamp_max
clamp_max_ clamp_min clamp_min_ clone contiguous copy_ cos cosh detach div div_ dropout elu elu_ eq erf exp expm1 fill
fill_ floor ge gelu gelu_ glu gt hardsigmoid hardsigmoid_ hardswish hardswish_ hardtanh hardtanh_ le leaky_relu
leaky_relu_ lift_fresh log log1p logical_and logical_not logical_or log_sigmoid_forward lt masked_fill masked_fill_
maximum minimum mish mish_ mul mul_ native_dropout ne neg pow prelu _prelu_kernel reciprocal relu relu_ relu6 remainder
round rrelu_with_noise rsqrt rsub sigmoid sigmoid_ sign silu silu_ sin sinh softplus sqrt square sub sub_ tan tanh tanh_
threshold threshold_ _to_copy to where xlogy
"""
BATCH_NORMS = (
    "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training batch_norm cudnn_batch_norm"
)
REDUCTIONS = "all amax amin any argmax argmin linalg_vector_norm logsumexp max mean min norm prod std sum var var_mean"
ATTENTIONS = """
scaled_dot_product_attention _scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu
_scaled_dot_product_efficient_attention _scaled_dot_product_attention_math _scaled_dot_product_cudnn_attention
"""
PRODUCTS = "addmm mm bmm baddbmm"
WINDOWS = frozenset({"convolution", "max_pool2d_with_indices", "avg_pool2d"})
LINEAR = "upsample_bilinear2d _upsample_bilinear2d_aa"
CUBIC = "upsample_bicubic2d _upsample_bicubic2d_aa"
VIEWS = "view _unsafe_view _reshape_copy reshape flatten unflatten squeeze unsqueeze squeeze_ unsqueeze_"

RULES: dict[str, Rule] = {
    **_rules(elementwise, ELEMENTWISE),
    **_rules(_batch_norm, BATCH_NORMS),
    **_rules(_normalised, "softmax _softmax _safe_softmax log_softmax _log_softmax native_layer_norm _fused_rms_norm"),
    **_rules(_group_norm, "native_group_norm"),
    **_rules(_reduced, REDUCTIONS),
    **_rules(_product, PRODUCTS),
    **_rules(_attention, ATTENTIONS),
    **_rules(_windows(_window), "convolution avg_pool2d"),
    **_rules(_max_pooled, "max_pool2d_with_indices"),
    **_rules(_unpooled, "max_unpool2d scatter scatter_"),
    **_rules(_each(lambda _, axis, n: axis.adaptive(n)), "_adaptive_avg_pool2d adaptive_max_pool2d"),
    **_rules(_each(lambda _, axis, n: axis.nearest(n)), "upsample_nearest2d"),
    **_rules(_each(lambda _, axis, n: axis.nearest(n, centred=True)), "_upsample_nearest_exact2d"),
    **_rules(_each(lambda a, axis, n: axis.linear(n, align_corners=a["align_corners"])), LINEAR),
    **_rules(_each(lambda a, axis, n: axis.linear(n, align_corners=a["align_corners"], reach=2)), CUBIC),
    **_rules(_padded, "constant_pad_nd reflection_pad2d replication_pad2d"),
    **_rules(_reshaped, VIEWS),
    **_rules(lambda a, fields, out: (f := fields(a["self"])) and f.resized(out.shape), "expand"),
    **_rules(_permuted, "permute transpose transpose_ t numpy_T"),
    **_rules(_concatenated, "cat"),
    **_rules(_sliced, "slice"),
    **_rules(_split, "split split_with_sizes chunk unbind select"),
    **_rules(_shuffled, "pixel_shuffle"),
    **_rules(_unshuffled, "pixel_unshuffle"),
}
