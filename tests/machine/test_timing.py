import itertools
import time

import pytest
import torch

from striate.machine.timing import Rate, rates


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of a clock that only the works wind."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_a_rate_is_the_median_of_rounds_in_turn(clock: list[float]) -> None:
    done: list[str] = []
    seconds = itertools.cycle([1.0, 2.0, 4.0, 2.0])  # the first is not counted

    def a() -> float:
        done.append("a")
        clock[0] += next(seconds)
        return 8

    def b() -> float:
        done.append("b")
        clock[0] += 1
        return 3

    found = rates({"a": a, "b": b}, rounds=3, least_s=0.5)
    assert done == ["a", "b"] * 4
    assert found["a"] == Rate(4, 3, 4)  # of 4, 2 and 4
    assert found["b"] == Rate(3, 3, 3)


def test_a_round_lasts_as_long_as_is_asked(clock: list[float]) -> None:
    calls = itertools.count()

    def work() -> float:
        next(calls)
        clock[0] += 0.3
        return 6

    assert rates({"work": work}, rounds=2, least_s=1.0)["work"].median == pytest.approx(20)
    assert next(calls) == 1 + 2 * 4


def test_a_gpu_is_waited_for_before_the_clock_is_read(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    """Works are only begun, and take their time when they are waited for."""
    begun: list[float] = []

    def wait() -> None:
        clock[0] += sum(begun)
        begun.clear()

    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "synchronize", wait)

    def work() -> float:
        begun.append(0.25)
        return 5

    assert rates({"work": work}, rounds=2, least_s=1.0)["work"] == Rate(20, 20, 20)


@pytest.mark.parametrize(("rate", "unsteady"), [(Rate(4, 3.5, 4.5), False), (Rate(4, 3.4, 4.5), True)])
def test_rounds_that_differ_much_are_unsteady(rate: Rate, unsteady: bool) -> None:
    assert rate.spread == (rate.high - rate.low) / 4
    assert rate.unsteady == unsteady
