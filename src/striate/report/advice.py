"""What to do next with a model, by rules on the figures; what helps most comes first."""

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from striate.report.charts import CONFIDENT, percent
from striate.report.facts import Facts, quoted
from striate.report.metrics import about, value
from striate.report.verdict import LEARNED_BY_HEART, NOTICED

WIDE = 0.08  # width of an interval from which on more images are worth scoring
AIM = 0.02  # half the width that is aimed at
Z = 1.96  # of a 95 % interval
LATE = 0.9  # share of the epochs after which the best one counts as late
LOW = 0.9  # score on training images under which they are not learned
SMALL = 5000  # training images up to which published weights are known to help
WANTED = 0.99  # share of right answers that is asked of what the model answers alone
MOST = 6


@dataclass(frozen=True)
class Advice:
    """Something to do, and why."""

    title: str
    reason: str
    command: str = ""


def advise(facts: Facts, model: str, data: str) -> list[Advice]:
    """What to do next, at most `MOST` things.

    Args:
        facts: that the rules go by.
        model: the model's file, as a command names it.
        data: likewise, of the images.
    """
    found = [advice for rule in RULES for advice in rule(facts, shlex.quote(model), shlex.quote(data))]
    return found[:MOST] or [
        Advice(
            "Compare it with another model before you choose",
            "Two scores on the same images differ by chance; the paired comparison says whether they differ at all.",
            f"striate compare {shlex.quote(model)} OTHER.safetensors {shlex.quote(data)}",
        )
    ]


def _labels(facts: Facts, model: str, data: str) -> Iterator[Advice]:
    if facts.doubtful:
        images = "1 image" if facts.doubtful == 1 else f"{facts.doubtful:,} images"
        yield Advice(
            f"Look at the labels of {images}",
            "The model is as sure of another class as it is of that class's own images. A wrong label here makes the "
            "score look worse than it is; one in the training images makes the model worse.",
            f"striate plan {data} --output plan" if facts.history.weights else "",
        )


def _splits(facts: Facts, model: str, data: str) -> Iterator[Advice]:
    if facts.history.leaks:
        yield Advice(
            "Remove the copies, and train again",
            "Images that stand in several splits make the score untrue.",
            f"striate check {data} --fix clean.parquet",
        )
    if facts.learned_from or facts.evaluation.split == "train":
        yield Advice("Score it on images that it has not seen", "Only those say how good it is.")


def _images_to_score(facts: Facts, model: str, data: str) -> Iterator[Advice]:
    score, width = facts.evaluation.score, facts.value.high - facts.value.low
    if not width > WIDE:
        return
    if facts.names_images:
        share = min(max(facts.value.value, 0.05), 0.95)
        images = (Z / AIM) ** 2 * share * (1 - share)
    else:  # a mean's interval narrows with the root of the number of images
        images = facts.evaluation.count * (width / (2 * AIM)) ** 2
    aim = percent(AIM, 0) if about(score).in_percent else f"{AIM}"
    yield Advice(
        f"Score it on more images: about {math.ceil(images / 10) * 10:,}",
        f"The interval is {value(score, width)} wide. With so many images it would be ±{aim}.",
    )


def _images_to_learn(facts: Facts, model: str, data: str) -> Iterator[Advice]:
    weak = [each for each in facts.scored_classes if each.recall.high < facts.value.value] if facts.names_images else []
    if weak:
        taught = facts.history.taught.get(weak[0].name)
        few = f", of which it learned from {taught:,}" if taught is not None else ""
        yield Advice(
            f"Collect images of {quoted(weak[0].name)}",
            f"It is the weakest class{few}. Look at its worst mistakes for what the images so far do not show.",
        )
    elif facts.gap > LEARNED_BY_HEART:
        yield Advice(
            "Collect more images, or augment more",
            f"Training images score {value(facts.evaluation.score, facts.train_score)}, new ones "
            f"{value(facts.evaluation.score, facts.value.value)}: what is missing is variety, not training.",
            f"striate augment {data} --augment heavy",
        )


