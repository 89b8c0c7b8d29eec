"""Images that remember which of them were opened, and the threads that decode them."""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from striate.data import GivenImages, OpenedImage, UnreadableError

WAIT_S = 20  # for what must happen; a test that passes does not wait


def images_of(count: int) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (9 + i % 3, 12 + i % 5, 3), np.uint8) for i in range(count)]


class Watched(GivenImages):
    """Images that remember which of them were opened, and can be told to fail."""

    def __init__(self, count: int, bad: Sequence[int] = (), error: Exception | None = None) -> None:
        super().__init__(images_of(count))
        self.opened: list[int] = []
        self.changed = threading.Condition()
        self._bad = bad
        self._error = error or UnreadableError("the file is empty")

    def open(self, row: int) -> OpenedImage:
        with self.changed:
            self.opened.append(row)
            self.changed.notify_all()
        if row in self._bad:
            raise self._error
        return super().open(row)

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.opened) >= count, WAIT_S)


def decoders() -> list[str]:
    """The decoding threads that live."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("decode")]
