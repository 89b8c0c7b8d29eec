"""The loader: threads decode the next batches while the network works on this one."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

from striate.augment.geometry import Map, Size, crop
from striate.augment.resample import IGNORED, map_boxes, resample_mask
from striate.data.decode import UnreadableError
from striate.data.images import Images
from striate.data.index import Rows
from striate.data.preprocessing import Preprocessing
from striate.data.views import EvaluationView, View
from striate.errors import DataError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

PART = 8  # images that a thread decodes at a time: enough to hide its start, few enough to share a batch
AHEAD = 3  # batches that are begun before the first of them is handed over
CHEAP_S = 3e-4  # processor time of an image, most of which is the interpreter's: a digit takes half, a photo ten times
THREADS = "decode"  # what the names of the threads begin with
MUCH = 0.2  # share of the time spent waiting above which a run is bound by its loader


@dataclass(frozen=True)
class Batch:
    """Images as they were decoded, with the rows of the index that they came from.

    Its memory is its own: a batch may be kept while others are asked for.
    """

    images: "Tensor"
    """(N, H, W, C), uint8."""

    rows: Rows
    """(N,) row numbers."""

    colour: "Tensor | None" = None
    """(N, C, C + 1), float32: takes values 0 to 1 and a last 1 to values; None where the view draws no colour."""

    masks: "Tensor | None" = None
    """(N, H, W), uint8 class numbers, 255 for none; None unless asked for."""

    boxes: "Tensor | None" = None
    """(N, 4), float32 xyxy in pixels of the images, NaN for none; None unless asked for."""

    sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    """(N, 2), width and height of each upright original, 0 where it cannot be read; none where nothing was decoded."""


class Annotations(TypedDict, total=False):
    """What a `Loader` brings along with images, transformed as they are; its arguments of these names."""

    masks: Callable[[int], NDArray[np.uint8]]
    boxes: NDArray[np.float32]


class Batches(Protocol):
    """The rows of each batch of a pass: an `Order`, or a list."""

    def __len__(self) -> int:
        """Steps of the pass."""
        ...

    def __getitem__(self, step: int, /) -> Rows:
        """The rows of one batch."""
        ...


@dataclass(frozen=True, eq=False)
class Loader:
    """Makes batches ahead of their use, in order, on threads, within a bounded memory.

    Iterate over it once for one pass; no thread starts before its first batch is asked for. A whole pass, leaving the
    loop early, and an exception in it or in a thread all end the threads. What a pass gives is decided by its arguments
    alone, so (epoch, step) is all that a checkpoint needs to know of it: what was made ahead is made again.
    """

    images: Images
    """Where the rows are decoded from."""

    order: Batches
    """The rows of each batch."""

    preprocessing: Preprocessing
    """Size and channels of the batches."""

    view: View | None = None
    """Which part of each image is shown, and in which colour; what evaluation sees unless given."""

    _: KW_ONLY

    workers: int = 1
    """Threads."""

    start: int = 0
    """The first step; those before it cost nothing."""

    masks: Callable[[int], NDArray[np.uint8]] | None = None
    """Gives a row's mask (H, W) of class numbers; it covers the upright image, in its size or another."""

    boxes: NDArray[np.float32] | None = None
    """(rows of the index, 4) xyxy in pixels of the upright image, NaN for none."""

    unreadable: dict[int, str] | None = None
    """Takes the reason of each row that cannot be read, whose pixels are then 0; without it, that is a DataError."""

    pinned: bool = False
    """Whether batches lie in page-locked memory, from which a GPU copies while the processor goes on."""

    def __post_init__(self) -> None:
        if not 0 <= self.start <= len(self.order):
            raise UsageError(f"`start`: expected a step from 0 to {len(self.order)}; got {self.start}.")

    def __len__(self) -> int:
        """Steps that the pass still has."""
        return len(self.order) - self.start

    def __iter__(self) -> Iterator[Batch]:
        stop, turns = threading.Event(), _Turns()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix=THREADS)
        pending: deque[tuple[Batch, list[Future[None]]]] = deque()
        steps = iter(range(self.start, len(self.order)))
        try:
            while True:
                while len(pending) < AHEAD and (step := next(steps, None)) is not None:
                    batch = self._empty_batch(self.order[step])
                    parts = range(0, len(batch.rows), PART)
                    pending.append((batch, [pool.submit(self._fill, batch, part, turns, stop) for part in parts]))
                if not pending:
                    return
                batch, jobs = pending.popleft()
                for job in jobs:
                    job.result()
                yield batch
        finally:
            stop.set()
            # A consumer in a cycle of references is ended by whichever thread collects it, and none can await itself.
            pool.shutdown(wait=not threading.current_thread().name.startswith(THREADS), cancel_futures=True)

    def _empty_batch(self, rows: Rows) -> Batch:
        n, (channels, height, width) = len(rows), self.preprocessing.input_size
        return Batch(
            images=self._empty((n, height, width, channels), "uint8"),
            rows=rows,
            colour=self._empty((n, channels, channels + 1), "float32") if self._view.draws_colour else None,
            masks=self._empty((n, height, width), "uint8") if self.masks else None,
            boxes=self._empty((n, 4), "float32") if self.boxes is not None else None,
            sizes=np.zeros((n, 2), np.int64),
        )

    def _empty(self, shape: tuple[int, ...], dtype: Literal["uint8", "float32"]) -> "Tensor":
        import torch

        return torch.empty(shape, dtype=getattr(torch, dtype), pin_memory=self.pinned)

    @cached_property
    def _view(self) -> View:
        return self.view or EvaluationView(self.preprocessing)

    def _fill(self, batch: Batch, start: int, turns: "_Turns", stop: threading.Event) -> None:
        """Decodes the images of one part of the batch."""
        rows: list[int] = batch.rows[start : start + PART].tolist()
        with turns.take(len(rows)):
            for i, row in enumerate(rows, start):
                if stop.is_set():
                    return
                with _Named(self.images, row):
                    self._read(batch, i, row)

    def _read(self, batch: Batch, i: int, row: int) -> None:
        """Decodes one image, with all that goes with it, to place `i` of the batch."""
        size = self.preprocessing.size
        try:
            image = self.images.open(row)
            map_, colour = self._view(row, image.size)
            batch.sizes[i] = image.size
            batch.images.numpy()[i] = self.preprocessing.read(image, map_)
            if batch.colour is not None and colour is not None:
                batch.colour.numpy()[i] = colour
            if batch.masks is not None and self.masks is not None:
                batch.masks.numpy()[i] = _shown_mask(self.masks(row), map_, image.size, size)
            if batch.boxes is not None and self.boxes is not None:
                batch.boxes.numpy()[i] = map_boxes(self.boxes[row : row + 1], map_, size)[0]
        except UnreadableError as error:
            if self.unreadable is None:
                path = self.images.path(row)
                raise DataError(f"{path}: cannot be read: {error}. Did it change since the check?") from error
            self.unreadable[row] = str(error)
            _blank(batch, i)


