import numpy as np
import pytest
from numpy.typing import NDArray

from striate.tasks import bootstrap
from striate.tasks.bootstrap import interval

Values = NDArray[np.float64]


def mean(sums: Values) -> Values:
    return sums[:, :1] / sums[:, 1:]


def with_ones(values: Values) -> Values:
    return np.stack([values, np.ones_like(values)], axis=1)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution_where_images_are_many() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 4000)
    low, high = interval(with_ones(values), mean)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert low[0] == pytest.approx(values.mean() - half, abs=half / 8)
    assert high[0] == pytest.approx(values.mean() + half, abs=half / 8)


def test_it_covers_the_truth_in_95_of_100_sets() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        low, high = interval(with_ones((rng.random(80) < 0.6).astype(float)), mean, resamples=300)
        hits += int(low[0] <= 0.6 <= high[0])
    assert 0.91 <= hits / 400 <= 0.98


def test_the_same_images_have_the_same_interval_however_many_are_drawn_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sums = with_ones(np.random.default_rng(2).random(50))
    first = interval(sums, mean)
    assert [ends.tolist() for ends in interval(sums, mean)] == [ends.tolist() for ends in first]
    monkeypatch.setattr(bootstrap, "AT_A_TIME", 70)
    assert interval(sums, mean)[0] == pytest.approx(first[0])


def test_a_score_that_some_resamples_lack_is_taken_over_the_others() -> None:
    sums = np.array([[1.0, 1, 0], [0, 0, 0], [0, 0, 0]])  # only the first image has the class

    def score(sums: Values) -> Values:
        known = np.divide(sums[:, :1], sums[:, 1:2], out=np.full((len(sums), 1), np.nan), where=sums[:, 1:2] > 0)
        return np.concatenate([known, np.full_like(known, np.nan)], axis=1)

    low, high = interval(sums, score)
    assert (low[0], high[0]) == (1, 1)
    assert np.isnan(low[1])
    assert np.isnan(high[1])
