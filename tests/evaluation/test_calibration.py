from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from striate.evaluation.calibration import bin_of, calibration_error, reliability
from striate.evaluation.intervals import UNKNOWN, Resampling, share

Confidence = NDArray[np.float64]


def drawn(seed: int, count: int = 400, gain: float = 1.0) -> tuple[Confidence, NDArray[np.bool_]]:
    """Confidences of two classes; with `gain` 1 they are right as often as they say."""
    rng = np.random.default_rng(seed)
    confidence = 0.5 + 0.5 * rng.beta(3, 1.2, count)
    return confidence, rng.random(count) < 0.5 + (confidence - 0.5) * gain


def error_of(confidence: Confidence, hits: NDArray[np.bool_]) -> float:
    return calibration_error(confidence, hits, Resampling(len(hits), draws=2)).value


def test_bins_are_closed_below_and_the_last_on_both_sides() -> None:
    assert bin_of(np.array([0.0, 0.25, 0.49, 0.5, 0.75, 0.999, 1.0]), 4).tolist() == [0, 1, 1, 2, 3, 3, 3]


@given(st.integers(0, 200))
def test_the_error_agrees_with_its_definition(seed: int) -> None:
    confidence, hits = drawn(seed, 50)
    total = 0.0
    for k in range(15):
        inside = [(c, h) for c, h in zip(confidence, hits, strict=True) if k / 15 <= c < (k + 1) / 15]
        if inside:
            c, h = np.mean(inside, axis=0)
            total += len(inside) / 50 * abs(c - h)
    assert error_of(confidence, hits) == pytest.approx(total)


def test_the_error_agrees_with_netcal() -> None:
    metrics: Any = pytest.importorskip("netcal.metrics", reason="netcal is not installed")
    confidence, hits = drawn(0)
    assert error_of(confidence, hits) == pytest.approx(metrics.ECE(15).measure(confidence, hits))


def test_the_error_agrees_with_torchmetrics_below_1() -> None:
    functional: Any = pytest.importorskip(
        "torchmetrics.functional.classification", reason="torchmetrics is not installed"
    )
    confidence, hits = drawn(1)
    theirs = functional.binary_calibration_error(torch.from_numpy(confidence), torch.from_numpy(hits).int(), n_bins=15)
    assert error_of(confidence, hits) == pytest.approx(float(theirs))


def test_a_confidence_of_1_belongs_to_the_last_bin() -> None:
    # torchmetrics 1.9.0 gives 0.525 here (its issue 3510)
    confidence, hits = np.array([1.0, 0.95]), np.array([True, False])
    assert error_of(confidence, hits) == pytest.approx(0.475)


def test_the_reliability_diagram_by_hand() -> None:
    confidence, hits = np.array([0.9, 0.95, 0.6, 1.0]), np.array([True, False, True, True])
    (found,) = reliability(confidence, hits, Resampling(4), bins=2)
    assert (found.start, found.end, found.count) == (0.5, 1.0, 4)
    assert found.confidence == pytest.approx(0.8625)
    assert found.accuracy == share(3, 4)


def test_groups_widen_the_intervals_of_bins() -> None:
    confidence, hits = drawn(0)
    copies, groups = (np.repeat(confidence, 10), np.repeat(hits, 10)), np.repeat(np.arange(len(hits)), 10)
    apart, together = (reliability(*copies, Resampling(len(groups), each))[-1].accuracy for each in (None, groups))
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_the_interval_of_a_calibrated_model_begins_at_nothing() -> None:
    starts = []
    for seed in range(20):
        confidence, hits = drawn(seed)
        found = calibration_error(confidence, hits, Resampling(len(hits), draws=300))
        assert found.low <= found.value <= found.high
        starts.append(found.low)
    assert sum(low == 0.0 for low in starts) >= 18


def test_the_interval_holds_the_true_error() -> None:
    confidence, _ = drawn(1000, 200_000)
    truth = float(
        np.abs(np.bincount(bin_of(confidence), confidence - (0.5 + (confidence - 0.5) * 0.8))).sum() / 200_000
    )
    held = 0
    for seed in range(40):
        confidence, hits = drawn(seed, gain=0.8)
        found = calibration_error(confidence, hits, Resampling(len(hits), draws=300))
        held += found.low <= truth <= found.high
    assert held >= 35


def test_an_error_below_what_chance_makes_still_leaves_room_for_a_true_one() -> None:
    """Alternating answers hit each bin's confidence exactly: by luck alone the error seen is almost nothing."""
    confidence = np.repeat([0.5, 0.75], [200, 200])
    hits = np.concatenate([np.arange(200) % 2 == 0, np.arange(200) % 4 != 0])
    found = calibration_error(confidence, hits, Resampling(400))
    assert found.value == pytest.approx(0.0, abs=1e-12)
    assert found.low == 0.0
    assert 0.005 < found.high < 0.05  # 0.025 is the noise of a share of 400 images


@pytest.mark.parametrize("gain", [0.2, 0.6, 1.0])
@pytest.mark.parametrize("count", [1, 2, 30, 400])
def test_the_interval_holds_the_error_seen_and_is_never_empty(gain: float, count: int) -> None:
    for seed in range(5):
        confidence, hits = drawn(seed, count, gain)
        found = calibration_error(confidence, hits, Resampling(count, draws=300))
        assert 0.0 <= found.low <= found.value <= found.high <= 1.0
        assert found.high > found.low


@pytest.mark.parametrize("count", [1, 20, 150, 10_000])
def test_images_that_are_all_right_may_be_wrong_next_time(count: int) -> None:
    found = calibration_error(np.full(count, 0.9999), np.full(count, True), Resampling(count))
    assert found.low == 0.0
    assert min(1.0, 1 / count) <= found.high <= 5 / count


def test_fewer_images_leave_a_wider_interval_whatever_luck_gave() -> None:
    widths = []
    for count in (100, 400, 1600):
        found = [calibration_error(*drawn(seed, count), Resampling(count, draws=300)) for seed in range(12)]
        widths.append(min(each.high for each in found))
    assert widths[0] > widths[1] > widths[2]


def test_groups_widen_the_interval() -> None:
    confidence, hits = drawn(0, 60, 0.6)
    copies = np.repeat(confidence, 10), np.repeat(hits, 10)
    apart = calibration_error(*copies, Resampling(600, draws=300))
    together = calibration_error(*copies, Resampling(600, np.repeat(np.arange(60), 10), draws=300))
    assert together.value == apart.value
    assert together.high > apart.high


def test_no_images_have_no_error() -> None:
    assert calibration_error(np.empty(0), np.empty(0, bool), Resampling(1)) is UNKNOWN
