"""The loader: threads decode the next batches while the network works on this one."""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.augment import Map, Size, Stream, compose, generator, mirror, random_crop
from striate.data.decode import UnreadableError
from striate.data.index import Rows
from striate.data.pictures import Pictures
from striate.data.preprocessing import Preprocessing
from striate.errors import DataError
from striate.recipe import AugmentRecipe

PART = 16  # pictures that a thread decodes at a time: large enough to hide its start, small enough to share a batch
AHEAD = 3  # batches that are begun before the first of them is handed over

View = Callable[[int, Size], Map]  # (row, source size) -> map from output to source


@dataclass(frozen=True)
class Batch:
    """Pictures as they were decoded, with the rows of the index that they came from."""

    images: Tensor
    """(N, H, W, C), uint8."""

    rows: Rows
    """(N,) row numbers."""


def epoch_order(rows: Rows, seed: int, epoch: int) -> Rows:
    """The rows in the order of an epoch: a pure function of (seed, epoch)."""
    return generator(seed, Stream.ORDER, epoch).permutation(rows)


def batches(rows: Rows, batch_size: int) -> list[Rows]:
    """Parts `rows` into the fewest batches of at most `batch_size`, their sizes as equal as can be.

    >>> [len(batch) for batch in batches(np.arange(65), 64)]
    [33, 32]
    """
    return np.array_split(rows, math.ceil(len(rows) / batch_size)) if len(rows) else []


def training_view(augment: AugmentRecipe, size: Size, seed: int, epoch: int) -> View:
    """The random view of each picture in one epoch of training.

    Every draw comes from (seed, epoch, row), so that no worker count and no order changes it.

    Args:
        augment: what to draw.
        size: width and height of the output.
        seed: from 0, below 2^63.
        epoch: from 0.
    """

    def view(row: int, source: Size) -> Map:
        rng = generator(seed, Stream.AUGMENT, epoch, row)
        shown = random_crop(rng, source, size, augment.crop_scale, augment.crop_ratio)
        return compose(shown, mirror(size[0])) if rng.random() < augment.mirror else shown

    return view


class Loader:
    """Makes batches ahead of their use, in order, on threads, within a bounded memory.

    Iterate over it once for one pass. Leaving the loop early, or an exception in it, stops the threads.
    """

    def __init__(
        self,
        pictures: Pictures,
        parts: list[Rows],
        preprocessing: Preprocessing,
        view: View | None = None,
        *,
        workers: int = 1,
        unreadable: dict[int, str] | None = None,
    ) -> None:
        """Sets up; no thread starts before the first batch is asked for.

        Args:
            pictures: where the rows are decoded from.
            parts: the rows of each batch.
            preprocessing: size and channels of the batches.
            view: which part of each picture is shown; what evaluation sees unless given.
            workers: threads.
            unreadable: takes the reason of each row that cannot be read, whose pixels are then 0; without it, such a
                row is a DataError.
        """
        self._pictures = pictures
        self._parts = parts
        self._preprocessing = preprocessing
        self._view = view or (lambda row, source: preprocessing.map(source))
        self._workers = workers
        self._unreadable = unreadable

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Batch]:
        stop = threading.Event()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="decode")
        pending: deque[tuple[Batch, list[Future[None]]]] = deque()
        parts = iter(self._parts)
        try:
            while True:
                while len(pending) < AHEAD and (rows := next(parts, None)) is not None:
                    pending.append(self._start(pool, rows, stop))
                if not pending:
                    return
                batch, jobs = pending.popleft()
                for job in jobs:
                    job.result()
                yield batch
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)

    def _start(self, pool: ThreadPoolExecutor, rows: Rows, stop: threading.Event) -> tuple[Batch, list[Future[None]]]:
        channels, height, width = self._preprocessing.input_size
        images = np.empty((len(rows), height, width, channels), np.uint8)
        starts = range(0, len(rows), PART)
        jobs = [pool.submit(self._fill, images[i : i + PART], rows[i : i + PART], stop) for i in starts]
        return Batch(torch.from_numpy(images), rows), jobs

    def _fill(self, images: NDArray[np.uint8], rows: Rows, stop: threading.Event) -> None:
        size, channels = self._preprocessing.size, self._preprocessing.channels
        for image, row in zip(images, rows.tolist(), strict=True):
            if stop.is_set():
                return
            try:
                picture = self._pictures.open(row)
                image[:] = picture.read(self._view(row, picture.size), size, channels)
            except UnreadableError as error:
                path = self._pictures.path(row)
                if self._unreadable is None:
                    raise DataError(f"{path}: cannot be read: {error}. Did it change since the check?") from error
                self._unreadable[row] = str(error)
                image[:] = 0
