import doctest
import hashlib
import math
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from striate.augment import Map, Size, central_crop, compose, mirror
from striate.augment.geometry import source_box
from striate.data import (
    MEAN_STD,
    GivenPictures,
    Loader,
    Picture,
    Preprocessing,
    Rows,
    UnreadableError,
    batches,
    epoch_order,
    loader,
    training_view,
)
from striate.data.loader import AHEAD
from striate.errors import DataError
from striate.recipe import AugmentRecipe

SMALL = Preprocessing((3, 6, 8), *MEAN_STD[3], crop_pct=1.0)
WAIT_S = 20  # for what must happen; a test that passes does not wait


def pictures_of(count: int) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (9 + i % 3, 12 + i % 5, 3), np.uint8) for i in range(count)]


class Watched(GivenPictures):
    """Pictures that remember which of them were opened, and can be told to fail."""

    def __init__(self, count: int, bad: Sequence[int] = (), error: Exception | None = None) -> None:
        super().__init__(pictures_of(count))
        self.opened: list[int] = []
        self.changed = threading.Condition()
        self._bad = bad
        self._error = error or UnreadableError("the file is empty")

    def open(self, row: int) -> Picture:
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


def digest(rows: Rows, workers: int, *, seed: int = 0, epoch: int = 0, batch_size: int = 20, count: int = 50) -> str:
    """Names all pixels of a pass."""
    view = training_view(AugmentRecipe(), SMALL.size, seed, epoch)
    found = hashlib.sha256()
    for batch in Loader(GivenPictures(pictures_of(count)), batches(rows, batch_size), SMALL, view, workers=workers):
        found.update(batch.rows.tobytes())
        found.update(batch.images.numpy().tobytes())
    return found.hexdigest()


def test_doctests_run() -> None:
    result = doctest.testmod(loader, extraglobs={"np": np})
    assert result.attempted > 0
    assert result.failed == 0


# Order and batches ------------------------------------------------------------------------------------------------


@given(st.integers(0, 300), st.integers(1, 100))
def test_batches_cover_all_rows_in_equal_parts(count: int, batch_size: int) -> None:
    rows = np.arange(count)[::-1] * 3
    parts = batches(rows, batch_size)
    assert [row for part in parts for row in part.tolist()] == rows.tolist()
    assert len(parts) == math.ceil(count / batch_size)
    sizes = {len(part) for part in parts}
    assert not sizes or (max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1 and min(sizes) >= 1)


@given(st.integers(0, 2**62), st.integers(0, 1000))
def test_an_epoch_s_order_is_a_function_of_seed_and_epoch(seed: int, epoch: int) -> None:
    rows = np.arange(5, 65)
    order = epoch_order(rows, seed, epoch)
    assert order.tolist() == epoch_order(rows, seed, epoch).tolist()
    assert sorted(order.tolist()) == rows.tolist() == list(range(5, 65))
    assert order.tolist() != epoch_order(rows, seed, epoch + 1).tolist()
    assert order.tolist() != epoch_order(rows, seed + 1, epoch).tolist()


def test_every_place_is_as_likely() -> None:
    places = np.array([epoch_order(np.arange(4), 0, epoch) for epoch in range(2000)])
    shares = [np.bincount(places[:, place], minlength=4) / 2000 for place in range(4)]
    assert np.abs(np.array(shares) - 0.25).max() < 0.05  # 5 standard deviations


# Views ------------------------------------------------------------------------------------------------------------


def test_a_view_is_a_function_of_seed_epoch_and_row() -> None:
    augment = AugmentRecipe()

    def shown(seed: int = 1, epoch: int = 2, row: int = 3) -> list[float]:
        flat: list[float] = training_view(augment, (8, 6), seed, epoch)(row, (40, 30)).flatten().tolist()
        return flat

    assert shown() == shown()
    others = [shown(), shown(seed=2), shown(epoch=3), shown(row=4)]
    assert all(a != b for i, a in enumerate(others) for b in others[:i])
    view = training_view(augment, (8, 6), 1, 2)
    forwards = [view(row, (40, 30)).tolist() for row in range(9)]
    assert [view(row, (40, 30)).tolist() for row in reversed(range(9))] == forwards[::-1]


