"""Follows the rows and columns of the image through a tensor's reshapes, products and reductions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

from striate.graph.receptive_field import Axis

ROWS, COLUMNS = 0, 1
Factor = tuple[int, int | None]  # a size, and the side of the image along which it runs; None for channels and so on
Dimension = tuple[Factor, ...]  # several factors where a reshape has merged dimensions


@dataclass(frozen=True)
class ReceptiveFields:
    """The receptive fields of a tensor's elements.

    Args:
        axes: what positions read along rows and along columns.
        layout: the tensor's dimensions, and which sides of the image run along each.
        places: for the positions of maxima that a pooling found: its kernel_size, stride, padding and dilation along
            rows and columns, and the size of the map that it read.
    """

    axes: tuple[Axis, Axis]
    layout: tuple[Dimension, ...]
    places: tuple[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, int]] | None = None

    @classmethod
    def of_images(cls, shape: Sequence[int]) -> "ReceptiveFields":
        """Those of images (N, C, H, W): every pixel reads itself."""
        n, c, h, w = shape
        layout = (plain(n), plain(c), ((h, ROWS),), ((w, COLUMNS),))
        return cls((Axis.of_pixels(h), Axis.of_pixels(w)), layout)

    def sides(self, dimensions: Iterable[int]) -> set[int]:
        """Which sides of the image run along these dimensions."""
        return {side for d in dimensions for _, side in self.layout[d] if side is not None}

    def is_map(self) -> bool:
        """Whether the last two dimensions are rows and columns, as windows expect, or one of them is read whole."""
        if len(self.layout) < 3:
            return False
        at_end = [{side for _, side in self.layout[d] if side is not None} for d in (-2, -1)]
        return at_end[0] <= {ROWS} and at_end[1] <= {COLUMNS} and not self.sides(range(len(self.layout) - 2))

    def as_map(self, axes: tuple[Axis, Axis], shape: Sequence[int]) -> "ReceptiveFields":
        """Those of a map that windows made of this one."""
        sides = self.sides(range(len(self.layout)))
        ends = [((n, side),) if side in sides else plain(n) for side, n in enumerate(shape[-2:])]
        return ReceptiveFields(axes, (*(plain(n) for n in shape[:-2]), *ends))

    def saturated(self, sides: Iterable[int]) -> "ReceptiveFields":
        """Those after every position along these sides reads what all of them do."""
        rows, columns = (axis.saturated() if side in sides else axis for side, axis in enumerate(self.axes))
        return ReceptiveFields((rows, columns), self.layout)

    def unpooled(self, shape: Sequence[int]) -> "ReceptiveFields | None":
        """Those after values were put back to the positions that this tensor holds."""
        if self.places is None:
            return None
        windows, size = self.places
        rows, columns = (
            axis.transposed(numbers[0], numbers[1], numbers[2], numbers[3], n)
            for axis, numbers, n in zip(self.axes, windows, size, strict=True)
        )
        layout = (*(plain(n) for n in shape[:2]), ((size[0], ROWS),), ((size[1], COLUMNS),))
        return ReceptiveFields((rows, columns), layout).reshaped(shape)

    def without(self, sides: set[int]) -> "ReceptiveFields":
        """Those after these sides are read whole and run along no dimension any more."""
        layout = tuple(tuple((n, None if s in sides else s) for n, s in dimension) for dimension in self.layout)
        return ReceptiveFields(self.saturated(sides).axes, layout)

    def reduced(self, dimensions: Iterable[int], keepdim: bool) -> "ReceptiveFields":
        """Those after a sum, mean or maximum over these dimensions."""
        gone = {d % len(self.layout) for d in dimensions}
        rest = self.without(self.sides(gone))
        layout = [plain(1) if d in gone else dimension for d, dimension in enumerate(rest.layout)]
        return ReceptiveFields(rest.axes, tuple(x for d, x in enumerate(layout) if keepdim or d not in gone))

    def permuted(self, order: Sequence[int]) -> "ReceptiveFields":
        """Those after a permutation of dimensions."""
        return ReceptiveFields(self.axes, tuple(self.layout[d] for d in order))

    def reshaped(self, shape: Sequence[int]) -> "ReceptiveFields | None":
        """Those after a reshape; None where it cuts a side of the image into pieces."""
        factors = [factor for dimension in self.layout for factor in dimension if factor[0] != 1]
        layout = []
        for size in shape:
            taken: list[Factor] = []
            while prod(n for n, _ in taken) < size:
                if not factors:
                    return None
                n, side = factors.pop(0)
                missing = size // prod(m for m, _ in taken)
                if n > missing:
                    if side is not None or n % missing:
                        return None
                    factors.insert(0, (n // missing, None))
                    n = missing
                taken.append((n, side))
            if prod(n for n, _ in taken) != size:
                return None
            layout.append(tuple(taken) or plain(1))
        return replace(self._mark_single_positions(tuple(layout)), places=self.places)

    def _mark_single_positions(self, layout: tuple[Dimension, ...]) -> "ReceptiveFields":
        """Puts a side of one position, which has no factor left, where a map has it; or leaves it out."""
        lost = {side for side, axis in enumerate(self.axes) if axis.count == 1} & self.sides(range(len(self.layout)))
        if len(layout) == 4:
            places = list(layout)
            for side in lost:
                if places[2 + side] == plain(1):
                    places[2 + side] = ((1, side),)
            return ReceptiveFields(self.axes, tuple(places))
        return ReceptiveFields(self.axes, layout)

    def resized(self, shape: Sequence[int]) -> "ReceptiveFields | None":
        """Those after dimensions of size 1 were expanded, or after the same operation on every element."""
        missing = len(shape) - len(self.layout)
        layout: list[Dimension] = [plain(n) for n in shape[:missing]]
        for n, dimension in zip(shape[missing:], self.layout, strict=True):
            same = prod(m for m, _ in dimension) == n
            layout.append(dimension if same else plain(n))
        return ReceptiveFields(self.axes, tuple(layout))

    def join(self, other: "ReceptiveFields", shape: Sequence[int]) -> "ReceptiveFields | None":
        """Those after an operation that broadcasts two tensors to `shape`."""
        if self is other and len(shape) == len(self.layout):
            return self.resized(shape)
        mine, theirs = self.resized(shape), other.resized(shape)
        if mine is None or theirs is None:
            return None
        layout = []
        for n, a, b in zip(shape, mine.layout, theirs.layout, strict=True):
            sides_a, sides_b = ([f for f in dimension if f[1] is not None] for dimension in (a, b))
            if sides_a and sides_b and a != b:
                return None
            layout.append(a if sides_a else b if sides_b else plain(n))
        placed = [side for dimension in layout for _, side in dimension if side is not None]
        if len(placed) != len(set(placed)):
            return None
        rows, columns = (a.join(b) for a, b in zip(mine.axes, theirs.axes, strict=True))
        return ReceptiveFields((rows, columns), tuple(layout))


def plain(size: int) -> Dimension:
    """A dimension along which no side of the image runs."""
    return ((size, None),)
