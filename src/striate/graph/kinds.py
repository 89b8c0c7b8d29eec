"""The names that operations have in a table."""

from striate.graph.op_rules import ATTENTIONS, BATCH_NORMS, PRODUCTS, Arguments

NAMES = {
    "max_pool2d_with_indices": "max pool",
    "avg_pool2d": "average pool",
    "_adaptive_avg_pool2d": "average pool to",
    "adaptive_max_pool2d": "max pool to",
    "native_layer_norm": "layer norm",
    "native_group_norm": "group norm",
    "cat": "concatenate",
    "_softmax": "softmax",
    "_log_softmax": "log softmax",
    "max_unpool2d": "max unpool",
    "upsample_nearest2d": "upsample nearest",
    "upsample_bilinear2d": "upsample bilinear",
    "constant_pad_nd": "pad",
    "hardtanh": "relu6",
}


def kind_of(operation: str, a: Arguments, function: str, window: dict[str, tuple[int, int]], weighted: bool) -> str:
    """What an operation does, such as `conv 3x3 /2`, `dense`, `batch norm` or `relu`.

    Functions of several operations keep their own name.
    """
    plain = operation.strip("_")
    match operation:
        case "convolution":
            kind = _convolution(a, window)
        case _ if operation in PRODUCTS.split():
            kind = "dense" if weighted else "matrix product"
        case _ if operation in ATTENTIONS.split():
            kind = "attention"
        case _ if operation in BATCH_NORMS.split():
            kind = "batch norm"
        case _ if window:
            kind = f"{NAMES[operation]} {_sides(window['kernel_size'])}{_stride(window)}"
        case "_adaptive_avg_pool2d" | "adaptive_max_pool2d":
            kind = f"{NAMES[operation]} {_sides(tuple(a['output_size']))}"
        case _ if operation in NAMES:
            kind = NAMES[operation]
        case _:
            kind = (plain if plain in function else function).replace("_", " ")
    return kind


def _convolution(a: Arguments, window: dict[str, tuple[int, int]]) -> str:
    in_channels = a["input"].shape[1]
    grouped = "depthwise " if 1 < a["groups"] == in_channels else "grouped " if a["groups"] > 1 else ""
    transposed = "transposed " if a["transposed"] else ""
    size = "x".join(str(k) for k in a["weight"].shape[2:])
    return f"{grouped}{transposed}conv {size}{_stride(window)}"


def _sides(sides: tuple[int, ...]) -> str:
    return f"{sides[0]}x{sides[-1]}"


def _stride(window: dict[str, tuple[int, int]]) -> str:
    if not window or window["stride"] == (1, 1):
        return ""
    rows, columns = window["stride"]
    return f" /{rows}" if rows == columns else f" /{rows}x{columns}"
