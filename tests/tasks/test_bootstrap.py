import numpy as np
import pytest
from numpy.typing import NDArray

from striate.tasks import bootstrap
from striate.tasks.bootstrap import interval, share_interval
from striate.tasks.wilson import wilson

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


@pytest.mark.parametrize(("right", "counted"), [(0, 7), (7, 7), (3, 7), (0, 0)])
def test_a_share_of_independent_images_has_wilsons_interval(right: int, counted: int) -> None:
    hits, of = np.zeros(9), np.zeros(9)
    hits[:right], of[:counted] = 1, 1
    assert share_interval(hits, of) == tuple(float(end) for end in wilson(right, counted))


@pytest.mark.parametrize("hit", [0.0, 1.0])
def test_a_share_of_groups_that_are_all_alike_is_as_sure_as_one_of_as_many_images(hit: float) -> None:
    hits, of, groups = np.full(40, hit), np.ones(40), np.repeat(np.arange(4), 10)
    assert share_interval(hits, of, groups) == tuple(float(end) for end in wilson(4 * hit, 4))


def test_a_share_of_groups_is_less_sure_than_one_of_as_many_images() -> None:
    hits, groups = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0, 1.0], 10), np.repeat(np.arange(6), 10)
    low, high = share_interval(hits, np.ones(60), groups)
    alone = share_interval(hits, np.ones(60))
    assert low < alone[0] < alone[1] < high
