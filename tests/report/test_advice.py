"""The advice on planted records."""

import math
from pathlib import Path
from typing import Any

import pytest
from planted import planted

from striate.evaluation import Evaluation
from striate.evaluation.record import Metric
from striate.report.advice import Advice, advise
from striate.report.facts import Facts
from striate.report.history import History

FITTED = ({"epoch": 1.0, "val_accuracy": 0.9},)


def epochs(count: int, train: float, best: int) -> tuple[dict[str, float], ...]:
    """Rows of metrics.csv, of which number `best` is the best on val."""
    return tuple(
        {"epoch": float(k), "train_loss": 0.1, "train_accuracy": train, "val_accuracy": 0.8 - abs(k - best) / 100}
        for k in range(1, count + 1)
    )


def recipe(**transfer: Any) -> dict[str, dict[str, Any]]:
    return {"transfer": {"weights": "", "freeze": None} | transfer}


def augmented(preset: str, **values: float) -> dict[str, dict[str, Any]]:
    return {"augment": {"augment": preset} | values}


def overlaps(count: int, metric: Metric) -> Evaluation:
    """The record of boxes, whose score is no share of the images."""
    return planted([[count // 2, 0], [0, count // 2]], score="mean_iou", metrics={"mean_iou": metric}, per_class=())


def test_a_mean_of_enough_images_needs_no_more() -> None:
    found = titles(Facts(overlaps(400, Metric(0.71, 0.70, 0.72, "bootstrap"))))
    assert not [title for title in found if title.startswith("Score it on more")]


def titles(facts: Facts) -> list[str]:
    return [each.title.replace("\N{NO-BREAK SPACE}", " ") for each in advised(facts)]


def advised(facts: Facts) -> list[Advice]:
    return advise(facts, "a b/model.safetensors", "photos")


def test_the_best_model_is_compared() -> None:
    [advice] = advised(Facts(planted([[1000, 0], [0, 1000]], 0.999)))
    assert advice.title == "Compare it with another model before you choose"
    assert advice.command == "striate compare 'a b/model.safetensors' OTHER.safetensors photos"


@pytest.mark.parametrize(
    ("facts", "title", "command"),
    [
        (Facts(planted([[90, 10], [10, 90]]), doubtful=2), "Look at the labels of 2 images", ""),
        (
            Facts(planted([[90, 10], [10, 90]]), History(findings=(("leak", 4, True),))),
            "Remove the copies, and train again",
            "striate check photos --fix clean.parquet",
        ),
        (Facts(planted([[90, 10], [10, 90]]), learned_from=True), "Score it on images that it has not seen", ""),
        (
            Facts(planted([[90, 10], [10, 90]]), History(recipe(weights="w", freeze="all"), epochs=FITTED)),
            "Let more of the network learn",
            "striate train photos --weights w --freeze auto",
        ),
        (
            Facts(planted([[90, 10], [10, 90]]), History(recipe(), {"train": 300}, epochs=epochs(9, 0.95, 5))),
            "Begin with published weights",
            "striate train photos --weights efficientnet_lite0",
        ),
        (
            Facts(planted([[70, 30], [30, 70]]), History(recipe(), {"train": 9000}, epochs=epochs(9, 0.7, 5))),
            "Try a larger network or larger images",
            "striate train photos --model resnet50 --img-size 288",
        ),
        (
            Facts(planted([[75, 25], [25, 75]]), History(recipe(), {"train": 9000}, epochs=epochs(9, 1.0, 5))),
            "Collect more images, or augment more",
            "striate augment photos --augment heavy",
        ),
        (
            Facts(planted([[90, 10], [10, 90]]), History(augmented("light"), epochs=epochs(9, 0.6, 5))),
            "Augment less",
            "striate train photos --model resnet18 --augment none",
        ),
        (Facts(planted([[100, 0], [40, 60]])), "Collect images of “b”", ""),
        (
            Facts(planted([[90, 10], [10, 90]]), History(epochs=epochs(10, 0.9, 10), folder=Path("runs/my run"))),
            "Train longer",
            "striate train --resume 'runs/my run' --epochs 20",
        ),
        (Facts(planted([[400, 100], [100, 400]], 0.999)), "Do not use its probabilities as they are", ""),
        (Facts(planted([[45, 5], [5, 45]])), "Score it on more images: about 870", ""),
        (
            Facts(overlaps(26, Metric(0.71, 0.66, 0.76, "bootstrap"))),
            "Score it on more images: about 170",  # 2.5 times as narrow
            "",
        ),
    ],
)
def test_what_helps(facts: Facts, title: str, command: str) -> None:
    found = {each.title.replace("\N{NO-BREAK SPACE}", " "): each.command for each in advised(facts)}
    assert found[title] == command


def test_a_run_whose_best_epoch_was_early_is_not_trained_longer() -> None:
    history = History(epochs=epochs(10, 0.9, 4), folder=Path("run"))
    assert "Train longer" not in titles(Facts(planted([[90, 10], [10, 90]]), history))


def test_what_was_planned_is_not_advised_again() -> None:
    history = History(recipe(weights="w", freeze="all"), epochs=FITTED, planned="freeze all: accuracy 0.9")
    assert "Let more of the network learn" not in titles(Facts(planted([[90, 10], [10, 90]]), history))


def test_a_plan_is_advised_only_where_the_task_can_make_one() -> None:
    history = History(recipe(weights="w", freeze="all"), epochs=FITTED)
    for task, freeze in (("classify", "auto"), ("locate", "none"), ("segment", "none")):
        facts = Facts(planted([[90, 10], [10, 90]], task=task), history)
        [command] = [each.command for each in advised(facts) if each.title == "Let more of the network learn"]
        assert command == f"striate train photos --weights w --freeze {freeze}"


def test_what_a_person_should_look_at() -> None:
    sure = [[0.999, 0.6], [0.6, 0.999]]
    facts = Facts(planted([[950, 50], [50, 950]], sure))
    [advice] = [each for each in advised(facts) if "to a person" in each.title]
    assert advice.title.replace("\N{NO-BREAK SPACE}", " ") == "Leave 5 % of the images to a person"
    assert "probability of 0.999 or more" in advice.reason
    assert advice.command.endswith("--abstain-at 0.99")
    assert not math.isnan(facts.evaluation.abstention.guaranteed)  # type: ignore[union-attr]


def test_what_comes_first_is_what_makes_a_score_untrue() -> None:
    history = History(recipe(), {"train": 300}, findings=(("leak", 4, True),), epochs=epochs(9, 1.0, 9))
    found = titles(Facts(planted([[60, 40], [45, 55]], 0.99), history, doubtful=5))
    assert found[0] == "Remove the copies, and train again"
    assert len(found) <= 6


@pytest.mark.parametrize(
    ("settings", "train"),
    [
        (augmented("none"), 0.6),
        (augmented("light"), 0.8),
        (augmented("heavy", mixup=0.2), 0.6),
        (augmented("heavy", cutmix=1.0), 0.6),
        ({}, 0.6),
    ],
    ids=["none", "little worse", "mixup", "cutmix", "not known"],
)
def test_augmentation_is_not_blamed_without_a_sign(settings: dict[str, Any], train: float) -> None:
    facts = Facts(planted([[90, 10], [10, 90]]), History(settings, epochs=epochs(9, train, 5)))
    assert "Augment less" not in titles(facts)


def test_a_network_that_augmentation_holds_back_is_not_called_too_small() -> None:
    history = History(recipe() | augmented("light"), {"train": 9000}, epochs=epochs(9, 0.6, 5))
    found = titles(Facts(planted([[90, 10], [10, 90]]), history))
    assert "Augment less" in found
    assert "Try a larger network or larger images" not in found
