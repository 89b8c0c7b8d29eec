import dataclasses
import hashlib
import math
import re
import resource
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from watched import WAIT_S, Watched, decoders, images_of

from striate.augment.colour import draw_colour
from striate.augment.geometry import Map, Size
from striate.augment.policy import draw_map
from striate.augment.presets import for_image, resolve
from striate.augment.resample import map_boxes, resample_mask
from striate.data import (
    MEAN_STD,
    Batch,
    GivenImages,
    Loader,
    OpenedImage,
    Order,
    Preprocessing,
    UnreadableError,
    View,
    advice,
    batches,
    loader,
    training_view,
)
from striate.data.loader import AHEAD
from striate.data.views import EvaluationView
from striate.errors import DataError, UsageError
from striate.recipe import AugmentRecipe

SMALL = Preprocessing((3, 6, 8), *MEAN_STD[3], crop_pct=1.0)
MEDIUM = AugmentRecipe(augment="medium")


def mask_of(row: int) -> NDArray[np.uint8]:
    """A mask of three classes, of the size of image number `row` of `images_of`."""
    return np.random.default_rng(row).integers(0, 3, (9 + row % 3, 12 + row % 5), np.uint8)


def boxes_of(count: int) -> NDArray[np.float32]:
    """A box an image, and none for every fifth."""
    corners = np.random.default_rng(0).uniform(0, 4, (count, 2))
    boxes = np.hstack([corners, corners + np.array((5, 4))]).astype(np.float32)
    boxes[::5] = np.nan
    return boxes


def full(order: Any, *, count: int = 50, epoch: int = 0, seed: int = 0, **options: Any) -> Loader:
    """A loader of everything that a batch can hold."""
    view = training_view(MEDIUM, SMALL, seed, epoch)
    images = GivenImages(images_of(count))
    return Loader(images, order, SMALL, view, masks=mask_of, boxes=boxes_of(count), **options)


def digest(batch: Batch) -> str:
    """Names everything that a batch holds."""
    found = hashlib.sha256(batch.rows.tobytes())
    for values in (batch.images, batch.colour, batch.masks, batch.boxes):
        assert values is not None
        found.update(f"{values.dtype} {tuple(values.shape)}".encode())
        found.update(values.numpy().tobytes())
    return found.hexdigest()


def digests(made: Loader) -> list[str]:
    return [digest(batch) for batch in made]


# Views ------------------------------------------------------------------------------------------------------------


def matrices(view: View, rows: Sequence[int]) -> list[list[float]]:
    """What a view shows of rows, as plain numbers."""
    shown = [view(row, (40, 30)) for row in rows]
    colours = [() if colour is None else colour.flatten().tolist() for _, colour in shown]
    return [[*map_.matrix.flatten().tolist(), *colour] for (map_, _), colour in zip(shown, colours, strict=True)]


@pytest.mark.parametrize("augment", [MEDIUM, AugmentRecipe(), AugmentRecipe(trivial=True)])
def test_a_view_is_a_function_of_seed_epoch_and_row(augment: AugmentRecipe) -> None:
    rows = range(9)
    shown = matrices(training_view(augment, SMALL, 1, 2), rows)
    assert matrices(training_view(augment, SMALL, 1, 2), rows[::-1]) == shown[::-1]
    others = [training_view(augment, SMALL, 1, 3), training_view(augment, SMALL, 2, 2)]
    assert all(a != b for other in others for a, b in zip(matrices(other, rows), shown, strict=True))
    assert len({tuple(row) for row in shown}) == 9


@pytest.mark.parametrize("trivial", [False, True])
def test_a_view_draws_what_the_recipe_gives_the_image(trivial: bool) -> None:
    recipe = AugmentRecipe(augment="medium", trivial=trivial)
    view = training_view(recipe, SMALL, 1, 2)
    for row in range(20):
        augment = for_image(resolve(recipe), 1, 2, row)
        map_, colour = view(row, (40, 30))
        assert colour is not None
        assert np.array_equal(map_.matrix, draw_map(augment, (40, 30), (8, 6), 1.0, 1, 2, row).matrix)
        assert np.array_equal(colour, draw_colour(augment, 3, 1, 2, row))


