import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from striate.evaluation.intervals import UNKNOWN, Resampling, share
from striate.evaluation.selective import abstention, aurc


def drawn(seed: int, count: int, steps: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidences and whether each is right, as often as it says; of a few values only where there are steps."""
    rng = np.random.default_rng(seed)
    confidence = 0.5 + 0.5 * rng.random(count)
    if steps:
        confidence = np.ceil(confidence * steps) / steps
    return confidence, rng.random(count) < confidence


def test_the_area_by_hand() -> None:
    confidence, hits = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    assert aurc(confidence, hits, Resampling(4)).value == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)


def test_the_area_over_equals_is_the_mean_over_their_orders() -> None:
    confidence, hits = np.array([0.9, 0.9, 0.5]), np.array([True, False, True])
    orders = [np.mean([0, 1 / 2, 1 / 3]), np.mean([1, 1 / 2, 1 / 3])]
    assert aurc(confidence, hits, Resampling(3)).value == pytest.approx(np.mean(orders))


def test_the_interval_of_the_area_is_that_of_a_plain_bootstrap() -> None:
    confidence, hits = drawn(0, 300)
    found = aurc(confidence, hits, Resampling(300, draws=2000))
    rng = np.random.default_rng(1)
    again = []
    for _ in range(1000):
        rows = rng.integers(0, 300, 300)
        again.append(aurc(confidence[rows], hits[rows], Resampling(300, draws=2)).value)
    low, high = np.quantile(again, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.012)


@given(st.integers(0, 99), st.sampled_from([0, 5, 20]), st.sampled_from([0.6, 0.8, 0.9, 0.99]))
def test_the_threshold_is_the_lowest_that_keeps_the_accuracy(seed: int, steps: int, wanted: float) -> None:
    confidence, hits = drawn(seed, 60, steps)
    found = abstention(confidence, hits, wanted, Resampling(60, draws=20))
    fitting = [t for t in np.unique(confidence) if hits[confidence >= t].mean() >= wanted - 1e-12]
    if not fitting:
        assert np.isnan(found.threshold.value)
        assert found.answered.value == 0
        return
    given_ = confidence >= min(fitting)
    assert found.threshold.value == min(fitting)
    assert found.answered.value == given_.mean()
    assert found.accuracy == share(float(hits[given_].sum()), float(given_.sum()))


def test_a_guarantee_is_rarely_broken_and_stricter_than_what_was_seen() -> None:
    broken = 0
    for seed in range(60):
        confidence, hits = drawn(seed, 1000)
        found = abstention(confidence, hits, 0.9, Resampling(1000, draws=20))
        if not np.isnan(found.guaranteed):
            assert found.guaranteed >= found.threshold.value
            broken += (1 + found.guaranteed) / 2 < 0.9  # the true accuracy of what is answered
    assert broken <= 6


def test_too_few_images_guarantee_nothing() -> None:
    found = abstention(np.linspace(0.5, 1, 100), np.ones(100, bool), 0.99, Resampling(100, draws=20))
    assert found.threshold.value == 0.5
    assert np.isnan(found.guaranteed)
    assert np.isnan(found.guaranteed_share)
    assert found.answered.value == 1.0


def test_an_accuracy_that_no_threshold_keeps() -> None:
    found = abstention(np.array([0.9, 0.8]), np.array([False, False]), 0.5, Resampling(2, draws=20))
    assert (found.answered.value, found.threshold) == (0.0, UNKNOWN)


def test_groups_widen_the_intervals() -> None:
    confidence, hits = drawn(0, 100)
    copies, groups = (np.repeat(confidence, 10), np.repeat(hits, 10)), np.repeat(np.arange(100), 10)
    apart = abstention(*copies, 0.8, Resampling(1000, draws=300)).answered
    together = abstention(*copies, 0.8, Resampling(1000, groups, draws=300)).answered
    assert together.high - together.low > 1.5 * (apart.high - apart.low)