@pytest.mark.parametrize(("probability", "least", "most"), [(0.0, 0, 0), (0.25, 60, 140), (1.0, 400, 400)])
def test_so_many_views_are_mirrored(probability: float, least: int, most: int) -> None:
    view = training_view(AugmentRecipe(mirror=probability), (8, 6), 0, 0)
    mirrored = sum(view(row, (40, 30))[0, 0] < 0 for row in range(400))
    assert least <= mirrored <= most


def test_views_mirror_the_crop_that_was_drawn() -> None:
    """The mirror takes its draw after the crop's, so that a picture keeps its crop where it is switched on."""
    plain = training_view(AugmentRecipe(mirror=0), (8, 6), 0, 0)
    mirrored = training_view(AugmentRecipe(mirror=1), (8, 6), 0, 0)
    for row in range(20):
        assert np.array_equal(mirrored(row, (40, 30)), compose(plain(row, (40, 30)), mirror(8)))


def test_views_keep_to_the_recipe() -> None:
    view = training_view(AugmentRecipe(crop_scale=(0.5, 0.5), crop_ratio=(1, 1)), (8, 6), 0, 0)
    for row in range(50):
        x0, y0, x1, y1 = source_box(view(row, (40, 40)), (8, 6))
        assert (x1 - x0, y1 - y0) == pytest.approx((math.sqrt(800), math.sqrt(800)))
    whole = training_view(AugmentRecipe(crop_scale=(1, 1), crop_ratio=(1, 1), mirror=0), (8, 6), 0, 0)
    assert source_box(whole(7, (40, 40)), (8, 6)) == pytest.approx((0, 0, 40, 40))


# Passes -----------------------------------------------------------------------------------------------------------


def test_a_pass_gives_the_pictures_of_each_part_in_order() -> None:
    sources = pictures_of(7)
    parts = [np.array([4, 0, 4]), np.array([6]), np.array([], np.int64), np.array([1, 2])]
    made = Loader(GivenPictures(sources), parts, SMALL)
    assert len(made) == 4
    for batch, rows in zip(made, parts, strict=True):
        assert batch.rows.tolist() == rows.tolist()
        assert batch.images.shape == (len(rows), 6, 8, 3)
        assert batch.images.dtype == torch.uint8
        for image, row in zip(batch.images, rows, strict=True):
            picture = next(iter(Loader(GivenPictures([sources[row]]), [np.array([0])], SMALL)))
            assert torch.equal(image, picture.images[0])


def test_without_a_view_the_middle_is_shown() -> None:
    source = np.zeros((30, 40, 3), np.uint8)
    source[12:18, 16:24] = 200  # the middle 8 x 6, at 0.2 of the size
    made = Loader(GivenPictures([source]), [np.array([0])], Preprocessing((3, 6, 8), *MEAN_STD[3], crop_pct=0.2))
    assert (next(iter(made)).images == 200).all()
    assert np.array_equal(SMALL.map((40, 30)), central_crop((40, 30), (8, 6), 1.0))


def test_grey_batches() -> None:
    made = Loader(GivenPictures(pictures_of(2)), [np.arange(2)], Preprocessing((1, 6, 8), *MEAN_STD[1]))
    assert next(iter(made)).images.shape == (2, 6, 8, 1)


def test_a_loader_can_be_passed_twice() -> None:
    made = Loader(GivenPictures(pictures_of(9)), batches(np.arange(9), 4), SMALL, workers=2)
    first, second = list(made), list(made)
    assert len(first) == 3
    assert all(torch.equal(a.images, b.images) for a, b in zip(first, second, strict=True))


def test_any_number_of_workers_gives_the_same_bytes() -> None:
    rows = epoch_order(np.arange(50), 0, 0)
    assert len({digest(rows, workers) for workers in (1, 2, 8)}) == 1
    assert digest(rows, 2) == digest(rows, 2)