def test_without_augmentation_a_view_shows_what_evaluation_sees() -> None:
    preprocessing = Preprocessing((3, 6, 8), *MEAN_STD[3])
    view = training_view(AugmentRecipe(augment="none"), preprocessing, 1, 2)
    assert not view.draws_colour
    for source in [(40, 30), (9, 90)]:
        map_, colour = view(3, source)
        seen, none = EvaluationView(preprocessing)(3, source)
        assert np.array_equal(map_.matrix, seen.matrix)
        assert colour is none is None


# Passes -----------------------------------------------------------------------------------------------------------


def test_a_pass_gives_the_images_of_each_part_in_order() -> None:
    sources = images_of(7)
    parts = [np.array([4, 0, 4]), np.array([6]), np.array([], np.int64), np.array([1, 2])]
    made = Loader(GivenImages(sources), parts, SMALL)
    assert len(made) == 4
    for batch, rows in zip(made, parts, strict=True):
        assert batch.rows.tolist() == rows.tolist()
        assert batch.images.shape == (len(rows), 6, 8, 3)
        assert batch.images.dtype == torch.uint8
        assert batch.colour is batch.masks is batch.boxes is None
        for image, row in zip(batch.images, rows, strict=True):
            alone = next(iter(Loader(GivenImages([sources[row]]), [np.array([0])], SMALL)))
            assert torch.equal(image, alone.images[0])


def test_without_a_view_the_middle_is_shown() -> None:
    source = np.zeros((30, 40, 3), np.uint8)
    source[12:18, 16:24] = 200  # the middle 8 x 6, at 0.2 of the size
    made = Loader(GivenImages([source]), [np.array([0])], Preprocessing((3, 6, 8), *MEAN_STD[3], crop_pct=0.2))
    assert (next(iter(made)).images == 200).all()


def test_grey_batches() -> None:
    grey = Preprocessing((1, 6, 8), *MEAN_STD[1])
    made = Loader(GivenImages(images_of(2)), [np.arange(2)], grey, training_view(MEDIUM, grey, 0, 0))
    batch = next(iter(made))
    assert batch.images.shape == (2, 6, 8, 1)
    assert batch.colour is not None
    assert batch.colour.shape == (2, 1, 2)


def test_a_batch_holds_what_belongs_to_each_image() -> None:
    """Colour, mask and box are those of its row, under the map that the pixels were shown by."""
    rows = np.array([3, 5, 1, 8])
    boxes = boxes_of(9)
    view = training_view(MEDIUM, SMALL, 0, 0)
    batch = next(iter(full([rows], count=9)))
    assert batch.colour is not None
    assert batch.masks is not None
    assert batch.boxes is not None
    assert (batch.colour.dtype, batch.masks.dtype, batch.boxes.dtype) == (torch.float32, torch.uint8, torch.float32)
    for i, row in enumerate(rows.tolist()):
        source = (12 + row % 5, 9 + row % 3)
        map_, colour = view(row, source)
        assert colour is not None
        assert np.array_equal(batch.colour[i], colour)
        assert np.array_equal(batch.masks[i], resample_mask(mask_of(row), map_, (8, 6)))
        assert np.array_equal(batch.boxes[i], map_boxes(boxes[row : row + 1], map_, (8, 6))[0], equal_nan=True)
    assert batch.boxes.isnan().all(dim=1).tolist() == [False, True, False, False]


def test_a_mask_of_another_size_covers_the_whole_image() -> None:
    images = GivenImages([np.zeros((12, 16, 3), np.uint8)])
    mask = np.zeros((24, 32), np.uint8)
    mask[:, 16:] = 2
    made = Loader(images, [np.arange(1)], SMALL, masks=lambda row: mask)
    batch = next(iter(made))
    assert batch.masks is not None
    assert batch.masks[0].tolist() == [[0] * 4 + [2] * 4] * 6


def test_light_images_come_without_colour() -> None:
    made = Loader(GivenImages(images_of(2)), [np.arange(2)], SMALL, training_view(AugmentRecipe(), SMALL, 0, 0))
    assert next(iter(made)).colour is None


def test_a_loader_can_be_passed_twice() -> None:
    made = full(batches(np.arange(9), 4), count=9, workers=2)
    first = digests(made)
    assert len(first) == 3
    assert digests(made) == first


