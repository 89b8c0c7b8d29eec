"""The verdict on planted records: what is said, and what is not."""

from dataclasses import replace

import pytest
from planted import planted

from striate.evaluation.record import Example, Metric
from striate.report.charts import percent
from striate.report.facts import Facts
from striate.report.history import History
from striate.report.verdict import Verdict, verdict

GOOD = [[96, 4], [4, 96]]


def said(facts: Facts) -> str:
    """The remarks, with plain spaces."""
    return " ".join(f"{remark.kind}: {remark.text}" for remark in verdict(facts).remarks).replace(
        "\N{NO-BREAK SPACE}", " "
    )


def text(found: Verdict) -> str:
    return f"{found.headline} {found.certainty}".replace("\N{NO-BREAK SPACE}", " ")


def history(**changes: object) -> History:
    """Of a run of ten epochs, the last one the best."""
    epochs = tuple(
        {"epoch": k, "train_loss": 1 / k, "train_accuracy": 0.9, "val_accuracy": 0.8 + k / 100} for k in range(1, 11)
    )
    return History(**({"epochs": epochs} | changes))  # type: ignore[arg-type]


def test_how_good_and_how_sure_in_one_breath() -> None:
    found = text(verdict(Facts(planted(GOOD, 0.96))))
    assert found == (
        "Right on 192 of 200 images: 96 % For new images like these, expect between 92.3 and 98 % right, with 95 % "
        "confidence. The model has learned from none of these images."
    )


def test_a_good_model_gets_good_remarks_alone() -> None:
    facts = Facts(planted([[960, 40], [40, 960]], 0.96))
    assert {remark.kind for remark in verdict(facts).remarks} == {"good"}
    assert "Better than always answering “a”, the most frequent class, which is right for 50 %" in said(facts)
    assert "can be taken at their word" in said(facts)


def test_a_model_no_better_than_the_most_frequent_class_is_told_first() -> None:
    facts = Facts(planted([[90, 0], [10, 0]]))
    assert verdict(facts).remarks[0].kind == "bad"
    assert said(facts).startswith("bad: It is not shown to be better than always answering “a”")


def test_a_class_of_which_no_image_was_scored() -> None:
    facts = Facts(planted([[90, 5, 0], [5, 90, 0], [0, 0, 0]]))
    assert "watch: Nothing is known about class “c”: no image was scored." in said(facts)
    assert "Nothing is known" not in said(Facts(planted(GOOD)))


def test_a_model_that_was_scored_on_one_class_alone() -> None:
    facts = Facts(planted([[31, 0], [0, 0]]))
    assert said(facts).startswith("bad: It is not shown to tell classes apart: images of “a” alone were scored")
    assert "Nothing is known about class “b”" in said(facts)


def test_a_model_a_little_better_than_that() -> None:
    assert "watch: Only a little better than always answering" in said(Facts(planted([[600, 400], [400, 600]], 0.6)))


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (Facts(planted(GOOD, split="train")), "scored on images that it learned from"),
        (Facts(planted(GOOD), learned_from=True), "scored on images that it learned from"),
        (Facts(planted(GOOD), History(findings=(("leak", 12, True),))), "12 images stand in several splits"),
    ],
)
def test_what_makes_a_score_untrue(facts: Facts, sentence: str) -> None:
    assert verdict(facts).remarks[0].kind == "bad"
    assert sentence in verdict(facts).remarks[0].text


def test_val_images_that_chose_the_epoch_flatter() -> None:
    on_val = planted(GOOD, split="val")
    assert "chose the best epoch" in verdict(Facts(on_val, history())).certainty
    assert "learned from none" in verdict(Facts(on_val, History(epochs=({"epoch": 1.0},)))).certainty


def test_weak_classes_are_named_and_small_ones_not_judged() -> None:
    matrix = [[100, 0, 0], [30, 70, 0], [2, 0, 3]]
    found = said(Facts(planted(matrix)))
    assert "Clearly worse than the rest: “b” 70 %" in found
    assert "Nothing can be said about class “c” alone" in found
    assert "“c” 60 %" not in found


def test_confused_classes_are_named() -> None:
    assert "“b” is often taken for “a”: 30 of 100 times." in said(Facts(planted([[100, 0], [30, 70]])))
    assert "often taken for" not in said(Facts(planted([[100, 0], [2, 98]])))
    assert "often taken for" not in said(Facts(planted([[100, 0], [2, 0]])))  # too few to say often


def test_probabilities_that_are_too_high_or_too_low() -> None:
    assert "Its probabilities are higher than they should be: 99 % on average, where 80 %" in said(
        Facts(planted([[400, 100], [100, 400]], 0.99))
    )
    assert "lower than they should be" in said(Facts(planted([[500, 0], [0, 500]], 0.7)))
    assert "Too few images to tell how far its probabilities can be believed" in said(Facts(planted([[9, 1], [1, 9]])))


def test_probabilities_that_were_fitted_to_these_images_are_not_praised() -> None:
    fitted = planted([[950, 50], [50, 950]], 0.95, split="val", temperature=1.2)
    assert "can be taken at their word" in said(Facts(replace(fitted, split="test")))
    assert "only others tell how far they can be believed" in said(Facts(fitted))


def test_doubtful_labels_training_by_heart_and_unreadable_images() -> None:
    facts = Facts(planted(GOOD, unreadable=("a.jpg: empty",)), doubtful=3)
    assert "Of 8 wrong answers 3 were given as surely as right ones" in said(facts)
    assert "1 image that could not be read is left out" in said(facts)
    epochs = ({"epoch": 1.0, "train_accuracy": 1.0}, {"epoch": 2.0, "train_accuracy": 1.0})
    assert "It has learned some of them by heart" in said(Facts(planted([[75, 25], [25, 75]]), History(epochs=epochs)))


def test_a_task_whose_score_is_no_share_of_images() -> None:
    record = planted(
        GOOD,
        score="mean_iou",
        metrics={"mean_iou": Metric(0.7, 0.65, 0.74, "bootstrap")},
        per_class=(),
        calibration=None,
        worst=(Example("a.jpg", 0.1),),
    )
    found = verdict(Facts(record))
    assert found.headline == "Mean IoU 0.700 on 200 images"
    assert "expect 0.650 to 0.740" in found.certainty
    assert [remark.kind for remark in found.remarks] == ["watch"]
    assert "the worst one scores 0.10" in found.remarks[0].text


def test_a_share_in_percent() -> None:
    assert percent(float("nan")) == "unknown"
    assert percent(0.12345, 0) == "12\N{NO-BREAK SPACE}%"
