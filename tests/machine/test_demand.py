import math
from collections.abc import Callable

import pytest

from striate.machine import Bench
from striate.machine.demand import Demand, lost


@pytest.mark.parametrize(
    ("trained", "loaded", "shared", "share"),
    [(100, 300, True, 0.25), (100, 300, False, 0), (400, 300, False, 0.25), (100, math.inf, True, 0)],
)
def test_time_that_is_lost(trained: float, loaded: float, shared: bool, share: float) -> None:
    assert lost(trained, loaded, shared=shared) == pytest.approx(share)


def test_seconds_of_a_image_add_up_on_shared_cores() -> None:
    """1/100 s in the network and 1/300 s in the loader are 1/75 s: a quarter below the network alone."""
    assert 100 * (1 - lost(100, 300, shared=True)) == pytest.approx(1 / (1 / 100 + 1 / 300))


def test_the_faster_precision_and_the_best_number_of_workers_count(found: Callable[..., Bench]) -> None:
    speeds = [("a", "float32", 100.0), ("a", "bfloat16", 300.0), ("b", "float32", 50.0), ("b", "bfloat16", 40.0)]
    loading = {"photos": {"files": {1: 300.0, 2: 200.0}, "cache": {1: 400.0, 2: 600.0}}}
    assert found(device="cuda", speeds=speeds, loading=loading).demands == [
        Demand("a", "photos", "files", trained=300, loaded=300, workers=1, lost=0),
        Demand("a", "photos", "cache", trained=300, loaded=600, workers=2, lost=0),
        Demand("b", "photos", "files", trained=50, loaded=300, workers=1, lost=0),
        Demand("b", "photos", "cache", trained=50, loaded=600, workers=2, lost=0),
    ]
    assert [one.lost for one in found(device="cpu", speeds=speeds, loading=loading).demands] == pytest.approx(
        [1 / 2, 1 / 3, 1 / 7, 1 / 13]
    )