def test_a_batch_may_be_kept() -> None:
    order = batches(np.arange(50), 4)
    kept = list(full(order))
    assert [digest(batch) for batch in kept] == digests(full(order))


@pytest.mark.parametrize("weights", [None, np.arange(50.0)], ids=["shuffled", "weighted"])
def test_any_number_of_workers_gives_the_same_bytes(weights: NDArray[np.float64] | None) -> None:
    order = Order(np.arange(50), 0, 0, 20, weights)
    first = digests(full(order, workers=1))
    assert len(first) == 3
    assert all(digests(full(order, workers=workers)) == first for workers in (2, 4, 8))


def test_batches_of_another_size_show_the_same_images() -> None:
    """The parts that threads take, a few images, are no part of the result either."""
    passes = [torch.cat([batch.images for batch in full(batches(np.arange(50), size))]) for size in (50, 17, 1)]
    assert torch.equal(passes[0], passes[1])
    assert torch.equal(passes[0], passes[2])


def test_epochs_and_seeds_differ() -> None:
    order = batches(np.arange(50), 50)
    found = [digests(full(order, seed=seed, epoch=epoch))[0] for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1))]
    assert len(set(found)) == 4


# Going on ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, np.arange(50.0)], ids=["shuffled", "weighted"])
def test_a_pass_that_stops_at_any_step_goes_on_from_there(weights: NDArray[np.float64] | None) -> None:
    """Epoch and step are all the state: what was made ahead is neither lost nor repeated."""
    order = Order(np.arange(50), 3, 1, 7, weights)
    whole = digests(full(order, epoch=1))
    assert len(whole) == 8
    for stop in range(9):
        images = iter(full(order, epoch=1, workers=2))
        before = [digest(next(images)) for _ in range(stop)]
        del images
        rest = full(Order(np.arange(50), 3, 1, 7, weights), epoch=1, start=stop, workers=4)
        assert len(rest) == 8 - stop
        assert before + digests(rest) == whole


def test_what_was_passed_over_is_not_decoded() -> None:
    images = Watched(40)
    rest = Loader(images, batches(np.arange(40), 4), SMALL, start=8)
    assert [batch.rows.tolist() for batch in rest] == [[32, 33, 34, 35], [36, 37, 38, 39]]
    assert sorted(images.opened) == list(range(32, 40))


@pytest.mark.parametrize("start", [-1, 11])
def test_there_is_no_start_outside_the_pass(start: int) -> None:
    with pytest.raises(UsageError, match=f"^`start`: expected a step from 0 to 10; got {start}.$"):
        Loader(Watched(40), batches(np.arange(40), 4), SMALL, start=start)


# Memory -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Blank:
    """Images of no content, made when asked for."""

    size: Size = (64, 48)

    def path(self, row: int) -> str:
        return f"blank {row}"

    def open(self, row: int) -> Any:
        return self

    def read(self, map_: Map, size: Size, channels: int, levels: object = None) -> NDArray[np.uint8]:
        return np.zeros((size[1], size[0], channels), np.uint8)


def test_memory_is_flat_over_a_hundred_thousand_images() -> None:
    preprocessing = Preprocessing((3, 32, 32), *MEAN_STD[3])
    order = Order(np.arange(100_000), 0, 0, 100)
    seen, begun = 0, 0
    for batch in Loader(Blank(), order, preprocessing, workers=2):
        seen += len(batch.rows)
        if seen == 10_000:
            begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert seen == 100_000
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun
    assert grown < 30_000  # kilobytes; the 90,000 images after the first are 276,000


def test_pinned_batches_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    empty = torch.empty

    def spy(shape: tuple[int, ...], *, dtype: torch.dtype, pin_memory: bool) -> torch.Tensor:
        asked.append(pin_memory)
        return empty(shape, dtype=dtype)

    monkeypatch.setattr(torch, "empty", spy)
    next(iter(full([np.arange(2)], pinned=True)))
    assert asked == [True] * 4
    next(iter(full([np.arange(2)])))
    assert asked[4:] == [False] * 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_pinned_batches_hold_the_same() -> None:
    order = batches(np.arange(50), 4)
    assert all(batch.images.is_pinned() for batch in full(order, pinned=True))
    assert digests(full(order, pinned=True)) == digests(full(order))


