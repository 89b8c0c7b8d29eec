"""The rule, a case a row."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from striate.plan.rule import (
    CLOSED,
    CLOSED_HIGH,
    CLOSED_LOW,
    WORTH,
    Estimate,
    Evidence,
    decide,
    difference,
    latest_best,
    next_doubling,
    share,
)

HEAD = (72.3, 93.6, 78.3, 53.7, 61.9, 66.7, 61.0, 82.8, 74.9, 91.5, 94.5, 94.7)  # per cent right, Grill et al. 2020
TUNED = (88.3, 97.5, 86.4, 75.8, 64.3, 92.1, 86.0, 85.0, 74.6, 92.1, 93.3, 97.6)  # table 3, "Supervised-IN"


def evidence(images: int, right: float, classes: int = 2, gained: float = 0.0, looked_at: int = 0) -> Evidence:
    """Of a head that answers a share of the images right."""
    seen = looked_at or images
    hits = np.arange(seen) < round(right * seen)
    doubled = Estimate(gained, gained - 0.005, gained + 0.005)
    return Evidence(images, seen, classes, share(hits), "layer4", doubled)


@pytest.mark.parametrize(
    ("found", "freeze"),
    [
        pytest.param(evidence(60, 0.80), "all", id="few images"),
        pytest.param(evidence(244, 0.934), "all", id="hymenoptera"),
        pytest.param(evidence(5000, 0.998), "all", id="few mistakes"),
        pytest.param(evidence(5000, 1.0), "all", id="no mistake"),
        pytest.param(evidence(400, 0.56, classes=10), "none", id="many mistakes"),
        pytest.param(evidence(2000, 0.80, classes=40), "none", id="mistakes, and images"),
        pytest.param(evidence(200, 0.97, looked_at=200), "all", id="200 images"),
        pytest.param(evidence(100_000, 0.97, classes=100, looked_at=200), "none", id="100,000, of which 200 are seen"),
    ],
)
def test_how_much_stays_frozen(found: Evidence, freeze: str) -> None:
    decision = decide(found)
    assert decision.freeze == freeze
    assert (decision.unfreezing.value < WORTH) == (freeze == "all")


@pytest.mark.parametrize(
    ("right", "minutes", "freeze"),
    [  # of 2,040 images: 0.43 of the mistakes are expected to go
        pytest.param(0.50, 0.5, "none", id="0.215 in half a minute"),
        pytest.param(0.50, 21.0, "none", id="0.215 in 21 minutes"),
        pytest.param(0.50, 22.0, "all", id="0.215 in 22 minutes"),
        pytest.param(0.95, 2.1, "none", id="0.0215 in two minutes"),
        pytest.param(0.95, 2.2, "all", id="0.0215 in more"),
        pytest.param(0.98, 0.01, "all", id="0.0086 in a moment"),
    ],
)
def test_a_minute_of_training_has_to_be_worth_it(right: float, minutes: float, freeze: str) -> None:
    found = replace(evidence(2040, 1.0), accuracy=Estimate(right, right, right))
    decision = decide(found, learning_s=60 * minutes)
    assert decision.freeze == freeze
    assert decision.too_slow == (freeze == "all" and right < 0.97)


def test_a_slower_machine_never_unfreezes() -> None:
    for right in (0.3, 0.7, 0.9, 0.99):
        found = [decide(evidence(5000, right), 10.0**power).freeze for power in range(6)]
        assert found == sorted(found, reverse=True)  # none, then all


def test_what_fine_tuning_does_away_with_is_as_published() -> None:
    closed = (np.array(TUNED) - HEAD) / (100 - np.array(HEAD))
    for found, value in ((CLOSED_LOW, closed.min()), (CLOSED, np.median(closed)), (CLOSED_HIGH, closed.max())):
        assert found == round(value, 2)


@pytest.mark.parametrize(("images", "reached"), [(102, 0.05), (1020, 0.5), (2040, 1.0), (100_000, 1.0)])
def test_what_unfreezing_may_add_is_a_share_of_the_mistakes(images: int, reached: float) -> None:
    found = decide(replace(evidence(1000, 0.9), images=images)).unfreezing
    for value, expected in ((found.low, CLOSED_LOW), (found.value, CLOSED), (found.high, CLOSED_HIGH)):
        assert math.isclose(value, 0.1 * reached * expected)


@pytest.mark.parametrize(
    ("gained", "better"),
    [(0.0, False), (0.004, False), (0.07, False), (0.08, True), (-0.1, False)],
)
def test_more_images_would_help_more(gained: float, better: bool) -> None:
    decision = decide(evidence(2040, 0.9, gained=gained))  # unfreezing: 0.043; 0.1 * 0.075 / 0.175 is that much
    assert decision.more_is_better is better


def test_more_images_are_no_advice_where_there_are_more_already() -> None:
    found = evidence(2040, 0.9, gained=0.09)
    assert decide(found).more_is_better
    assert not decide(replace(found, images=4000)).more_is_better


def test_with_too_few_images_to_halve_nothing_is_said_of_more() -> None:
    decision = decide(replace(evidence(12, 0.5), doubled=None))
    assert decision.more_images is None
    assert not decision.more_is_better


def test_mistakes_go_on_to_fall_by_the_same_factor() -> None:
    found = next_doubling(0.1, Estimate(0.1, -0.02, 0.3))  # halved, from 0.2
    assert math.isclose(found.value, 0.05)
    assert found.low == -0.02
    assert math.isclose(found.high, 0.075)
    assert next_doubling(0.0, Estimate(0.0, 0.0, 0.1)) == Estimate(0.0, 0.0, 0.0)


def test_a_share_and_its_interval() -> None:
    found = share(np.array([True] * 9 + [False]))  # Wilson 1927
    assert str(found) == "0.900 [0.596, 0.982]"
    assert found.signed == "+0.900 [+0.596, +0.982]"
    assert Estimate(0.0, -0.0004, 0.0006).signed == "+0.000 [+0.000, +0.001]"  # no zero has a minus


def test_a_difference_is_that_of_the_same_images() -> None:
    first, second = np.array([True] * 60 + [False] * 40), np.array([True] * 50 + [False] * 50)
    found = difference(first, second)
    assert found.value == 0.1
    assert found.low < 0.1 < found.high
    other = difference(first, np.roll(second, 30))  # as many right, but others: less is known
    assert other.value == 0.1
    assert other.high - other.low > 2 * (found.high - found.low)
    assert difference(second, first).value == -0.1
    same = difference(first, first)
    assert same.value == 0.0
    assert same.low < 0 < same.high


def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(1000):
        first = rng.random(50) < 0.9
        second = np.where(rng.random(50) < 0.2, rng.random(50) < 0.9, first)  # the same share of right answers
        found = difference(first, second)
        held.append(found.low <= 0 <= found.high)
    assert 0.93 <= np.mean(held) <= 0.995


def test_the_latest_of_the_best() -> None:
    assert latest_best([0.5, 0.9, 0.9, 0.8]) == 2


def test_more_images_never_freeze_more() -> None:
    places = {"none": 0, "all": 1}
    for right in (0.7, 0.9, 0.99):
        found = [places[decide(evidence(count, right)).freeze] for count in (50, 200, 1000, 5000, 50_000)]
        assert all(more >= fewer for more, fewer in itertools.pairwise(found))
