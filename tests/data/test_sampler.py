import doctest
import hashlib
import itertools
import math
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare

from striate.data import Index, Rows, build, sampler
from striate.data.sampler import Order, batches, weighted_rows
from striate.errors import DataError, UsageError

SEEDS = st.integers(0, 2**62)
SURE = 1e-4  # a chance below which a fair order would not look like what was found; the draws are the same every time


def epoch_of(order: Order) -> list[int]:
    """All rows of an epoch, in order."""
    return [row for step in range(len(order)) for row in order[step].tolist()]


def shuffled(count: int, epochs: int, seed: int = 0) -> NDArray[np.int64]:
    """(epochs, count) the orders of the rows 0..count-1."""
    rows = np.arange(count)
    return np.stack([Order(rows, seed, epoch, count)[0] for epoch in range(epochs)])


def test_doctests_run() -> None:
    result = doctest.testmod(sampler, extraglobs={"np": np})
    assert result.attempted > 0
    assert result.failed == 0


# Batches ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 300), st.integers(1, 100))
def test_batches_cover_all_rows_in_equal_parts(count: int, batch_size: int) -> None:
    rows = np.arange(count)[::-1] * 3
    parts = batches(rows, batch_size)
    assert [row for part in parts for row in part.tolist()] == rows.tolist()
    assert len(parts) == math.ceil(count / batch_size)
    sizes = [len(part) for part in parts]
    assert sizes == sorted(sizes, reverse=True)
    assert not sizes or (max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1 and min(sizes) >= 1)


@given(st.integers(0, 300), st.integers(1, 100))
def test_an_order_s_batches_are_as_equal(count: int, batch_size: int) -> None:
    rows = np.arange(count)
    order = Order(rows, 0, 0, batch_size)
    assert [len(part) for part in order] == [len(part) for part in batches(rows, batch_size)]


@pytest.mark.parametrize("step", [-1, 4])
def test_there_is_no_step_outside_the_epoch(step: int) -> None:
    with pytest.raises(IndexError, match=f"^step: expected one from 0, below 4; got {step}.$"):
        Order(np.arange(10), 0, 0, 3)[step]


# Every row once ---------------------------------------------------------------------------------------------------


@given(st.integers(1, 300), st.integers(1, 40), SEEDS, st.integers(0, 1000))
def test_an_epoch_has_every_row_once(count: int, batch_size: int, seed: int, epoch: int) -> None:
    rows = np.arange(count) * 3 + 5
    order = Order(rows, seed, epoch, batch_size)
    assert sorted(epoch_of(order)) == rows.tolist()
    assert epoch_of(order) == epoch_of(Order(rows, seed, epoch, batch_size))


@pytest.mark.parametrize("count", [2**12, 2**12 - 1, 2**12 + 1, 64 * 63, 64 * 63 + 1, 64 * 64 + 63])
def test_every_row_once_around_the_squares(count: int) -> None:
    assert sorted(epoch_of(Order(np.arange(count), 1, 2, 500))) == list(range(count))


@given(SEEDS, st.integers(0, 1000))
def test_seeds_and_epochs_differ(seed: int, epoch: int) -> None:
    rows = np.arange(60)
    orders = [Order(rows, seed, epoch, 60), Order(rows, seed, epoch + 1, 60), Order(rows, seed + 1, epoch, 60)]
    assert len({order[0].tobytes() for order in orders}) == 3


def test_the_order_is_the_same_on_every_machine_and_in_every_version() -> None:
    """A change here breaks every run that is resumed: it needs a new version of the checkpoint."""
    order = Order(np.arange(1000), seed=7, epoch=3, batch_size=64)
    weighted = replace(order, weights=np.arange(1000.0))
    digests = [hashlib.sha256(np.array(epoch_of(each), "<i8").tobytes()).hexdigest()[:16] for each in (order, weighted)]
    assert digests == ["27b51159f1f6fd3c", "983e5e966c789a72"]


@given(st.integers(1, 200), st.integers(1, 40), st.booleans(), st.data())
def test_a_batch_depends_on_nothing_that_came_before(
    count: int, batch_size: int, weighted: bool, data: st.DataObject
) -> None:
    """Neither on the steps before it, nor on how the epoch is parted: it is the same run of one sequence of draws."""
    rows = np.arange(count)
    weights = np.arange(1.0, count + 1) if weighted else None
    order = Order(rows, 4, 2, batch_size, weights)
    step = data.draw(st.integers(0, len(order) - 1))
    alone = Order(rows, 4, 2, batch_size, weights)[step]
    assert alone.tolist() == order[step].tolist()
    whole = Order(rows, 4, 2, count, weights)[0].tolist()
    assert whole == epoch_of(order)


