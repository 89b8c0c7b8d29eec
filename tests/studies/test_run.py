"""Runs fit the time there is, say less with less of it, and are the same again."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.errors import StriateError, UsageError
from striate.studies import run, study_named, write_page
from striate.studies.images import DIGITS, PHOTOS, Source, digits
from striate.studies.numbers import Numbers
from striate.studies.page import page
from striate.studies.result import digest, read, rounded
from striate.studies.runner import MOST_SEEDS, Plan, plan
from striate.studies.study import Dots, Study, Trial
from striate.studies.verdict import HOLDS, UNTOLD, all_of, inside, more


def drawn(trial: Trial) -> dict[str, float | list[float]]:
    return {"value": torch.rand(()).item() * trial.scale}


STUDY = replace(
    study_named("translation"),
    arms={"a": drawn, "b": drawn},
    figure=Dots("value"),
    rule=lambda numbers: more(numbers, "value", "a", "b"),
    sources=(),
)


def test_arms_of_a_seed_begin_alike_and_runs_repeat() -> None:
    first, again = (run(STUDY, None, Plan(3, 1.0)) for _ in range(2))
    assert first.numbers == again.numbers
    assert first.numbers.values["a"] == first.numbers.values["b"]
    assert len(set(map(str, first.numbers.values["a"]["value"]))) == 3


def test_with_less_it_says_less() -> None:
    result = run(STUDY, None, Plan(1, 1.0))
    assert STUDY.rule(result.numbers).kind == UNTOLD


def test_no_seed_begins_after_the_time() -> None:
    assert run(STUDY, None, Plan(50, 1.0, minutes=1e-9)).seeds == [0]


@given(st.floats(0.01, 1000), st.floats(0.01, 1000))
def test_a_plan_takes_about_the_time_there_is(minutes: float, needs: float) -> None:
    found = plan(STUDY, minutes, None, needs)
    assert 1 <= found.seeds <= MOST_SEEDS
    assert found.scale == 1 or found.seeds in (1, MOST_SEEDS)
    assert found.seeds > 1 or found.scale <= 1
    if 0.05 < found.scale < 20:
        assert needs / STUDY.seeds * found.seeds * found.scale <= minutes * 1.2


def test_more_time_never_means_fewer_seeds_than_the_study_has() -> None:
    assert plan(replace(STUDY, seeds=40), minutes=4, needs=4) == Plan(40, 1.0, 4)


def test_seeds_that_are_named_are_run() -> None:
    assert plan(STUDY, seeds=2) == Plan(2, 1.0)
    assert plan(STUDY) == Plan(STUDY.seeds, 1.0)


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    result = run(STUDY, None, Plan(2, 1.0))
    result.write(tmp_path)
    assert read(tmp_path / "translation.json") == result
    page = write_page(STUDY, result, tmp_path)
    assert STUDY.claim in page.read_text(encoding="utf-8")
    assert (tmp_path / "translation.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_a_broken_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StriateError, match=r"x\.json: expected the result of a study"):
        read(tmp_path / "x.json")


def test_the_digest_is_of_what_numbers_depend_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import striate.studies.result as module

    source = (
        "A = 1\ndef arm(trial):\n    'Says.'\n    return {'x': A}\nSTUDY = Study(claim='c', seeds=3, arms={'a': arm})\n"
    )
    path = tmp_path / "study.py"
    monkeypatch.setattr(module, "path_of", lambda name: path)
    found = []
    for text in (source, source.replace("'c'", "'other'").replace("Says", "Tells"), source.replace("A = 1", "A = 2")):
        path.write_text(text, encoding="utf-8")
        found.append(digest("study"))
    assert found[0] == found[1] != found[2]


def test_digits_are_standardised_and_parted_alike() -> None:
    images = digits()
    assert (len(images.train), len(images.test), images.classes) == (1200, 597, 10)
    assert abs(float(images.train.mean())) < 1e-4
    assert abs(float(images.train.std()) - 1) < 1e-4
    assert torch.equal(images.train, DIGITS.load(None).train)
    few = images.draw(10, seed=1)
    assert len(few.train) == len(few.train_labels) == 10
    assert torch.equal(few.test, images.test)


def seen(trial: Trial, source: Source) -> dict[str, float | list[float]]:
    return {"value": float(len(trial.data[source].train)) + trial.seed}


TWO = replace(
    STUDY,
    arms={"digits": partial(seen, source=DIGITS), "photos": partial(seen, source=PHOTOS), "neither": drawn},
    rule=lambda numbers: all_of(
        {
            "digits": more(numbers, "value", "digits", "neither"),
            "photos": more(numbers, "value", "photos", "neither"),
            "many": inside(numbers, "value", "photos", low=1),
        }
    ),
    sources=(DIGITS, PHOTOS),
)


def test_without_data_the_arms_on_images_that_are_there_are_run(tmp_path: Path) -> None:
    result = run(TWO, None, Plan(3, 1.0))
    assert result.numbers.values["photos"] == {}
    assert not result.whole
    verdict = TWO.rule(result.numbers)
    assert verdict.kind == HOLDS
    assert ["digits" in line for line in verdict.because] == [True]
    text = page(TWO, result)
    assert (
        "alone: with `--data FOLDER`, small colour photos such as CIFAR-10, 1 of its 3 arms would be run too." in text
    )
    assert "Its images: scikit-learn's digits.\n" in text
    result.write(tmp_path)
    assert read(tmp_path / "translation.json") == result


def test_a_study_of_which_nothing_can_be_run_asks_for_its_images() -> None:
    alone = replace(TWO, arms={"photos": TWO.arms["photos"]}, sources=(PHOTOS,))
    assert not alone.runs(None)
    with pytest.raises(UsageError, match="`--data`: expected small colour photos"):
        run(alone, None, Plan(1, 1.0))


def test_a_rule_none_of_whose_arms_were_run_tells_nothing() -> None:
    verdict = all_of({"photos": more(Numbers({"a": {}, "b": {}}), "value", "a", "b")})
    assert verdict.kind == UNTOLD


def test_images_that_are_needed_are_asked_for() -> None:
    with pytest.raises(UsageError, match="`--data`: expected small photos, for this study; got none"):
        Source("cifar10-jpeg", "small photos").load(None)


def test_numbers_keep_nine_digits() -> None:
    assert rounded([1.23456789012, 1e-20]) == [1.23456789, 1e-20]


def test_a_trial_without_images_says_so() -> None:
    with pytest.raises(ValueError, match="expected a study with a source of images"):
        _ = Trial(0).images
    assert Trial(0, 0.1).epochs(3) == 1
    assert isinstance(STUDY, Study)
