"""Rules that turn numbers into verdicts: paired differences over seeds, with Student's interval; never one run.

more, no_worse   two arms, seed by seed
times            the same, as a factor
inside           one arm, in a range
exact            arithmetic, where no chance is
all_of           several of these together

Where an arm was left out, for lack of its images, they give `NOT_RUN`, which `all_of` passes over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from striate.evaluation.intervals import Interval, student
from striate.studies.numbers import Numbers

Kind = Literal["holds", "holds with a condition", "does not hold here", "cannot be told"]
HOLDS: Kind = "holds"
CONDITION: Kind = "holds with a condition"
FAILS: Kind = "does not hold here"
UNTOLD: Kind = "cannot be told"


@dataclass(frozen=True)
class Verdict:
    """What the numbers say of the claim."""

    kind: Kind
    because: tuple[str, ...]
    """What decides, each a number with its spread."""


NOT_RUN = Verdict(UNTOLD, ())


def more(
    numbers: Numbers, measure: str, arm: str, than: str, *, least: float = 0.01, at: int | None = None, name: str = ""
) -> Verdict:
    """That an arm has more than another: the mean of the paired differences is above 0.

    Args:
        numbers: of the study.
        measure: that is compared.
        arm: that should have more.
        than: the other arm.
        least: a difference that matters; the claim does not hold where the difference is surely no larger.
        at: the point of a series.
        name: of the comparison; "ARM less THAN" unless given.
    """
    if not numbers.ran(arm, than):
        return NOT_RUN
    found = student(numbers.of(arm, measure, at) - numbers.of(than, measure, at))
    kind = FAILS if found.high <= least else HOLDS if found.low > 0 else UNTOLD
    return Verdict(kind, (f"{name or f'{arm} less {than}'}: {signed(found)}",))


def no_worse(
    numbers: Numbers, measure: str, arm: str, than: str, *, margin: float, at: int | None = None, name: str = ""
) -> Verdict:
    """That an arm has at most `margin` less than another; it does not hold where it surely has less, and not so little.

    The arguments are those of `more`.
    """
    if not numbers.ran(arm, than):
        return NOT_RUN
    found = student(numbers.of(arm, measure, at) - numbers.of(than, measure, at))
    kind = HOLDS if found.low > -margin else FAILS if found.high < 0 else UNTOLD
    return Verdict(kind, (f"{name or f'{arm} less {than}'}: {signed(found)}",))


def times(
    numbers: Numbers, measure: str, arm: str, than: str, *, least: float, at: int | None = None, name: str = ""
) -> Verdict:
    """That an arm has at least `least` times what another has, by the geometric mean of the paired ratios.

    Measures are above 0; the other arguments are those of `more`.
    """
    if not numbers.ran(arm, than):
        return NOT_RUN
    tiny = np.finfo(np.float64).tiny
    ratios = np.maximum(numbers.of(arm, measure, at), tiny) / np.maximum(numbers.of(than, measure, at), tiny)
    found = geometric(ratios)
    kind = HOLDS if found.low >= least else FAILS if found.high < least else UNTOLD
    return Verdict(kind, (f"{name or f'{arm} over {than}'}: {plain(found)} times",))


def inside(
    numbers: Numbers,
    measure: str,
    arm: str,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    at: int | None = None,
    log: bool = False,
    name: str = "",
) -> Verdict:
    """That the mean of a measure is in a range, both ends of it included; with `log` its geometric mean."""
    if not numbers.ran(arm):
        return NOT_RUN
    values = numbers.of(arm, measure, at)
    found = geometric(values) if log else student(values)
    kind = UNTOLD
    if low <= found.low and found.high <= high:
        kind = HOLDS
    elif found.low > high or found.high < low:
        kind = FAILS
    return Verdict(kind, (f"{name or f'{arm}, {measure}'}: {plain(found)}",))


def exact(
    numbers: Numbers, measure: str, arm: str, expected: float = 0.0, *, tolerance: float = 0.0, name: str = ""
) -> Verdict:
    """That every value is as expected, but for rounding: of arithmetic, where no chance is.

    Args:
        numbers: of the study.
        measure: a number or a series.
        arm: that it is of.
        expected: value.
        tolerance: by which the furthest may be off.
        name: of the comparison.
    """
    if not numbers.ran(arm):
        return NOT_RUN
    values = numbers.of(arm, measure).ravel()
    furthest = float(values[np.abs(values - expected).argmax()])
    kind = HOLDS if abs(furthest - expected) <= tolerance else FAILS
    return Verdict(kind, (f"{name or f'{arm}, {measure}'}: {furthest:.4g}, expected {expected:.4g}",))


def all_of(parts: Mapping[str, Verdict], besides: Mapping[str, Verdict] | None = None) -> Verdict:
    """Several verdicts in one: it holds where all do, and with a condition where only some do.

    Args:
        parts: by the condition under which each was found; "" for none.
        besides: what has to hold too, such as a count, and would make no verdict by itself.
    """
    kinds = [part.kind for part in parts.values() if part != NOT_RUN]
    sound = all(part.kind == HOLDS for part in (besides or {}).values() if part != NOT_RUN)
    lines = tuple(
        f"{line} ({part.kind})" if line.startswith(name) else f"{name}: {line} ({part.kind})"
        for name, part in (dict(parts) | dict(besides or {})).items()
        for line in part.because
    )
    if kinds and sound and all(kind == HOLDS for kind in kinds):
        return Verdict(HOLDS, lines)
    if HOLDS in kinds or CONDITION in kinds:
        return Verdict(CONDITION, lines)
    return Verdict(UNTOLD if UNTOLD in kinds or not kinds else FAILS, lines)


def geometric(values: NDArray[np.float64]) -> Interval:
    """The geometric mean of values above 0, with Student's interval of their logarithms."""
    logs = student(np.log(values))
    with np.errstate(over="ignore"):
        return Interval(*(float(np.exp(value)) for value in (logs.value, logs.low, logs.high)))


def signed(found: Interval) -> str:
    """A difference with its interval."""
    if np.isinf(found.low):
        return f"{found.value:+.3g} [one seed: no interval]"
    return f"{found.value:+.3g} [{found.low:+.3g}, {found.high:+.3g}]"


def plain(found: Interval) -> str:
    """A number with its interval."""
    if np.isinf(found.high):
        return f"{found.value:.3g} [one seed: no interval]"
    return f"{found.value:.3g} [{found.low:.3g}, {found.high:.3g}]"
