"""Every study: its rule on planted numbers, its length, its result, its page; and that no claim is left out."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import studies as pages
from striate.files import read_text
from striate.studies import names, published, study_named
from striate.studies.catalogue import path_of
from striate.studies.claims import FILE, NOTES, claims
from striate.studies.numbers import Numbers, Value
from striate.studies.page import page, stamp
from striate.studies.result import digest
from striate.studies.study import Lines, Maps, Study
from striate.studies.verdict import FAILS, HOLDS, UNTOLD

SHARED_NOTES = Path(__file__).parents[3] / "shared" / "notes"
STUDIES = names()
PUBLISHED = [name for name in STUDIES if published(name) is not None]


def planted(arms: Mapping[str, Mapping[str, Value]], seeds: int) -> Numbers:
    """The planted measures for several seeds, each off by up to a thousandth of itself."""
    rng = np.random.default_rng(0)

    def jitter(value: Value) -> Value:
        if isinstance(value, list):
            return [float(jitter(inner)) for inner in value]  # type: ignore[arg-type]
        return value * (1 + float(rng.uniform(-1e-3, 1e-3))) if value != round(value) else value

    return Numbers(
        {arm: {name: [jitter(value) for _ in range(seeds)] for name, value in m.items()} for arm, m in arms.items()}
    )


@pytest.mark.parametrize("name", STUDIES)
def test_the_rule_gives_the_verdict_of_planted_numbers(name: str) -> None:
    study = study_named(name)
    assert {HOLDS, FAILS} <= study.planted.keys()
    for kind, arms in study.planted.items():
        assert study.rule(planted(arms, study.seeds)).kind == kind, kind
        if isinstance(study.figure, Lines):
            series = [value for measures in arms.values() if (value := measures.get(study.figure.measure)) is not None]
            assert all(isinstance(value, list) and len(value) == len(study.figure.points) for value in series)


@pytest.mark.parametrize("name", [name for name in STUDIES if study_named(name).chance])
def test_chance_tells_nothing_from_one_seed(name: str) -> None:
    """What is left to say from one seed is what arithmetic says."""
    study = study_named(name)
    assert study.seeds >= 3
    verdict = study.rule(planted(study.planted[HOLDS], 1))
    assert verdict.kind != HOLDS
    assert verdict.kind == UNTOLD or any("expected" in line for line in verdict.because)


@pytest.mark.parametrize("name", [name for name in STUDIES if len(study_named(name).sources) > 1])
def test_a_rule_tells_of_the_arms_that_are_run_without_data(name: str) -> None:
    study = study_named(name)
    left_out = study.left_out(None)
    assert set() < set(left_out) < study.arms.keys()
    there = {arm: {} if arm in left_out else measures for arm, measures in study.planted[HOLDS].items()}
    verdict = study.rule(planted(there, study.seeds))
    assert verdict.kind == HOLDS
    assert not any("photos" in line for line in verdict.because)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_one_short_file_that_says_what_it_tests(name: str) -> None:
    study = study_named(name)
    assert read_text(path_of(name)).count("\n") <= 120
    assert study.claims
    assert set(study.claims) <= claims().keys()
    assert min(map(len, (study.claim, study.setup, study.literature))) > 20
    assert not study.claim.endswith(".")


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_has_the_result_of_its_code(name: str) -> None:
    result = published(name)
    assert result is not None, "Try: make studies"
    assert result.digest == digest(name), "the study's code has changed. Try: make studies"
    study = study_named(name)
    assert result.numbers.values.keys() == study.arms.keys()
    assert result.whole
    assert result.scale == 1
    assert len(result.seeds) == study.seeds


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_figure_fits_the_numbers(name: str) -> None:
    study, result = study_named(name), published(name)
    assert result is not None
    shown = [m[study.figure.measure] for m in result.numbers.values.values() if study.figure.measure in m]
    assert shown
    if isinstance(study.figure, Lines):
        assert all(len(series) == len(study.figure.points) for seeds in shown for series in seeds)  # type: ignore[arg-type]
    if isinstance(study.figure, Maps):
        assert all(len(series) % study.figure.columns == 0 for seeds in shown for series in seeds)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_page_agrees_with_its_data(name: str) -> None:
    study, result = study_named(name), published(name)
    assert result is not None
    assert read_text(pages.PAGES / f"{name}.md") == page(study, result), "Try: python docs/studies.py"
    assert stamp(result) in read_text(pages.PAGES / f"{name}.svg"), "Try: python docs/studies.py"


@pytest.mark.parametrize("file", ["index.md", "coverage.md"])
def test_the_lists_agree_with_the_data(file: str) -> None:
    assert read_text(pages.PAGES / file) == pages.texts()[file], "Try: python docs/studies.py"


def test_only_new_numbers_are_taken_from_a_run() -> None:
    result = published(PUBLISHED[0])
    assert result is not None
    assert not pages.news(replace(result, seconds=result.seconds + 1))
    assert pages.news(replace(result, digest="another"))
    arms = dict(result.numbers.values)
    arms[next(iter(arms))] = {}
    assert not pages.news(replace(result, digest="another", numbers=Numbers(arms)))


def test_there_is_no_page_without_a_study() -> None:
    pages_there = {path.stem for path in pages.PAGES.glob("*.*")} - {"index", "coverage"}
    assert pages_there == set(PUBLISHED)


def test_every_claim_has_a_study_a_page_or_a_reason() -> None:
    studied = {identifier for name in STUDIES for identifier in study_named(name).claims}
    nothing = [claim.id for claim in claims().values() if claim.id not in studied and not claim.page and not claim.why]
    assert nothing == []
    docs = pages.PAGES.parent
    assert [claim.id for claim in claims().values() if claim.page and not (docs / f"{claim.page}.md").exists()] == []
    assert len(claims()) == read_text(FILE).count("[[claim]]")
    assert {claim.note for claim in claims().values()} == NOTES.keys()


def test_every_claim_stands_in_the_notes() -> None:
    if not SHARED_NOTES.exists():
        pytest.skip("needs the notes of ../shared")
    notes = {path.name[:3]: plain(read_text(path)) for path in SHARED_NOTES.glob("*.txt")}
    wrong = [
        (claim.id, text)
        for claim in claims().values()
        for text in (claim.section, claim.sentence)
        if plain(text) not in notes[claim.note]
    ]
    assert wrong == []


def plain(text: str) -> str:
    """Without tags, emphasis and the length of blanks."""
    return re.sub(r"\s+", " ", re.sub(r"[*`]", "", re.sub(r"</?(?:span|br|script)\b[^>]*>", "", text))).strip()


def test_a_study_is_frozen() -> None:
    study: Study = study_named(STUDIES[0])
    with pytest.raises(AttributeError):
        study.claim = "another"  # type: ignore[misc]
