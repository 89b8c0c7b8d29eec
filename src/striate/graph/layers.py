"""A row of the cost table: one step of a network, for one image."""

from dataclasses import dataclass, field

from torch import Tensor

from striate.graph.layout import ReceptiveFields
from striate.graph.op_rules import WINDOWS, Arguments, operands, window_of


@dataclass
class Layer:
    """One step of a network, for one image."""

    name: str
    """The name of its module; for an operation without a module of its own, where it is called and what it is."""

    kind: str
    """What it does, such as `conv 3x3`, `dense`, `max pool 2x2` or `relu`."""

    shape: tuple[int, ...]
    """The shape of its output, without the dimension of the batch."""

    activations: int
    """How many values its output has."""

    parameters: int
    """How many parameters it is the first to use."""

    macs: int
    """Multiplications: those of convolutions, dense layers and matrix products."""

    multiply_adds: int
    """The same, with one more for each output where a bias is added."""

    receptive_field: tuple[int, int] | None
    """Pixels (rows, columns) that one output reads, the border of the image not considered; None if not known."""

    jump: tuple[float, float] | None
    """Pixels between neighbouring outputs, the product of the strides so far; None where there are no rows."""

    spans: tuple[tuple[int, int], tuple[int, int]] | None
    """The first and the last pixel that the output in the centre reads, of rows and of columns."""

    share: float = 0.0
    """Its share of the network's multiplications."""

    dense_equivalent: int | None = None
    """For a convolution: the parameters of the dense layer between the same input and output."""

    weighted: bool = False
    """Whether it is a convolution or dense layer with weights, what the literature counts as a layer."""

    depth: int = 0
    """Weighted layers on the longest way from the image to here, this one included."""

    window: dict[str, tuple[int, int]] = field(default_factory=dict)
    """For a convolution or pooling: kernel_size, stride, padding, dilation and input_size, each (rows, columns)."""

    channels: tuple[int, int, int] | None = None
    """For a convolution or dense layer: input channels, output channels, groups."""

    unseen: tuple[int, int] = (0, 0)
    """Rows and columns of its input that neither it nor any other layer reads."""

    elementwise: bool = False
    """Whether it only changes values in place, as an activation does."""


def input_of(a: Arguments) -> Tensor:
    """What a convolution or pooling reads."""
    tensor: Tensor = a["input" if "input" in a else "self"]
    return tensor


def window(operation: str, a: Arguments, out: Tensor) -> dict[str, tuple[int, int]]:
    """The geometry of a convolution or pooling in two dimensions; empty for anything else."""
    if operation not in WINDOWS or out.dim() != 4:
        return {}
    kernel_size, stride, padding, dilation = window_of(a)
    h, w = input_of(a).shape[-2:]
    return {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "input_size": (h, w),
    }


def channels(operation: str, a: Arguments, out: Tensor) -> tuple[int, int, int]:
    """Input channels, output channels and groups of a convolution or dense layer."""
    if operation != "convolution":
        rows = operands(a)[0]
        return rows.shape[-1], out.shape[-1], 1
    weight, groups = a["weight"], a["groups"]
    first, second = weight.shape[0], weight.shape[1] * groups
    return (first, second, groups) if a["transposed"] else (second, first, groups)


def jump(fields: ReceptiveFields) -> tuple[float, float]:
    """Pixels between neighbouring outputs, along rows and columns; whole numbers where they are."""
    rows, columns = (int(axis.jump) if axis.jump.denominator == 1 else float(axis.jump) for axis in fields.axes)
    return rows, columns


def centre(fields: ReceptiveFields) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first and the last pixel that the output in the centre reads."""
    rows, columns = (axis.at(axis.count // 2) for axis in fields.axes)
    return rows, columns
