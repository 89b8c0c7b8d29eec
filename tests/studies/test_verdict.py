"""Rules on planted numbers: what they tell, and that they tell nothing from one run."""

import pytest

from striate.evaluation.intervals import student
from striate.studies.numbers import Numbers
from striate.studies.verdict import (
    CONDITION,
    FAILS,
    HOLDS,
    UNTOLD,
    Verdict,
    all_of,
    exact,
    inside,
    more,
    no_worse,
    times,
)


def numbers(**arms: list[float]) -> Numbers:
    return Numbers({name: {"accuracy": list(values)} for name, values in arms.items()})


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [
        ([0.90, 0.91, 0.92], [0.80, 0.81, 0.82], HOLDS),
        ([0.80, 0.81, 0.82], [0.90, 0.91, 0.92], FAILS),
        ([0.900, 0.901, 0.899], [0.898, 0.899, 0.8965], FAILS),  # surely more, and surely less than what matters
        ([0.90, 0.80, 0.95], [0.85, 0.88, 0.84], UNTOLD),
        ([0.99], [0.10], UNTOLD),
    ],
)
def test_more_compares_seed_by_seed(a: list[float], b: list[float], kind: str) -> None:
    assert more(numbers(a=a, b=b), "accuracy", "a", "b").kind == kind


def test_pairs_tell_what_unpaired_seeds_would_not() -> None:
    """The seeds differ by far more than the arms do."""
    a, b = [0.52, 0.72, 0.92], [0.50, 0.70, 0.90]
    assert more(numbers(a=a, b=b), "accuracy", "a", "b").kind == HOLDS
    assert more(numbers(a=a, b=b[::-1]), "accuracy", "a", "b").kind == UNTOLD


@pytest.mark.parametrize(
    ("a", "kind"),
    [([0.89, 0.90, 0.895], HOLDS), ([0.80, 0.81, 0.80], FAILS), ([0.70, 0.95, 0.85], UNTOLD), ([0.9], UNTOLD)],
)
def test_no_worse(a: list[float], kind: str) -> None:
    assert no_worse(numbers(a=a, b=[0.9] * len(a)), "accuracy", "a", "b", margin=0.03).kind == kind


@pytest.mark.parametrize(("a", "kind"), [([10, 11, 12], HOLDS), ([1, 1.1, 1.2], FAILS), ([1, 10, 2], UNTOLD)])
def test_times(a: list[float], kind: str) -> None:
    assert times(numbers(a=a, b=[1.0] * 3), "accuracy", "a", "b", least=4).kind == kind


@pytest.mark.parametrize(("a", "kind"), [([0.5, 0.5, 0.6], HOLDS), ([2.0, 2.1, 2.0], FAILS), ([0.1, 0.9, 1.4], UNTOLD)])
def test_inside(a: list[float], kind: str) -> None:
    assert inside(numbers(a=a), "accuracy", "a", low=0.0, high=1.0).kind == kind


def test_exact_looks_at_the_furthest_value() -> None:
    assert exact(numbers(a=[0.0, 1e-9]), "accuracy", "a", tolerance=1e-8).kind == HOLDS
    assert exact(numbers(a=[0.0, -1e-3]), "accuracy", "a", tolerance=1e-8).kind == FAILS
    assert exact(numbers(a=[float("nan")]), "accuracy", "a", tolerance=1e-8).kind == FAILS


@pytest.mark.parametrize(
    ("kinds", "whole"),
    [
        ([HOLDS, HOLDS], HOLDS),
        ([HOLDS, FAILS], CONDITION),
        ([HOLDS, UNTOLD], CONDITION),
        ([FAILS, FAILS], FAILS),
        ([FAILS, UNTOLD], UNTOLD),
        ([UNTOLD], UNTOLD),
    ],
)
def test_several_verdicts_in_one(kinds: list[str], whole: str) -> None:
    parts = {str(place): Verdict(kind, ("x",)) for place, kind in enumerate(kinds)}  # type: ignore[arg-type]
    assert all_of(parts).kind == whole


def test_what_has_to_hold_besides_makes_no_verdict() -> None:
    yes, no = Verdict(HOLDS, ("yes",)), Verdict(FAILS, ("no",))
    assert all_of({"a": no}, {"b": yes}).kind == FAILS
    assert all_of({"a": yes}, {"b": no}).kind == CONDITION
    assert all_of({"a": yes}, {"b": yes}) == Verdict(HOLDS, ("a: yes (holds)", "b: yes (holds)"))


def test_what_was_not_finite_holds_nothing() -> None:
    broken = numbers(a=[float("nan")] * 3, b=[0.5] * 3)
    assert more(broken, "accuracy", "a", "b").kind == UNTOLD
    assert no_worse(broken, "accuracy", "a", "b", margin=0.1).kind == UNTOLD
    assert times(broken, "accuracy", "a", "b", least=2).kind == UNTOLD


def test_the_interval_of_one_value_has_no_bounds() -> None:
    assert student([1.0]).low == -float("inf")
    assert student([1.0, 1.0]) == type(student([1.0]))(1.0, 1.0, 1.0)
