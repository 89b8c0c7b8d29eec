"""When the threads of a pass begin, how far ahead they work, and that they end however the pass does."""

import gc
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from watched import WAIT_S, Watched, decoders

from striate.augment.geometry import Map, Size
from striate.data import MEAN_STD, Loader, OpenedImage, Preprocessing, batches, loader
from striate.data.loader import AHEAD
from striate.data.views import EvaluationView

SMALL = Preprocessing((3, 6, 8), *MEAN_STD[3], crop_pct=1.0)


def test_no_thread_starts_before_the_first_batch() -> None:
    images = Watched(8)
    made = iter(Loader(images, batches(np.arange(8), 4), SMALL))
    assert images.opened == []
    assert decoders() == []
    next(made)
    assert images.opened != []
    assert len(decoders()) == 1
    del made
    assert decoders() == []


def test_a_whole_pass_leaves_no_thread() -> None:
    for _ in Loader(Watched(40), batches(np.arange(40), 4), SMALL, workers=3):
        assert 1 <= len(decoders()) <= 3
    assert decoders() == []


@pytest.mark.parametrize("workers", [1, 8])
def test_batches_are_begun_ahead_and_no_more_than_so_many(workers: int) -> None:
    images = Watched(80)
    used = 0
    for _ in Loader(images, batches(np.arange(80), 4), SMALL, workers=workers):
        used += 1
        ahead = min(used + AHEAD - 1, 20)
        images.wait_for(4 * ahead)  # while this batch is used, the next ones are made
        assert len(images.opened) == 4 * ahead
    assert used == 20


def leave(made: Loader) -> None:
    for _ in made:
        break


def fail(made: Loader) -> None:
    for _ in made:
        raise RuntimeError("in the loop")


def interrupt(made: Loader) -> None:
    for _ in made:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("use", "error"),
    [(leave, None), (fail, RuntimeError), (interrupt, KeyboardInterrupt)],
    ids=["break", "error", "Ctrl-C"],
)
@pytest.mark.parametrize("workers", [1, 4])
def test_leaving_the_loop_stops_the_threads(
    use: Callable[[Loader], None], error: type[BaseException] | None, workers: int
) -> None:
    images = Watched(800)
    made = Loader(images, batches(np.arange(800), 40), SMALL, workers=workers)
    if error is None:
        use(made)
    else:
        with pytest.raises(error):
            use(made)
    assert decoders() == []
    assert 40 <= len(images.opened) <= 40 * AHEAD


def test_a_thread_stops_within_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving waits for the image that each thread is at, not for the sixteen of its part."""
    images = Watched(32)
    held, release = threading.Event(), threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            release.set()
            super().shutdown(wait, cancel_futures=cancel_futures)

    class Hold(EvaluationView):
        def __call__(self, row: int, source: Size) -> tuple[Map, None]:
            if row == 17:
                held.set()
                assert release.wait(WAIT_S)
            return SMALL.map(source), None

    monkeypatch.setattr(loader, "ThreadPoolExecutor", Pool)
    made = iter(Loader(images, [np.arange(1), np.arange(16, 32)], SMALL, Hold(SMALL)))
    next(made)
    assert held.wait(WAIT_S)
    del made
    assert decoders() == []
    assert images.opened == [0, 16, 17]


class Consumer:
    """Holds a pass that was begun, in a cycle of references, so that only the garbage collector can end it."""

    def __init__(self, made: Loader) -> None:
        self.batches = iter(made)
        self.own = self
        next(self.batches)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """The garbage collector runs when it is told to, and by the thread that tells it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_consumer_that_is_collected_ends_the_threads() -> None:
    Consumer(Loader(Watched(40), batches(np.arange(40), 4), SMALL, workers=3))
    assert decoders() != []
    gc.collect()
    assert decoders() == []


@pytest.mark.usefixtures("no_collector")
def test_a_consumer_may_be_collected_by_a_thread_that_decodes() -> None:
    """It cannot wait for itself to end."""
    collect = threading.Event()

    class Collecting(Watched):
        def open(self, row: int) -> OpenedImage:
            if row > 0:
                assert collect.wait(WAIT_S)
                gc.collect()
            return super().open(row)

    Consumer(Loader(Collecting(8), batches(np.arange(8), 1), SMALL))
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("decode")]
    collect.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert decoders() == []


PROGRAM = """
import os, signal, sys, threading
import numpy as np
from striate.data import GivenImages, Loader, MEAN_STD, Preprocessing, batches

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background has ignored
noise = [np.zeros((900, 1200, 3), np.uint8)] * 4
order = batches(np.tile(np.arange(4), 100_000), 64)
made = Loader(GivenImages(noise), order, Preprocessing((3, 32, 32), *MEAN_STD[3]), workers=2)
try:
    for step, batch in enumerate(made):
        if step == 3:
            os.kill(os.getpid(), int(sys.argv[1])) if int(sys.argv[1]) else sys.exit(7)
finally:
    print([thread.name for thread in threading.enumerate()], flush=True)
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, -signal.SIGTERM), (0, 7)],
    ids=["Ctrl-C", "SIGTERM", "exit"],
)
def test_a_process_that_is_told_to_end_does(number: int, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(int(number))], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stdout == ("" if number == signal.SIGTERM else "['MainThread']\n")
