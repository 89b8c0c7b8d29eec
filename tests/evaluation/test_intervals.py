import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.evaluation.intervals import MOST_BLOCKS, UNKNOWN, Interval, Resampling, share
from striate.tasks.wilson import wilson


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(case: tuple[int, int]) -> None:
    from scipy.stats import binomtest

    right, count = case
    expected = binomtest(right, count).proportion_ci(0.95, method="wilson")
    low, high = wilson(right, count)
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_says_nothing() -> None:
    low, high = wilson([0, 3], [0, 3])
    assert (low.tolist()[0], high.tolist()) == (0.0, [1.0, 1.0])
    assert share(0, 0) is UNKNOWN


def test_an_interval_as_text_and_as_plain_values() -> None:
    assert f"{Interval(0.9, 0.85, 0.95):.3f}" == "0.900 [0.850, 0.950]"
    assert f"{UNKNOWN:.3f}" == "unknown"
    assert UNKNOWN.to_dict() == {"value": None, "low": None, "high": None}


def test_the_mean_of_many_images_has_the_interval_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(3, 2, 1500)
    (found,) = Resampling(len(values), draws=4000).means(values[:, None])
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.06 * half)


def test_few_images_widen_the_interval_as_t_does() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    (found,) = Resampling(5, draws=20_000).means(values[:, None])
    plain = 1.96 * values.std() / np.sqrt(5)
    assert 3 - found.low > 1.15 * plain


def test_blocks_of_many_images_give_the_same_width() -> None:
    values = np.random.default_rng(0).exponential(size=10 * MOST_BLOCKS)
    resampling = Resampling(len(values))
    assert resampling.blocks == MOST_BLOCKS
    assert np.bincount(resampling.block).tolist() == [10] * MOST_BLOCKS
    (found,) = resampling.means(values[:, None])
    expected = 2 * 1.96 * values.std() / np.sqrt(len(values))
    assert found.high - found.low == pytest.approx(expected, rel=0.1)


def test_images_of_a_group_are_drawn_together() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=100), 20)  # twenty copies say no more than one
    groups = np.repeat([f"group {k}" for k in range(100)], 20)
    (apart,) = Resampling(len(values)).means(values[:, None])
    (together,) = Resampling(len(values), groups).means(values[:, None])
    assert (together.high - together.low) / (apart.high - apart.low) == pytest.approx(np.sqrt(20), rel=0.15)


def test_a_share_of_groups() -> None:
    hits = np.repeat(np.arange(30) % 3 > 0, 10)
    groups = np.repeat(np.arange(30), 10)
    plain, grouped = Resampling(300).share(hits), Resampling(300, groups).share(hits)
    assert plain == share(200, 300)
    assert grouped.high - grouped.low > 2.5 * (plain.high - plain.low)
    every = Resampling(300, groups).share(np.ones(300, bool))
    assert every.low == pytest.approx(float(wilson(30, 30)[0]))
    assert every.high == 1.0


def test_draws_are_the_same_for_every_figure_and_follow_the_seed() -> None:
    values = np.random.default_rng(0).normal(size=(50, 2))
    both = Resampling(50, seed=3).means(values)
    (second,) = Resampling(50, seed=3).means(values[:, 1:])
    assert second.to_dict() == pytest.approx(both[1].to_dict())
    assert Resampling(50, seed=4).means(values) != both
    assert Resampling(50, draws=150).sums(np.ones((50, 1))).ravel().tolist() == [50.0] * 150
