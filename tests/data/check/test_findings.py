import csv
from pathlib import Path

import pytest

from striate.data import build
from striate.data.check import KINDS, Finding, Kind, Severity, by_kind, lines_of, write_findings
from striate.data.check.findings import about


def test_kinds_are_listed_from_the_gravest() -> None:
    order = list(Severity)
    places = [order.index(kind.severity) for kind in KINDS.values()]
    assert places == sorted(places)
    assert set(places) == {0, 1, 2}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_kind_says_what_it_is_and_what_becomes_of_it(kind: Kind) -> None:
    assert kind.title[0].islower()
    assert not kind.title.endswith(".")
    assert kind.advice[0].isupper()
    assert kind.advice.endswith(".")


def test_findings_are_grouped_by_kind_and_keep_their_order() -> None:
    findings = [Finding("turned", "a"), Finding("tiny", "b"), Finding("leak", "c"), Finding("tiny", "d")]
    groups = by_kind(findings)
    assert list(groups) == ["leak", "tiny", "turned"]
    assert [finding.reason for finding in groups["tiny"]] == ["b", "d"]
    assert by_kind([]) == {}


def test_a_finding_about_rows_knows_their_paths(tmp_path: Path) -> None:
    index = build(tmp_path, ("ant",), ["1.png", "2.png", "3.png"])
    finding = about("leak", "why", index, [2, 0])
    assert (finding.path, finding.paths, finding.rows) == ("3.png", ("3.png", "1.png"), (2, 0))
    assert finding.severity is Severity.ERROR
    assert Finding("few", "why").path == ""


def test_a_finding_in_words() -> None:
    assert str(Finding("few", "1 image alone: ant")) == "1 image alone: ant"
    assert str(Finding("tiny", "3 x 3 pixels", ("a.png",), (0,))) == "a.png: 3 x 3 pixels"
    assert str(Finding("leak", "2 copies", ("a", "b"), (0, 1))) == "2 copies: a, b"
    assert str(Finding("leak", "6 copies", tuple("abcdef"), tuple(range(6)))) == "6 copies: a, b, c, d, … and 2 more"


def test_what_follows_from_findings_is_said_once_and_the_first_are_named() -> None:
    found = [Finding("animated", "4 images in one file", (f"{number}.gif",), (number,)) for number in range(7)]
    assert list(lines_of("animated", found[:1], ", in check.csv")) == [
        "warning: files of several images. Only the first of each is used.",
        "  0.gif: 4 images in one file",
    ]
    said = list(lines_of("animated", found, ", in check.csv"))
    assert said[0] == "warning: files of several images: 7. Only the first of each is used."
    assert said[5:] == ["  4.gif: 4 images in one file", "  … and 2 more, in check.csv"]


def test_findings_are_written_as_csv(tmp_path: Path) -> None:
    findings = [
        Finding("unreadable", "the file is empty", ("ant/1.png",), (0,), used=False),
        Finding("leak", "2 copies", ("a", "b"), (3, 4)),
        Finding("few", "1 image alone: ant"),
        Finding("suffix", "its content is PNG, its name ends in .jpg", ('ant/"é", 2.jpg',), (1,)),
    ]
    path = tmp_path / "check.csv"
    write_findings(findings, path)
    assert path.read_bytes().decode("utf-8").splitlines()[0] == "path,used,reason,kind"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [tuple(row.values()) for row in rows] == [
        ("ant/1.png", "no", "the file is empty", "unreadable"),
        ("a", "yes", "2 copies", "leak"),
        ("b", "yes", "2 copies", "leak"),
        ("", "yes", "1 image alone: ant", "few"),
        ('ant/"é", 2.jpg', "yes", "its content is PNG, its name ends in .jpg", "suffix"),
    ]
    write_findings([], path)
    assert path.read_text(encoding="utf-8").splitlines() == ["path,used,reason,kind"]
