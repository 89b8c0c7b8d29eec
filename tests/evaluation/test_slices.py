from typing import Any

import numpy as np
import pytest

from striate.evaluation.intervals import Resampling, share
from striate.evaluation.slices import holm, slices


def test_the_worst_slice_comes_first_and_is_told_from_chance() -> None:
    values = ["day"] * 100 + ["night"] * 40
    hits = np.array([True] * 95 + [False] * 5 + [True] * 20 + [False] * 20)
    night, day = slices("light", values, hits, Resampling(140))
    assert (night.column, night.value, night.count) == ("light", "night", 40)
    assert (night.score, night.rest) == (share(20, 40), share(95, 100))
    assert night.differs
    assert (day.value, day.p) == ("day", night.p)


def test_scores_that_are_no_shares_are_told_apart_too() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.uniform(0.7, 0.9, 60), rng.uniform(0.5, 0.8, 40), [np.nan]])
    night, day = slices("light", ["day"] * 60 + ["night"] * 41, scores, Resampling(101))
    assert (night.value, night.count) == ("night", 41)
    assert night.score.value == pytest.approx(scores[60:100].mean())
    assert night.score.low < night.score.value < night.score.high < day.score.low
    assert night.differs


def test_slices_of_chance_are_not_told_apart() -> None:
    rng = np.random.default_rng(0)
    found = [
        row
        for seed in range(20)
        for row in slices("x", rng.integers(0, 10, 300).tolist(), rng.random(300) < 0.8, Resampling(300, seed=seed))
    ]
    assert sum(row.differs for row in found) <= 3


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]), ([0.5], [0.5]), ([0.9, 0.8], [1.0, 1.0]), ([], [])],
)
def test_holm(p_values: list[float], expected: list[float]) -> None:
    assert holm(p_values) == pytest.approx(expected)


def test_many_numbers_are_cut_into_quarters() -> None:
    values: list[Any] = [*range(100), None]
    rows = slices("iso", values, np.ones(101, bool), Resampling(101))
    assert sorted(row.count for row in rows) == [1, 25, 25, 25, 25]
    assert {row.value for row in rows} == {
        "0 to 24.75", "24.75 to 49.5", "49.5 to 74.25", "74.25 to 99", "none given"
    }  # fmt: skip


def test_many_words_keep_the_most_frequent() -> None:
    values = [f"camera {k}" for k in range(50) for _ in range(50 - k)]
    rows = slices("camera", values, np.ones(len(values), bool), Resampling(len(values)))
    assert len(rows) == 30
    assert {row.value: row.count for row in rows}["21 other values"] == sum(range(1, 22))
    assert "camera 0" in {row.value for row in rows}


def test_values_that_are_missing_are_one_slice() -> None:
    rows = slices("year", ["2020", None, "", "2020"], np.array([True, True, False, True]), Resampling(4))
    assert {row.value: row.count for row in rows} == {"none given": 2, "2020": 2}


def test_groups_widen_the_interval_of_a_slice() -> None:
    hits = np.repeat(np.arange(40) % 3 > 0, 10)
    values, groups = ["a"] * 200 + ["b"] * 200, np.repeat(np.arange(40), 10)
    apart = {row.value: row.score for row in slices("x", values, hits, Resampling(400))}
    together = {row.value: row.score for row in slices("x", values, hits, Resampling(400, groups))}
    (p_apart, _), (p_together, _) = (
        [row.p for row in slices("x", values, np.repeat(np.arange(40) >= 4, 10), Resampling(400, each))]
        for each in (None, groups)
    )
    assert p_apart < 1e-6
    assert p_together > 0.01
    for name in "ab":
        assert together[name].high - together[name].low > 2 * (apart[name].high - apart[name].low)
