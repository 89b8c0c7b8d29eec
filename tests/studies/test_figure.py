"""Figures show all that they are to show: intervals that end within the axes, and zeros on a scale that has none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from striate.studies import study_named
from striate.studies.figure import _dots, _panels, draw
from striate.studies.numbers import Numbers
from striate.studies.study import Dots

STUDY = replace(study_named("pooling"), figure=Dots("value"))


def drawn(*values: list[float], log: bool = False) -> Figure:
    numbers = Numbers({f"arm {n}": {"value": list(seeds)} for n, seeds in enumerate(values)})
    return _dots(Dots("value", log), numbers, [list(numbers.values)], intervals=True)


@pytest.mark.parametrize("log", [False, True])
def test_an_interval_ends_within_the_axes(log: bool) -> None:
    figure = drawn([0.50, 0.51, 0.52], [0.1, 0.1, 0.9] if not log else [0.5, 0.6, 0.7], log=log)
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    ends = np.concatenate([np.asarray(line.get_xdata(), np.float64) for line in axes.lines])
    assert low < ends.min()
    assert ends.max() < high


def test_one_value_is_drawn(tmp_path: Path) -> None:
    draw(STUDY, Numbers({"arm": {"value": [0.5]}}), "numbers 0", tmp_path / "one.svg")
    assert (tmp_path / "one.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_digits_and_photos_have_axes_of_their_own() -> None:
    numbers = Numbers({arm: {"value": [0.5, 0.6]} for arm in STUDY.arms if arm != "channel by channel"})
    panels = _panels(STUDY, numbers, "value")
    assert panels == [["digits, max", "digits, average"], ["photos, max", "photos, average"]]
    assert len(_dots(Dots("value"), numbers, panels, intervals=True).axes) == 2


def test_zeros_are_named_on_a_logarithmic_scale() -> None:
    (axes,) = drawn([0.0, 0.0], [1e-3, 1e-3], log=True).axes
    assert [text.get_text() for text in axes.texts] == ["0"]
    low, high = axes.get_xlim()
    assert 0 < low < 1e-3 < high