def test_batches_of_another_size_show_the_same_pictures() -> None:
    """The parts that threads take, 16 pictures, are no part of the result either."""
    rows = epoch_order(np.arange(50), 0, 0)
    view = training_view(AugmentRecipe(), SMALL.size, 0, 0)
    passes = [
        torch.cat([batch.images for batch in Loader(GivenPictures(pictures_of(50)), batches(rows, size), SMALL, view)])
        for size in (50, 17, 1)
    ]
    assert torch.equal(passes[0], passes[1])
    assert torch.equal(passes[0], passes[2])


def test_epochs_and_seeds_differ() -> None:
    rows = np.arange(50)
    digests = {digest(rows, 1, seed=seed, epoch=epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1))}
    assert len(digests) == 4
    assert digest(epoch_order(rows, 0, 0), 1) != digest(epoch_order(rows, 0, 1), 1)


# What cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_an_unreadable_row_stops_the_pass_and_is_named(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "1.png"
    path.write_bytes(b"")
    made = Loader(GivenPictures([*pictures_of(40), path]), batches(np.arange(41), 8), SMALL, workers=workers)
    sentence = f"{path}: cannot be read: the file is empty. Did it change since the check?"
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        list(made)
    assert decoders() == []


def test_an_unreadable_row_is_reported_where_it_is_asked_for() -> None:
    unreadable: dict[int, str] = {}
    pictures = Watched(40, bad=(3, 33))
    made = list(Loader(pictures, batches(np.arange(40), 8), SMALL, workers=2, unreadable=unreadable))
    assert unreadable == {3: "the file is empty", 33: "the file is empty"}
    images = torch.cat([batch.images for batch in made])
    blank = (images == 0).flatten(1).all(dim=1).nonzero().flatten().tolist()
    assert blank == [3, 33]


def test_any_other_error_of_a_thread_reaches_the_loop() -> None:
    pictures = Watched(40, bad=(20,), error=MemoryError("no room"))
    with pytest.raises(MemoryError, match="no room"):
        list(Loader(pictures, batches(np.arange(40), 8), SMALL, workers=2))
    assert decoders() == []


# Threads ----------------------------------------------------------------------------------------------------------


def test_no_thread_starts_before_the_first_batch() -> None:
    pictures = Watched(8)
    made = iter(Loader(pictures, batches(np.arange(8), 4), SMALL))
    assert pictures.opened == []
    assert decoders() == []
    next(made)
    assert pictures.opened != []
    assert len(decoders()) == 1
    del made
    assert decoders() == []


def test_a_whole_pass_leaves_no_thread() -> None:
    for _ in Loader(Watched(40), batches(np.arange(40), 4), SMALL, workers=3):
        assert 1 <= len(decoders()) <= 3
    assert decoders() == []


@pytest.mark.parametrize("workers", [1, 8])
def test_batches_are_begun_ahead_and_no_more_than_so_many(workers: int) -> None:
    pictures = Watched(80)
    used = 0
    for _ in Loader(pictures, batches(np.arange(80), 4), SMALL, workers=workers):
        used += 1
        ahead = min(used + AHEAD - 1, 20)
        pictures.wait_for(4 * ahead)  # while this batch is used, the next ones are made
        assert len(pictures.opened) == 4 * ahead
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
    pictures = Watched(800)
    made = Loader(pictures, batches(np.arange(800), 40), SMALL, workers=workers)
    if error is None:
        use(made)
    else:
        with pytest.raises(error):
            use(made)
    assert decoders() == []
    assert 40 <= len(pictures.opened) <= 40 * AHEAD


def test_a_thread_stops_within_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving waits for the picture that each thread is at, not for the sixteen of its part."""
    pictures = Watched(32)
    held, release = threading.Event(), threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            release.set()
            super().shutdown(wait, cancel_futures=cancel_futures)

    def hold(row: int, size: Size) -> Map:
        if row == 17:
            held.set()
            assert release.wait(WAIT_S)
        return SMALL.map(size)

    monkeypatch.setattr(loader, "ThreadPoolExecutor", Pool)
    made = iter(Loader(pictures, [np.arange(1), np.arange(16, 32)], SMALL, hold))
    next(made)
    assert held.wait(WAIT_S)
    del made
    assert decoders() == []
    assert pictures.opened == [0, 16, 17]