def test_a_seek_is_one_look_in_an_epoch_of_a_hundred_million() -> None:
    """No list of the epoch is made: a batch far into it takes memory in the order of the square root of the rows."""
    rows = np.broadcast_to(np.int64(7), 10**8)  # takes no memory itself
    order = Order(rows, 0, 0, 64)
    tracemalloc.start()
    try:
        assert order[10**6].tolist() == [7] * 64
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4e6  # 20 tables of 10,000 numbers, 1.6 MB; the epoch's rows would be 800 MB
    places = np.concatenate([order._permutation(np.arange(start, start + 64)) for start in range(0, 10**8, 10**6)])
    assert len(np.unique(places)) == len(places)
    assert chisquare(np.bincount(places // 10**7, minlength=10)).pvalue > SURE


# Fair orders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_all_orders_of_a_few_rows_are_equally_likely(count: int) -> None:
    orders = [tuple(order) for order in shuffled(count, 8000).tolist()]
    numbers = {order: number for number, order in enumerate(itertools.permutations(range(count)))}
    found = np.bincount([numbers[order] for order in orders], minlength=len(numbers))
    assert chisquare(found).pvalue > SURE


@pytest.mark.parametrize("count", [7, 16, 30])
def test_every_row_is_as_likely_at_every_place(count: int) -> None:
    orders = shuffled(count, 3000)
    found = np.stack([np.bincount(orders[:, place], minlength=count) for place in range(count)])
    assert chisquare(found.ravel()).pvalue > SURE


@pytest.mark.parametrize("count", [7, 16, 30])
def test_every_row_is_as_likely_to_follow_every_other(count: int) -> None:
    orders = shuffled(count, 3000)
    found = np.zeros((count, count))
    np.add.at(found, (orders[:, :-1], orders[:, 1:]), 1)
    assert chisquare(found[~np.eye(count, dtype=bool)]).pvalue > SURE


def test_neighbours_of_a_long_order_are_strangers() -> None:
    """Neither the distance of rows that follow each other nor the parity of their places tells anything."""
    count = 40_000
    order = Order(np.arange(count), 0, 0, count)[0]
    distances = np.diff(order) % count  # 1..count-1, each as likely
    assert chisquare(np.bincount((distances - 1) * 100 // (count - 1), minlength=100)).pvalue > SURE
    bits = np.bincount(2 * (order % 2) + np.arange(count) % 2, minlength=4)
    assert chisquare(bits).pvalue > SURE
    ascents = (np.diff(order) > 0).mean()
    assert abs(ascents - 0.5) < 4 * math.sqrt(1 / 12 / count)
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 4 / math.sqrt(count)


def test_an_epoch_tells_nothing_of_the_next() -> None:
    places = np.argsort(shuffled(30, 3001), axis=1)
    found = np.zeros((30, 30))
    np.add.at(found, (places[:-1, 0], places[1:, 0]), 1)  # of row 0
    assert chisquare(found.ravel()).pvalue > SURE
    seeds = np.stack([np.argsort(Order(np.arange(30), seed, 0, 30)[0]) for seed in range(3001)])
    found = np.zeros((30, 30))
    np.add.at(found, (seeds[:-1, 0], seeds[1:, 0]), 1)
    assert chisquare(found.ravel()).pvalue > SURE


# Several processes ------------------------------------------------------------------------------------------------


@given(st.integers(1, 200), st.integers(1, 40), st.integers(1, 5), st.booleans())
def test_the_processes_share_every_batch_and_part_no_pair(
    count: int, batch_size: int, world: int, weighted: bool
) -> None:
    whole = Order(np.arange(count), 2, 1, batch_size, np.arange(1.0, count + 1) if weighted else None)
    if world > math.ceil((count // len(whole)) / 2):
        with pytest.raises(UsageError, match="expected two images or more"):
            replace(whole, world=world)
        return
    orders = [replace(whole, rank=rank, world=world) for rank in range(world)]
    for step in range(len(whole)):
        shares = [order[step] for order in orders]
        assert np.concatenate(shares).tolist() == whole[step].tolist()
        assert all(len(share) % 2 == 0 for share in shares[:-1])
        assert min(map(len, shares)) >= 1
        assert max(map(len, shares)) - min(map(len, shares)) <= 2


def test_orders_that_cannot_be_shared() -> None:
    with pytest.raises(UsageError, match=r"^`rank`: expected one from 0, below 2; got 2\.$"):
        Order(np.arange(9), 0, 0, 8, rank=2, world=2)
    sentence = (
        "`batch_size`: expected two images or more for each of 4 processes; got 4 in all. "
        "Try a larger batch or fewer processes."
    )
    with pytest.raises(UsageError, match=f"^{re.escape(sentence)}$"):
        Order(np.arange(9), 0, 0, 8, world=4)


# Weights ----------------------------------------------------------------------------------------------------------


def test_equal_weights_are_no_weights() -> None:
    order = Order(np.arange(500), 1, 2, 64)
    assert epoch_of(replace(order, weights=np.full(500, 0.3))) == epoch_of(order)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60).filter(any), SEEDS)
def test_a_row_comes_as_often_as_its_weight_says(weights: list[int], seed: int) -> None:
    order = Order(np.arange(len(weights)), seed, 0, 16, np.array(weights, float))
    counts = np.bincount(epoch_of(order), minlength=len(weights))
    expected = np.array(weights) * len(weights) / sum(weights)
    assert counts.sum() == len(weights)
    assert (np.abs(counts - expected) < 2).all()
    assert not counts[np.array(weights) == 0].any()


def test_over_the_epochs_a_row_comes_exactly_as_often_as_its_weight_says() -> None:
    weights = np.array([0.1, 2.0, 0.0, 0.4, 0.5, 3.0])
    orders = np.concatenate([Order(np.arange(6), 0, epoch, 6, weights)[0] for epoch in range(4000)])
    found = np.bincount(orders, minlength=6)
    assert found[2] == 0
    assert np.abs(found / 4000 - weights).max() < 0.03  # an independent draw's standard deviation is 0.025 at most


@pytest.mark.parametrize("highest", [np.nextafter(1, 0), 0.0])
def test_a_draw_at_the_very_end_stays_inside(highest: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "_jitter", lambda self, start, stop: np.full(stop - start, highest))
    weights = np.array([0.0, 1.0, 1 / 3, 0.7, 0.0])
    assert set(epoch_of(Order(np.arange(5), 0, 0, 5, weights))) <= {1, 2, 3}


def test_weights_of_another_length() -> None:
    with pytest.raises(UsageError, match=r"^`weights`: expected 3, one a row; got 2\.$"):
        Order(np.arange(3), 0, 0, 3, np.ones(2))


# From an index ----------------------------------------------------------------------------------------------------


def index_of(labels: list[int], weights: list[float | None] | None = None) -> Index:
    """An index of images that need not exist."""
    index = build(Path(), ["a", "b", "c"], [f"{row}.png" for row in range(len(labels))], label=labels)
    if weights is None:
        return index
    place = index.table.schema.get_field_index("weight")
    return replace(index, table=index.table.set_column(place, "weight", pa.array(weights, pa.float32())))


def test_a_shuffle_takes_the_rows_as_they_are() -> None:
    rows = np.array([4, 2, 0])
    found, weights = weighted_rows(index_of([0, 1, 2, 0, 1]), rows, "shuffle")
    assert found is rows
    assert weights is None


@given(st.lists(st.integers(0, 2), min_size=1, max_size=100), SEEDS)
def test_every_class_comes_equally_often(labels: list[int], seed: int) -> None:
    index = index_of([-1, *labels])
    rows, weights = weighted_rows(index, np.arange(1, len(labels) + 1), "balanced")
    assert sorted(rows.tolist()) == list(range(1, len(labels) + 1))
    drawn = np.array(labels)[np.array(epoch_of(Order(rows, seed, 0, 8, weights))) - 1]
    counts = np.bincount(drawn, minlength=3)[np.unique(labels)]
    assert (np.abs(counts - len(labels) / len(counts)) < 2).all()


def test_in_a_class_every_row_comes_equally_often() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    rows, weights = weighted_rows(index_of(labels.tolist()), np.arange(100), "balanced")
    counts = np.bincount(epoch_of(Order(rows, 0, 0, 8, weights)), minlength=100)
    assert (counts[:90] <= 2).all()
    assert set(counts[90:].tolist()) <= {4, 5, 6}


def test_several_labels_cannot_be_balanced() -> None:
    index = build(Path(), ["a", "b"], ["0.png"], labels=[[0, 1]])
    sentence = (
        "`sampling`: expected shuffle or weighted, because an image may have several labels; got balanced. "
        "Try --class-weights balanced."
    )
    with pytest.raises(UsageError, match=f"^{re.escape(sentence)}$"):
        weighted_rows(index, np.arange(1), "balanced")


def test_weights_come_from_the_index() -> None:
    index = index_of([0, 1, 2, 0], [2.0, None, 0.5, 7.0])
    rows: Rows = np.array([2, 0, 1])
    found, weights = weighted_rows(index, rows, "weighted")
    assert found is rows
    assert weights is not None
    assert weights.tolist() == [0.5, 2.0, 1.0]


@pytest.mark.parametrize("weights", [[-1.0, 1.0], [math.nan, 1.0], [math.inf, 1.0], [0.0, 0.0]])
def test_weights_that_mean_nothing(weights: list[float | None]) -> None:
    sentence = "weight: expected finite numbers from 0, not all of them 0; got others. Mend that column."
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        weighted_rows(index_of([0, 1], weights), np.arange(2), "weighted")


def test_weights_that_are_not_there() -> None:
    sentence = "weight: expected a column of weights for --sampling weighted; got none. Try balanced."
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        weighted_rows(index_of([0, 1], [None, None]), np.arange(2), "weighted")
