"""The order of an epoch: which rows each step sees, found for any step without the steps before it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from striate.augment import Stream, generator
from striate.data.index import Index, Rows
from striate.data.permutation import Permutation, permutation
from striate.errors import DataError, UsageError

Sampling = Literal["shuffle", "balanced", "weighted"]
Weights = NDArray[np.float64]  # one a row, from 0, not all 0

JITTER = 1  # the draws of an epoch's order beside those of its permutation, 0
WORDS = 4  # uniform numbers that Philox makes from one value of its counter


def batches(rows: Rows, batch_size: int) -> list[Rows]:
    """Parts `rows` into the fewest batches of at most `batch_size`, their sizes as equal as can be.

    >>> [len(batch) for batch in batches(np.arange(65), 64)]
    [33, 32]
    """
    steps = math.ceil(len(rows) / batch_size)
    return [rows[slice(*_bounds(step, steps, len(rows)))] for step in range(steps)]


def _bounds(part: int, parts: int, count: int) -> tuple[int, int]:
    """Where part number `part` of 0..count-1 begins and ends; the first parts are the larger ones, by one."""
    least, larger = divmod(count, parts)
    start = part * least + min(part, larger)
    return start, start + least + (part < larger)


@dataclass(frozen=True, eq=False)
class Order:
    """The batches of one epoch, as a sequence that holds none of them: `order[step]` is computed when asked for.

    Without weights every row comes once. With weights the epoch still has as many draws as there are rows, and a row
    of weight w is drawn w / mean(weights) times, give or take less than two: the weights are laid end to end, the line
    is cut into n equal strata, one draw is made in each, and the strata are visited in the order of a permutation.
    """

    rows: Rows
    """(n,) row numbers."""

    seed: int
    epoch: int
    batch_size: int
    """Most rows of a batch of all processes together."""

    weights: Weights | None = None
    """(n,) how often each row is drawn, in proportion."""

    rank: int = 0
    """Of this process."""

    world: int = 1
    """Processes; the batches of all of them, joined by rank, do not depend on it."""

    def __post_init__(self) -> None:
        if self.weights is not None and len(self.weights) != len(self.rows):
            raise UsageError(f"`weights`: expected {len(self.rows)}, one a row; got {len(self.weights)}.")
        if not 0 <= self.rank < self.world:
            raise UsageError(f"`rank`: expected one from 0, below {self.world}; got {self.rank}.")
        if len(self) and self.world > math.ceil((len(self.rows) // len(self)) / 2):
            raise UsageError(
                f"`batch_size`: expected two images or more for each of {self.world} processes; got "
                f"{len(self.rows) // len(self)} in all. Try a larger batch or fewer processes."
            )

    def __len__(self) -> int:
        """Steps of the epoch."""
        return math.ceil(len(self.rows) / self.batch_size)

    def __iter__(self) -> Iterator[Rows]:
        """The batches of the epoch, one after the other."""
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, step: int) -> Rows:
        """The rows of this process at `step`, from 0.

        Images 2k and 2k + 1 of a batch go to the same process, because some augmentations mix two images.

        Raises:
            IndexError: if the epoch has no such step.
        """
        if not 0 <= step < len(self):
            raise IndexError(f"step: expected one from 0, below {len(self)}; got {step}.")
        return self._drawn(*self._share(step, self.rank))

    def sizes(self, step: int) -> list[int]:
        """How many rows each process has at `step`, by rank."""
        shares = (self._share(step, rank) for rank in range(self.world))
        return [stop - start for start, stop in shares]

    def _share(self, step: int, rank: int) -> tuple[int, int]:
        """The first draw of a process at `step`, and the one after its last."""
        start, stop = _bounds(step, len(self), len(self.rows))
        pairs = math.ceil((stop - start) / 2)  # the last one may lack an image
        first, last = pairs * rank // self.world, pairs * (rank + 1) // self.world
        return start + 2 * first, min(start + 2 * last, stop)

    def _drawn(self, start: int, stop: int) -> Rows:
        """The rows of the draws `start`..`stop` of the epoch."""
        places = self._permutation(np.arange(start, stop))
        if self._cumulative is not None:
            total = self._cumulative[-1]
            points = (places + self._jitter(start, stop)) * (total / len(self.rows))
            points = np.minimum(points, np.nextafter(total, 0))  # against rounding up in the last stratum
            places = np.searchsorted(self._cumulative, points, side="right")
        drawn: Rows = self.rows[places]
        return drawn

    def _jitter(self, start: int, stop: int) -> NDArray[np.float64]:
        """Where in its stratum each draw falls, from 0, below 1."""
        rng = generator(self.seed, Stream.ORDER, self.epoch, JITTER)
        rng.bit_generator.advance(start // WORDS)  # type: ignore[attr-defined]  # Philox has it
        return rng.random(stop - start + start % WORDS)[start % WORDS :]

    @cached_property
    def _permutation(self) -> Permutation:
        return permutation(len(self.rows), self.seed, self.epoch)

    @cached_property
    def _cumulative(self) -> Weights | None:
        """(n,) where each row's part of the line of weights ends."""
        return None if self.weights is None else np.cumsum(self.weights)


def weighted_rows(index: Index, rows: Rows, sampling: Sampling) -> tuple[Rows, Weights | None]:
    """What an epoch's `Order` draws from.

    Args:
        index: of which `rows` have a label.
        rows: the rows of the split.
        sampling: "shuffle", every row once an epoch; "balanced", every class equally often; "weighted", each row in
            proportion to the index's column `weight`.

    Returns:
        The rows, and their weights or None. Balanced rows come sorted by class, so that each class is one run of strata
        and is drawn equally often in every epoch, not only on average.

    Raises:
        UsageError: for "balanced", where an image may have several labels.
        DataError: for "weighted", where the weights are not there, not finite, below 0, or all 0.
    """
    if sampling == "balanced":
        return _balanced(index, rows)
    if sampling == "weighted":
        return rows, _weights(index, rows)
    return rows, None


def _balanced(index: Index, rows: Rows) -> tuple[Rows, Weights]:
    if index.several_labels:
        raise UsageError(
            "`sampling`: expected shuffle or weighted, because an image may have several labels; got balanced. "
            "Try --class-weights balanced."
        )
    labels = index.labels(rows).astype(np.int64)
    by_class = np.argsort(labels, kind="stable")
    labels = labels[by_class]
    return rows[by_class], 1 / np.bincount(labels)[labels]


def _weights(index: Index, rows: Rows) -> Weights:
    column = index.table["weight"]
    if column.null_count == len(column):
        raise DataError("weight: expected a column of weights for --sampling weighted; got none. Try balanced.")
    weights = np.asarray(column.fill_null(1), np.float64)[rows]
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise DataError("weight: expected finite numbers from 0, not all of them 0; got others. Mend that column.")
    return weights