def _shown_mask(mask: NDArray[np.uint8], map_: Map, source: Size, size: Size) -> NDArray[np.uint8]:
    """What `map_` shows of a mask that covers an image of size `source`."""
    own = mask.shape[1], mask.shape[0]
    if own != source:
        map_ = map_.then(crop((0, 0, *own), source))
    return resample_mask(mask, map_, size)


def _blank(batch: Batch, i: int) -> None:
    """Leaves nothing at place `i` that a network could learn from."""
    for values, nothing in ((batch.images, 0), (batch.colour, 0), (batch.masks, IGNORED), (batch.boxes, math.nan)):
        if values is not None:
            values.numpy()[i] = nothing  # PyTorch would refuse, of a batch that was made for inference alone


class _Turns:
    """Lets threads decode all at once, or one after the other while images are cheap.

    What is cheap is mostly interpreted, and threads that hand the interpreter to each other at every call into a
    library get less done than one alone: of digits, two thirds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cheap = False

    @contextmanager
    def take(self, images: int) -> Iterator[None]:
        """Waits for the turn to decode so many images, and notes what they cost."""
        with self._lock if self._cheap else nullcontext():
            before = time.thread_time()
            yield
            self._cheap = time.thread_time() - before < CHEAP_S * images


@dataclass(frozen=True)
class _Named:
    """Notes, on whatever error leaves the block, at which image it arose."""

    images: Images
    row: int

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, DataError):  # whose sentence names the file itself
            error.add_note(f"while reading {self.images.path(self.row)}")


def advice(wait_share: float, *, workers: int, cores: int, cached: bool) -> str | None:
    """What would feed a network that waits for its images, in one sentence; None where it hardly waits.

    Args:
        wait_share: share of the time of training that was spent waiting for the loader.
        workers: threads that decoded.
        cores: of this machine, as far as this process may use them.
        cached: whether the images came from the pixel cache.
    """
    if wait_share <= MUCH:
        return None
    if workers < cores:
        knob = f"--workers {cores}, one a core (it is {workers})"
    elif not cached:
        knob = "--pixel-cache on, which decodes every image once and not once an epoch"
    else:
        knob = (
            "a smaller --img-size, fewer augmentations, or a machine of more cores; a larger network costs no time here"
        )
    return f"{wait_share:.0%} of the time the network waited for images. Try {knob}."
