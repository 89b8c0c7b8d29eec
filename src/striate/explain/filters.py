"""Filters designed by hand, applied to an image: edges as a first convolution finds them, with the arithmetic shown."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.arithmetic import Padding, conv_size, same_padding
from striate.errors import SizeError, UsageError, nearest
from striate.files import list_names, read_text

Floats = NDArray[np.float64]
Name = Literal["vertical", "horizontal", "sobel", "scharr"]
Border = Literal["zeros", "edge", "reflect"]

SMOOTHED = {  # down the columns of a filter for vertical edges; across it goes 1, 0, -1
    "vertical": (1, 1, 1),
    "horizontal": (1, 1, 1),
    "sobel": (1, 2, 1),
    "scharr": (3, 10, 3),
}
PAD_MODES: dict[str, Literal["constant", "edge", "symmetric"]] = {
    "zeros": "constant",
    "edge": "edge",
    "reflect": "symmetric",
}
MOST_PADDED = 1 << 24  # pixels that padding adds to an image
MOST_TAPS = 101  # a side of a filter from a file


def kernel(name: str = "vertical", angle: float = 0.0) -> Floats:
    """A 3x3 filter by name, turned.

    `vertical`, `sobel` and `scharr` answer to vertical edges, positive where the left is bright; `horizontal` is
    `vertical` turned by 90 degrees, positive where the top is bright.

    Args:
        name: vertical, horizontal, sobel or scharr.
        angle: degrees by which the bright side turns clockwise: 0 from the left, 90 from the top.

    Raises:
        UsageError: for another name, or an angle that is not finite.

    >>> kernel("sobel", 90).tolist()
    [[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]
    """
    if name not in SMOOTHED:
        raise UsageError(f"`filter`: expected a filter by name; got {name}. {nearest(name, get_args(Name))}")
    if not math.isfinite(angle):
        raise UsageError(f"`angle`: expected degrees; got {angle}. Try 45.")
    left = np.outer(SMOOTHED[name], (1.0, 0.0, -1.0))
    turn = math.radians(angle + (90 if name == "horizontal" else 0))
    turned = math.cos(turn) * left + math.sin(turn) * left.T
    return np.where(np.abs(turned) < 1e-12, 0.0, np.round(turned, 12))  # cos 90 degrees is 6e-17 in floating point


def read_kernel(path: Path) -> Floats:
    """The filter of a text file: (H, W), or (3, H, W) for red, green and blue, with an empty line between them.

    Raises:
        UsageError: if the file holds no such numbers.
    """
    return read_matrix(path, "kernel", 3, MOST_TAPS)


def read_matrix(path: Path, what: str, blocks: int = 1, most: int = 10_000) -> Floats:
    """Numbers in lines of equal length, parted by blanks, commas or tabs; with an empty line between blocks.

    Args:
        path: of the text file.
        what: the numbers are, for the message.
        blocks: more than one make a third dimension, which comes first; 1 or this many may be there.
        most: numbers a side.

    Raises:
        UsageError: if the file holds something else.
    """
    try:
        text = read_text(path)
        parts = [part for part in text.replace("\r", "").strip("\n").split("\n\n") if part.strip()]
        found = [
            [[float(word) for word in line.replace(",", " ").replace(";", " ").split()] for line in part.splitlines()]
            for part in parts
        ]
    except (ValueError, UnicodeDecodeError) as error:
        raise UsageError(
            f"`{what}`: expected lines of as many numbers each in {path}; {error}. Try `1 0 -1` on three lines."
        ) from error
    lengths = sorted({len(line) for part in found for line in part})
    heights = sorted({len(part) for part in found})
    for counts, what_differs in ((lengths, "numbers a line"), (heights, "lines a block")):
        if len(counts) > 1:
            got = f"{list_names(map(str, counts))} {what_differs}"
            raise UsageError(f"`{what}`: expected lines of as many numbers each in {path}; got {got}.")
    values = np.array(found, np.float64)
    if values.ndim != 3 or not values.size or len(values) not in (1, blocks) or max(values.shape[1:]) > most:
        raise UsageError(
            f"`{what}`: expected 1 or {blocks} blocks of at most {most} x {most} numbers in {path}; got the shape "
            f"{list(values.shape)}."
        )
    if not np.isfinite(values).all():
        raise UsageError(f"`{what}`: expected finite numbers in {path}; got nan or inf.")
    return values[0] if len(values) == 1 else values


@dataclass(frozen=True)
class Filter:
    """A filter with how it is laid on an image."""

    kernel: Floats
    """(h, w) on one channel; (channels, h, w) on as many, whose products are added."""

    stride: int = 1
    padding: Padding = "valid"
    """Pixels on every side, a pair (before, after), "valid" (none) or "same" (as many outputs as inputs, by stride)."""

    border: Border = "zeros"
    """What the padding holds: zeros, the nearest pixel (edge), or the mirrored image (reflect)."""

    convolution: bool = False
    """Turn the filter by 180 degrees first, as mathematics does and networks do not."""

    absolute: bool = False
    """Give the absolute values: bright to dark and dark to bright are then alike."""

    @property
    def taps(self) -> Floats:
        """(channels, h, w) the filter as it is laid on the image."""
        taps = self.kernel if self.kernel.ndim == 3 else self.kernel[None]
        return taps[:, ::-1, ::-1] if self.convolution else taps

    def paddings(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows above and below, columns left and right, that an image of this size is padded by."""
        pairs = []
        for n, size in zip((height, width), self.kernel.shape[-2:], strict=True):
            pair = (0, 0)
            if self.padding == "same":
                pair = same_padding(n, size, self.stride)
            elif isinstance(self.padding, int):
                pair = (self.padding, self.padding)
            elif isinstance(self.padding, tuple):
                pair = self.padding
            pairs.append(pair)
        return pairs[0], pairs[1]

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the output.

        Raises:
            SizeError: if the filter does not fit, or a number is out of its range.
        """
        rows, columns = self.kernel.shape[-2:]
        return (
            conv_size(height, rows, self.stride, self.padding),
            conv_size(width, columns, self.stride, self.padding),
        )

    def padded(self, image: ArrayLike) -> Floats:
        """(channels, H + padding, W + padding) of an image (H, W) or (H, W, channels).

        Raises:
            SizeError: if the image does not have the filter's channels.
        """
        values = np.asarray(image, np.float64)
        values = values[:, :, None] if values.ndim == 2 else values
        if values.ndim != 3 or values.shape[2] != len(self.taps):
            raise SizeError(
                f"`image`: expected {len(self.taps)} channels, as the filter has; got the shape {list(values.shape)}."
            )
        self.output_size(*values.shape[:2])  # raises where the filter does not fit
        rows, columns = self.paddings(*values.shape[:2])
        added = (values.shape[0] + sum(rows)) * (values.shape[1] + sum(columns)) - values.shape[0] * values.shape[1]
        if added > MOST_PADDED:
            raise SizeError(f"`padding`: expected at most {MOST_PADDED:,} pixels around an image; got {added:,}.")
        return np.pad(values.transpose(2, 0, 1), ((0, 0), rows, columns), PAD_MODES[self.border])

    def __call__(self, image: ArrayLike) -> Floats:
        """The output (H', W') on an image (H, W) or (H, W, channels).

        Raises:
            SizeError: if the filter does not fit the image.
        """
        padded = self.padded(image)
        rows, columns = self.kernel.shape[-2:]
        down = (padded.shape[1] - rows) // self.stride + 1
        across = (padded.shape[2] - columns) // self.stride + 1
        output = np.zeros((down, across))
        for channel, taps in enumerate(self.taps):
            for (i, j), tap in np.ndenumerate(taps):
                if tap:
                    under = padded[channel, i : i + down * self.stride : self.stride]
                    output += tap * under[:down, j : j + across * self.stride : self.stride][:, :across]
        return np.abs(output) if self.absolute else output

    def steps(self, image: ArrayLike, row: int, column: int) -> str:
        """The arithmetic of one output value in words and numbers: what lies under the filter, the products, their sum.

        Args:
            image: (H, W) or (H, W, channels).
            row: of the output, from 0.
            column: likewise.

        Raises:
            SizeError: if the output has no such place.
        """
        padded = self.padded(image)
        height, width = np.asarray(image).shape[:2]
        size = self.output_size(height, width)
        if not (0 <= row < size[0] and 0 <= column < size[1]):
            raise SizeError(
                f"`steps`: expected a row under {size[0]} and a column under {size[1]}, those of the output; "
                f"got {row},{column}."
            )
        rows, columns = self.kernel.shape[-2:]
        top, left = row * self.stride, column * self.stride
        under = padded[:, top : top + rows, left : left + columns]
        above, before = self.paddings(height, width)[0][0], self.paddings(height, width)[1][0]
        first = (
            f"output[{row}, {column}]: the filter lies on rows {top - above} to {top - above + rows - 1} and columns "
            f"{left - before} to {left - before + columns - 1} of the image"
        )
        outside = top < above or left < before or top - above + rows > height or left - before + columns > width
        lines = [first + (f"; outside it the padding holds {self.border}" if outside else "")]
        if self.convolution:
            lines.append("a convolution turns the filter by 180 degrees first; a network does not (cross-correlation)")
        for channel, (window, taps) in enumerate(zip(under, self.taps, strict=True)):
            if len(self.taps) > 1:
                lines += ["", f"channel {channel}"]
            lines += ["", *_beside(window, taps, window * taps), "", _sum(window, taps)]
        total = float((under * self.taps).sum())
        if len(self.taps) > 1:
            sums = (float((window * taps).sum()) for window, taps in zip(under, self.taps, strict=True))
            lines += ["", f"{' + '.join(_signed(value) for value in sums)} = {_number(total)}"]
        if self.absolute:
            lines += ["", f"|{_number(total)}| = {_number(abs(total))}"]
        return "\n".join(lines)


def _number(value: float) -> str:
    """A number with at most four digits after the point.

    >>> _number(3.0), _number(0.70710678), _number(-0.0)
    ('3', '0.7071', '0')
    """
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _signed(value: float) -> str:
    """A number as it stands in a sum or product: in brackets where it is negative."""
    text = _number(value)
    return f"({text})" if text.startswith("-") else text


def _beside(window: Floats, taps: Floats, products: Floats) -> list[str]:
    """Three matrices side by side: window * filter = products, with equal columns."""
    blocks = []
    for matrix in (window, taps, products):
        words = [[_number(value) for value in row] for row in matrix.tolist()]
        wide = max(len(word) for row in words for word in row)
        blocks.append(["  ".join(word.rjust(wide) for word in row) for row in words])
    middle = (len(window) - 1) // 2
    return [
        f"  {a}   {'*' if place == middle else ' '}   {b}   {'=' if place == middle else ' '}   {c}"
        for place, (a, b, c) in enumerate(zip(*blocks, strict=True))
    ]


def _sum(window: Floats, taps: Floats) -> str:
    """The products and their sum on one line, column by column as the notes draw it."""
    pairs = zip(window.T.ravel().tolist(), taps.T.ravel().tolist(), strict=True)
    products = " + ".join(f"{_signed(value)}·{_signed(tap)}" for value, tap in pairs)
    return f"{products} = {_number(float((window * taps).sum()))}"


def matrix_text(values: Floats) -> list[str]:
    """A matrix as lines of equal columns."""
    words = [[_number(value) for value in row] for row in values.tolist()]
    wide = max(len(word) for row in words for word in row)
    return ["  ".join(word.rjust(wide) for word in row) for row in words]


def shown(output: Floats, *, absolute: bool = False) -> NDArray[np.uint8]:
    """The output (H, W) as grey levels: 0 is mid-grey and the largest size black or white; absolute values from black.

    Args:
        output: of a filter.
        absolute: whether all values are 0 or more, and 0 is black.
    """
    largest = float(np.abs(output).max()) or 1.0
    scaled = 255 * np.abs(output) / largest if absolute else 127.5 + 127.5 * output / largest
    return np.rint(scaled).clip(0, 255).astype(np.uint8)
