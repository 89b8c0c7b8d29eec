import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ttest_rel

from striate.evaluation.intervals import Resampling
from striate.evaluation.paired import (
    images_for_equivalence,
    images_to_tell,
    mcnemar,
    mean_difference,
    paired,
    paired_means,
)

Hits = NDArray[np.bool_]


def cells(both: int, gained: int, lost: int, neither: int) -> tuple[Hits, Hits]:
    """Whether A and B are right on images of which so many fall into each cell."""
    a = np.repeat([True, False, True, False], [both, gained, lost, neither])
    b = np.repeat([True, True, False, False], [both, gained, lost, neither])
    return a, b


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_agrees_with_the_sum_of_binomials(gained: int, lost: int) -> None:
    n, few = gained + lost, min(gained, lost)
    tail = sum(math.comb(n, k) for k in range(few + 1)) / 2**n
    assert mcnemar(gained, lost) == pytest.approx(min(1.0, 2 * tail) if gained != lost else 1.0)


def test_a_pairing_tells_what_two_intervals_do_not() -> None:
    a, b = cells(800, 30, 10, 160)  # 0.81 and 0.83: their own intervals overlap
    found = paired(a, b, Resampling(len(a)))
    assert found.verdict == "better"
    assert (found.gained, found.lost, found.both, found.neither) == (30, 10, 800, 160)
    assert found.difference.value == 0.02
    assert 0 < found.difference.low < 0.02 < found.difference.high
    assert paired(b, a, Resampling(len(a))).verdict == "worse"


def test_the_interval_agrees_with_its_closed_form() -> None:
    a, b = cells(800, 30, 10, 160)
    found = paired(a, b, Resampling(1000)).difference
    p_gained, p_lost = 31 / 1002, 11 / 1002  # Bonett and Price's
    half = 1.96 * math.sqrt((p_gained + p_lost - (p_gained - p_lost) ** 2) / 1002)
    middle = p_gained - p_lost
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half), abs=0.001)


def test_few_images_leave_it_open_and_say_how_many_would_tell() -> None:
    a, b = cells(130, 6, 4, 13)
    found = paired(a, b, Resampling(len(a)))
    assert found.verdict == "undecided"
    assert found.images_needed == images_to_tell(2 / 153, 11 / 155)
    assert found.images_needed > 153


def test_many_images_show_equivalence() -> None:
    a, b = cells(45_000, 200, 190, 4610)
    found = paired(a, b, Resampling(50_000))
    assert found.verdict == "equivalent"
    assert found.equivalence_p < 0.05
    assert paired(a, b, Resampling(50_000), margin=0.0001).verdict == "undecided"


def test_models_that_agree_everywhere_are_not_taken_for_equal_on_few_images() -> None:
    a, b = cells(20, 0, 0, 0)
    found = paired(a, b, Resampling(20))
    assert (found.verdict, found.p, found.images_needed) == ("undecided", 1.0, math.inf)
    assert found.difference.low < 0 < found.difference.high
    assert json.loads(json.dumps(found.to_dict()))["images_needed"] is None


def test_the_images_that_would_tell_do_tell() -> None:
    rng = np.random.default_rng(0)
    count = int(images_to_tell(0.03, 0.09))
    told = 0
    for _ in range(200):
        gained, lost, _ = rng.multinomial(count, [0.06, 0.03, 0.91])
        told += mcnemar(gained, lost) < 0.05
    assert 0.7 <= told / 200 <= 0.9


def test_the_images_for_equivalence_show_it() -> None:
    rng = np.random.default_rng(0)
    count = int(images_for_equivalence(0.02, 0.08))
    shown = 0
    for seed in range(100):
        gained, lost, rest = rng.multinomial(count, [0.04, 0.04, 0.92])
        shown += paired(*cells(rest, gained, lost, 0), Resampling(count, seed=seed), 0.02).equivalence_p < 0.05
    assert 0.68 <= shown / 100 <= 0.92


def test_groups_are_paired_too() -> None:
    a, b = cells(80, 8, 2, 10)
    many = np.repeat(a, 10), np.repeat(b, 10)
    groups = np.repeat(np.arange(100), 10)
    assert paired(*many, Resampling(1000)).p < 1e-6
    found = paired(*many, Resampling(1000, groups))
    assert found.p > 0.02
    assert found.difference.low < 0.02


def test_scores_that_are_no_hits_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    a = rng.random(60)
    b = (a + rng.normal(0.03, 0.08, 60)).clip(0, 1)
    found = paired_means(a, b, Resampling(60))
    assert found.difference.value == pytest.approx((b - a).mean())
    assert found.p == pytest.approx(ttest_rel(b, a).pvalue)
    low, high = ttest_rel(b, a).confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high), abs=0.004)
    assert found.verdict == "better"
    assert paired_means(b, a, Resampling(60)).verdict == "worse"
    assert paired_means(a, b, Resampling(60), margin=0.5).verdict == "equivalent"


def test_few_scores_leave_it_open_and_the_images_that_would_tell_do_tell() -> None:
    rng = np.random.default_rng(1)
    a = rng.random(10)
    found = paired_means(a, a + rng.normal(0.02, 0.1, 10), Resampling(10))
    assert found.verdict == "undecided"
    assert found.images_needed > 10
    count = int(images_to_tell(0.02, 0.1**2 + 0.02**2))
    more = rng.normal(0.02, 0.1, (200, count))
    told = sum(paired_means(np.zeros(count), each, Resampling(count, draws=2)).p < 0.05 for each in more)
    assert 0.7 <= told / 200 <= 0.9


def test_scores_that_never_differ_and_scores_that_always_differ_alike() -> None:
    a = np.linspace(0, 0.5, 20)
    same = paired_means(a, a, Resampling(20))
    assert (same.verdict, same.p, same.images_needed) == ("equivalent", 1.0, math.inf)
    assert json.loads(json.dumps(same.to_dict()))["images_needed"] is None
    assert paired_means(np.zeros(20), np.full(20, 0.25), Resampling(20)).verdict == "better"
    assert paired_means(a[:1], a[:1] + 0.2, Resampling(1)).p == 1.0


def test_a_difference_of_losses() -> None:
    rng = np.random.default_rng(0)
    a = rng.exponential(size=500)
    found = mean_difference(a, a - 0.1, Resampling(500))
    assert (found.value, found.low, found.high) == pytest.approx((-0.1, -0.1, -0.1))