# Turns ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit_s", "most"), [(math.inf, 1), (0.0, 2)], ids=["cheap", "dear"])
def test_cheap_images_are_decoded_by_one_thread_at_a_time(
    limit_s: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "CHEAP_S", limit_s)
    inside, highest = 0, 0
    changed = threading.Condition()

    class Counting(Watched):
        def open(self, row: int) -> OpenedImage:
            nonlocal inside, highest
            if row:  # the cost of the first is what the others go by
                with changed:
                    inside += 1
                    highest = max(highest, inside)
                    changed.notify_all()
                    changed.wait_for(lambda: highest == 2, WAIT_S if most == 2 else 0.01)
                    inside -= 1
            return super().open(row)

    nothing = [np.arange(0)] * (AHEAD - 1)  # so that no other image is begun before the first is done
    made = list(Loader(Counting(9), [np.arange(1), *nothing, *np.split(np.arange(1, 9), 8)], SMALL, workers=2))
    assert len(made) == 11
    assert highest == most


# What cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_an_unreadable_row_stops_the_pass_and_is_named(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "1.png"
    path.write_bytes(b"")
    made = Loader(GivenImages([*images_of(40), path]), batches(np.arange(41), 8), SMALL, workers=workers)
    sentence = f"{path}: cannot be read: the file is empty. Did it change since the check?"
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        list(made)
    assert decoders() == []


def test_an_unreadable_row_is_reported_where_it_is_asked_for() -> None:
    unreadable: dict[int, str] = {}
    images = Watched(40, bad=(3, 33))
    made = list(Loader(images, batches(np.arange(40), 8), SMALL, workers=2, unreadable=unreadable))
    assert unreadable == {3: "the file is empty", 33: "the file is empty"}
    pixels = torch.cat([batch.images for batch in made])
    blank = (pixels == 0).flatten(1).all(dim=1).nonzero().flatten().tolist()
    assert blank == [3, 33]


def test_of_an_unreadable_row_there_is_nothing_to_learn() -> None:
    unreadable: dict[int, str] = {}
    view = training_view(MEDIUM, SMALL, 0, 0)
    images = Watched(4, bad=(1,))
    order = [np.arange(4)]
    made = Loader(images, order, SMALL, view, masks=mask_of, boxes=boxes_of(4), unreadable=unreadable)
    batch = next(iter(made))
    assert list(unreadable) == [1]
    assert batch.colour is not None
    assert batch.masks is not None
    assert batch.boxes is not None
    assert not batch.images[1].any()
    assert not batch.colour[1].any()
    assert (batch.masks[1] == 255).all()
    assert batch.boxes[1].isnan().all()
    assert not batch.boxes[2:].isnan().any()


def test_a_mask_that_cannot_be_read_is_named_by_its_image() -> None:
    def no_mask(row: int) -> NDArray[np.uint8]:
        raise UnreadableError("its mask is empty")

    made = Loader(Watched(1), [np.arange(1)], SMALL, masks=no_mask)
    with pytest.raises(DataError, match=r"^image 0: cannot be read: its mask is empty\. "):
        next(iter(made))


def test_any_other_error_of_a_thread_reaches_the_loop_and_names_the_file() -> None:
    images = Watched(40, bad=(20,), error=MemoryError("no room"))
    with pytest.raises(MemoryError, match="no room") as caught:
        list(Loader(images, batches(np.arange(40), 8), SMALL, workers=2))
    assert caught.value.__notes__ == ["while reading image 20"]
    assert decoders() == []


# Advice -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workers", "cached", "knob"),
    [
        (2, False, "--workers 4, one a core (it is 2)."),
        (4, False, "--pixel-cache on, which decodes every image once and not once an epoch."),
        (4, True, "a smaller --img-size"),
    ],
)
def test_a_run_that_waits_is_told_what_to_turn(workers: int, cached: bool, knob: str) -> None:
    told = advice(0.463, workers=workers, cores=4, cached=cached)
    assert told is not None
    assert told.startswith(f"46% of the time the network waited for images. Try {knob}")


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_a_run_that_hardly_waits_is_told_nothing(share: float) -> None:
    assert advice(share, workers=1, cores=8, cached=False) is None
