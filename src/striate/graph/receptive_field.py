"""Receptive fields along one side of a map, exact through any graph of windows, joins and changes of resolution.

An `Axis` says which pixels of the image every position of a map reads, from the first to the last. Positions repeat:
after `len(spans)` positions the same spans come again, `advance` pixels further. So a position outside the map, which
only padding fills, has a span too. Receptive fields are published in this way, not cut at the border of the image.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

Span = tuple[int, int]  # first and last pixel
NOTHING: Span = (1 << 60, -(1 << 60))  # what a position reads that no window writes to
FAR = 1 << 50


@dataclass(frozen=True)
class Axis:
    """The pixels that the positions along one side of a map read.

    Args:
        spans: those of positions 0, 1, …, for one period.
        advance: pixels from one period to the next; 0 where every position reads the same.
        count: how many positions the map has.
        jump: pixels from one position to the next, on average; the map's stride.
    """

    spans: tuple[Span, ...]
    advance: int
    count: int
    jump: Fraction

    @classmethod
    def of_pixels(cls, count: int) -> "Axis":
        """The image itself: every pixel reads itself."""
        return cls(((0, 0),), 1, count, Fraction(1))

    @property
    def size(self) -> int:
        """How many pixels lie between the first and the last, for the position that reads most."""
        return max(0, *(last - first + 1 for first, last in (*self.spans, NOTHING)))

    def at(self, position: int) -> Span:
        """The first and the last pixel that a position reads, inside the map or beyond its border."""
        periods, rest = divmod(position, len(self.spans))
        first, last = self.spans[rest]
        return first + periods * self.advance, last + periods * self.advance

    def window(self, kernel_size: int, stride: int, before: int, dilation: int, count: int) -> "Axis":
        """The axis after a convolution or pooling with `before` pixels of padding at the start."""
        return self._read(stride, 1, lambda o: _taps(o * stride - before, kernel_size, dilation), count)

    def transposed(self, kernel_size: int, stride: int, padding: int, dilation: int, count: int) -> "Axis":
        """The axis after a transposed convolution."""

        def writers(o: int) -> Iterable[int]:
            reach = (o + padding - tap * dilation for tap in range(kernel_size))
            return [place // stride for place in reach if place % stride == 0]

        return self._read(1, stride, writers, count)

    def adaptive(self, count: int) -> "Axis":
        """The axis after adaptive pooling to `count` positions."""
        n = self.count
        return self._read(n, count, lambda o: range(o * n // count, -(-(o + 1) * n // count)), count)

    def nearest(self, count: int, *, centred: bool = False) -> "Axis":
        """The axis after copying from the nearest position; `centred` is PyTorch's nearest-exact."""
        n, half = self.count, 1 if centred else 0
        return self._read(n, count, lambda o: [(2 * o + half) * n // (2 * count)], count)

    def linear(self, count: int, *, align_corners: bool, reach: int = 1) -> "Axis":
        """The axis after interpolation between `reach` positions on either side: 1 linear, 2 cubic."""
        n = self.count

        def taps(o: int) -> Iterable[int]:
            if align_corners:
                below, beyond = divmod(o * (n - 1), max(count - 1, 1))
            else:
                below, beyond = divmod((2 * o + 1) * n - count, 2 * count)
            return range(below - reach + 1, below + reach + 1) if beyond else [below]

        return self._read(n - 1, max(count - 1, 1), taps, count) if align_corners else self._read(n, count, taps, count)

    def moved(self, start: int, step: int, count: int) -> "Axis":
        """The axis of every `step`-th position from `start`, which is negative where a border was added before."""
        return self._read(step, 1, lambda o: [start + o * step], count)

    def saturated(self) -> "Axis":
        """The axis where every position reads what any of them does, as after attention or a norm over the map."""
        if not self.advance:
            return self
        return Axis((_hull(self.at(i) for i in range(self.count)),), 0, self.count, self.jump)

    def join(self, other: "Axis") -> "Axis":
        """The axis after an element-wise operation or concatenation of two maps: what either reads."""
        if self is other or self == other:
            return self
        if not (self.advance and other.advance):
            everything = _hull((*self.saturated().spans, *other.saturated().spans))
            return Axis((everything,), 0, max(self.count, other.count), max(self.jump, other.jump))
        period, advance = lcm(len(self.spans), len(other.spans)), 0
        if self.advance * len(other.spans) == other.advance * len(self.spans):
            advance = self.advance * (period // len(self.spans))
        else:  # as 7 doubled beside 15: exact inside the map, about right beyond its border
            period = max(self.count, other.count)
            advance = -(-period * max(self.jump, other.jump) // 1)
        spans = tuple(_hull((self.at(i), other.at(i))) for i in range(period))
        return Axis(spans, int(advance), max(self.count, other.count), max(self.jump, other.jump))

    def _read(self, read: int, written: int, taps: Callable[[int], Iterable[int]], count: int) -> "Axis":
        """The axis of a map whose positions read `taps`; `written` of them go over `read` positions of this one."""
        jump = self.jump * Fraction(read, written)
        if not self.advance:
            return Axis(self.spans, 0, count, jump)
        common = gcd(read, written)
        read, written = read // common, written // common
        repeats = len(self.spans) // gcd(len(self.spans), read)
        advance = self.advance * read * repeats // len(self.spans)
        spans = tuple(_hull(self.at(tap) for tap in taps(o)) for o in range(written * repeats))
        return Axis(spans, advance, count, jump)


def _taps(first: int, kernel_size: int, dilation: int) -> range:
    return range(first, first + kernel_size * dilation, dilation)


def _hull(spans: Iterable[Span]) -> Span:
    first, last = NOTHING
    for a, b in spans:
        if b > -FAR:
            first, last = min(first, a), max(last, b)
    return first, last
