"""Charts as SVG: where things lie, and that whatever text they hold is text."""

import math
from xml.etree import ElementTree

import pytest
from planted import planted

from striate.evaluation.intervals import UNKNOWN, Interval
from striate.report.charts import MOST_POINTS, WIDTH, Curve, bar, curves, reliability, scale_from, written
from striate.report.svg import ticks, whole_ticks

EVIL = "<script>&\"'"


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)


def numbers(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.split(",") for point in text.split())]


def test_a_curve_rises_where_its_values_do_and_says_so_in_words() -> None:
    epochs = (1.0, 2.0, 3.0)
    shown = [Curve("train", epochs, (0.1, 0.2, 0.3)), Curve("val", epochs, (0.3, 0.2, 0.1), (0.2,) * 3, (0.4,) * 3)]
    svg = parsed(curves("score", "Score by epoch", shown, 2.0, "accuracy"))
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby") == "score-title score-desc"
    texts = {element.get("id"): element.text for element in svg if element.get("id")}
    assert texts["score-title"] == "Score by epoch"
    assert "train: from 0.1 after epoch 1 to 0.3 after epoch 3." in str(texts["score-desc"])
    lines = {element.get("class"): numbers(str(element.get("points"))) for element in svg if element.tag == "polyline"}
    heights = [y for _, y in lines["curve first"]]
    assert heights == sorted(heights, reverse=True)
    assert [y for _, y in lines["curve second"]] == sorted(y for _, y in lines["curve second"])
    assert any(element.tag == "polygon" and element.get("class") == "band second" for element in svg)
    words = [element.text for element in svg if element.tag == "text"]
    assert {"1", "2", "3", "train", "val", "accuracy", "epoch"} <= set(words)


def test_epochs_are_whole() -> None:
    for last in (1.0, 2.0, 3.0, 50.0):
        svg = parsed(curves("score", "Score", [Curve("train", (1.0, last), (0.0, 1.0))], 1.0, "accuracy"))
        below = [e.text for e in svg if e.tag == "text" and e.get("text-anchor") == "middle"]
        assert below
        assert all(str(text).isdecimal() for text in below)


def test_what_the_axis_is_of_keeps_clear_of_the_names_of_the_curves() -> None:
    for names in (("train", "val"), ("train, pixel accuracy", "val, mean IoU")):
        svg = parsed(curves("s", "S", [Curve(name, (1.0, 2.0), (0.0, 1.0)) for name in names], 1.0, "mean IoU"))
        top = {str(e.text): float(str(e.get("x"))) for e in svg if e.tag == "text" and float(str(e.get("y"))) < 16}
        title = top.pop("mean IoU", 0.0)
        assert set(top) == set(names)
        assert title == 0 or title + 6.2 * len("mean IoU") < min(x - 6.2 * len(name) for name, x in top.items()) - 30
        assert bool(title) == (names[0] == "train")


def test_a_long_curve_is_thinned_and_gaps_are_left_out() -> None:
    many = tuple(float(k) for k in range(5000))
    values = tuple(math.nan if k % 2 else k for k in range(5000))
    svg = parsed(curves("loss", "Loss", [Curve("train", many, values)], math.nan, "loss"))
    [line] = [element for element in svg if element.tag == "polyline"]
    points = numbers(str(line.get("points")))
    assert len(points) <= MOST_POINTS
    assert all(0 <= x <= WIDTH for x, _ in points)


def test_a_curve_of_one_value_and_of_none() -> None:
    assert "polyline" in curves("a", "One", [Curve("train", (1.0,), (0.5,))], 1.0, "loss")
    svg = parsed(curves("b", "None", [Curve("train", (1.0, 2.0), (math.nan, math.inf))], 1.0, "loss"))
    assert not [element for element in svg if element.tag == "polyline"]


def test_text_from_outside_stays_text() -> None:
    svg = parsed(curves("x", EVIL, [Curve(EVIL, (1.0, 2.0), (0.0, 1.0))], 1.0, EVIL))
    assert [element.tag for element in svg].count("script") == 0
    assert svg[0].text == EVIL


def test_an_interval_lies_where_its_values_are() -> None:
    def middle(markup: str) -> float:
        [dot] = [element for element in parsed(markup) if element.tag == "circle"]
        return float(str(dot.get("cx")))

    assert middle(bar(Interval(0.2, 0.1, 0.3))) < middle(bar(Interval(0.8, 0.7, 0.9)))
    assert middle(bar(Interval(0.9, 0.8, 1.0), 0.8)) == pytest.approx(75)
    assert parsed(bar(UNKNOWN)).get("aria-hidden") == "true"
    assert "circle" not in bar(UNKNOWN)
    assert "mark" in bar(Interval(0.2, 0.1, 0.3), mark=0.5)


def test_a_scale_holds_all_that_is_on_it() -> None:
    assert scale_from([Interval(0.99, 0.98, 1.0)]) == 0.8
    assert scale_from([Interval(0.99, 0.98, 1.0), Interval(0.35, 0.31, 0.4)]) == 0.3
    assert scale_from([UNKNOWN]) == 0.0


def test_the_reliability_diagram_has_a_dot_for_each_bin() -> None:
    found = planted([[90, 10], [10, 90]], [[0.95, 0.55], [0.55, 0.95]]).calibration
    assert found is not None
    svg = parsed(reliability(found.bins))
    assert len([element for element in svg if element.tag == "circle"]) == len(found.bins) == 2
    description = str(svg[1].text).replace("\N{NO-BREAK SPACE}", " ")
    assert description == "20 answers of about 55 %: 0 % right; 180 answers of about 95 %: 100 % right."


def test_ticks_are_round() -> None:
    assert ticks(0.31, 0.97) == [0.4, 0.6, 0.8]
    assert ticks(0, 5000) == [0, 1000, 2000, 3000, 4000, 5000]
    assert ticks(2, 2) == [2]
    assert whole_ticks(1, 2) == [1, 2]
    assert whole_ticks(1, 100)[-1] == 100
    assert written(1500.0) == "1,500"
    assert written(0.05) == "0.05"
