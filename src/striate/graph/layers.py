"""A row of the cost table: one step of a network, for one image."""

from dataclasses import dataclass, field


@dataclass
class Layer:
    """One step of a network, for one image."""

    name: str
    """Of its module; for an operation without a module of its own, where it is called and what it is."""

    kind: str
    """Such as `conv 3x3`, `dense`, `max pool 2x2`, `relu`."""

    shape: tuple[int, ...]
    """Of its output, without the dimension of the batch."""

    activations: int
    """Numbers in its output."""

    parameters: int
    """That it is the first to use."""

    macs: int
    """Multiplications: of convolutions, dense layers and matrix products."""

    multiply_adds: int
    """The same, with one more an output where a bias is added."""

    receptive_field: tuple[int, int] | None
    """Pixels (rows, columns) that one output reads, the border of the image not considered; None if not known."""

    jump: tuple[float, float] | None
    """Pixels between neighbouring outputs, the product of the strides so far; None where there are no rows."""

    spans: tuple[tuple[int, int], tuple[int, int]] | None
    """First and last pixel that the output in the centre reads, of rows and of columns."""

    share: float = 0.0
    """Of the multiplications of the network."""

    dense_equivalent: int | None = None
    """Of a convolution: parameters of the dense layer between the same input and output."""

    weighted: bool = False
    """Whether it is a convolution or dense layer with weights, what the literature counts as a layer."""

    depth: int = 0
    """Weighted layers on the longest way from the image to here, this one included."""

    window: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of a convolution or pooling: kernel_size, stride, padding, dilation, input_size, (rows, columns)."""

    channels: tuple[int, int, int] | None = None
    """Of a convolution or dense layer: in, out, groups."""

    unseen: tuple[int, int] = (0, 0)
    """Rows and columns of its input that neither it nor any other layer reads."""

    elementwise: bool = False
    """Whether it only changes values in place, as an activation does."""