def _training(facts: Facts, model: str, data: str) -> Iterator[Advice]:
    epochs, folder = len(facts.history.epochs), facts.history.folder
    if epochs >= 2 and folder is not None and facts.best_epoch > LATE * epochs:
        yield Advice(
            "Train longer",
            f"The best epoch was number {facts.best_epoch:.0f} of {epochs}: the score was still rising.",
            f"striate train --resume {shlex.quote(str(folder))} --epochs {2 * epochs}",
        )


def _augmentation(facts: Facts, model: str, data: str) -> Iterator[Advice]:
    if facts.too_augmented:
        yield Advice(
            "Augment less",
            f"Training images, as augmentation shows them, score {value(facts.evaluation.score, facts.train_score)}, "
            "less than the images here: they are harder than what the model is for. A mirrored digit, or a small part "
            "of an image, may even show another class. `striate augment` shows what training sees.",
            f"striate train {data} --model {shlex.quote(facts.evaluation.network)} --augment none",
        )


def _network(facts: Facts, model: str, data: str) -> Iterator[Advice]:
    weights, freeze = facts.history.weights, facts.history.setting("transfer", "freeze")
    known = math.isfinite(facts.train_score)
    if (
        weights
        and freeze == "all"
        and not facts.history.planned
        and (not known or facts.train_score < LOW)
        and facts.value.high < 1
    ):
        stayed, command = (
            "The weights that it began with stayed as they were.",
            f"striate train {data} --weights {shlex.quote(weights)}",
        )
        if facts.can_plan:
            measured = "The command measures first whether it helps to let more of them learn."
            yield Advice("Let more of the network learn", f"{stayed} {measured}", f"{command} --freeze auto")
        else:
            tried = "Only training tells whether it helps to let them learn, and that takes longer."
            yield Advice("Let more of the network learn", f"{stayed} {tried}", f"{command} --freeze none")
    elif not weights and known and 0 < facts.history.images.get("train", 0) <= SMALL:
        yield Advice(
            "Begin with published weights",
            f"With {facts.history.images['train']:,} training images, a network that has seen a million others first "
            "is nearly always better.",
            f"striate train {data} --weights efficientnet_lite0",
        )
    elif known and facts.train_score < LOW and facts.gap < LEARNED_BY_HEART and not facts.too_augmented:
        yield Advice(
            "Try a larger network or larger images",
            f"Even its training images score only {value(facts.evaluation.score, facts.train_score)}.",
            f"striate train {data} --model resnet50 --img-size 288",
        )


def _probabilities(facts: Facts, model: str, data: str) -> Iterator[Advice]:
    found = facts.evaluation.calibration
    if found is not None and found.error.low > NOTICED and facts.evaluation.temperature == 1:
        yield Advice(
            "Do not use its probabilities as they are",
            "They are not calibrated. A model that is trained with a val split has a temperature fitted to it.",
        )


def _abstention(facts: Facts, model: str, data: str) -> Iterator[Advice]:
    found = facts.evaluation.abstention
    if found is None or not facts.names_images or facts.value.value >= WANTED:
        return
    if found.guaranteed >= 0:
        yield Advice(
            f"Leave {percent(1 - found.guaranteed_share)} of the images to a person",
            f"Answers of a probability of {found.guaranteed:.3f} or more are right {percent(found.wanted, 0)} of the "
            f"time on new images like these, {CONFIDENT}.",
            f"striate evaluate {model} {data} --abstain-at {found.wanted:g}",
        )
    elif found.answered.value > 0:
        yield Advice(
            f"Leave about {percent(1 - found.answered.value, 0)} of the images to a person",
            f"Here, answers of a probability of {found.threshold.value:.3f} or more are right "
            f"{percent(found.accuracy.value)} of the time; more images would be needed to promise that.",
            f"striate evaluate {model} {data} --abstain-at {found.wanted:g}",
        )


RULES = (
    _splits,
    _labels,
    _augmentation,
    _network,
    _images_to_learn,
    _training,
    _probabilities,
    _abstention,
    _images_to_score,
)
