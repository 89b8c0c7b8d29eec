"""The verdict: how good a model is, how sure that is, and what to watch, in plain words, by rules on the figures."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from striate.report.charts import CONFIDENT, percent
from striate.report.facts import Facts, quoted
from striate.report.metrics import about, bounds, value

FEW = 10  # images of a class under which nothing is said of it alone
BELIEVED = 0.05  # calibration error that is small enough for most uses
ENOUGH = 400  # images under which chance alone makes a calibration error of about `BELIEVED`
NOTICED = 0.02  # of the calibration error; under it nobody notices
LEARNED_BY_HEART = 0.1  # by how much training images may be answered better
CONFUSED = 0.1  # share of a class that is taken for another from which on the pair is named
LITTLE = 0.1  # share of right answers beyond that of the most frequent class which is still little
OFTEN = 5  # images of a pair at the least
NAMED = 3  # classes of a kind that are named


@dataclass(frozen=True)
class Remark:
    """One thing that the figures say."""

    kind: Literal["good", "watch", "bad"]
    text: str


@dataclass(frozen=True)
class Verdict:
    """What the figures say, in plain words."""

    headline: str
    """How good the model is."""

    certainty: str
    """How sure that is."""

    remarks: tuple[Remark, ...]
    """What to watch, the gravest first."""


def verdict(facts: Facts) -> Verdict:
    """What is to be said of a model."""
    remarks = [remark for rule in RULES for remark in rule(facts)]
    order = ("bad", "watch", "good")
    return Verdict(_headline(facts), _certainty(facts), tuple(sorted(remarks, key=lambda each: order.index(each.kind))))


def _headline(facts: Facts) -> str:
    found, score = facts.evaluation, facts.evaluation.score
    images = "1 image" if found.count == 1 else f"{found.count:,} images"
    if facts.names_images:
        return f"Right on {found.count - facts.mistakes:,} of {images}: {percent(facts.value.value)}"
    return f"{about(score).title} {value(score, facts.value.value)} on {images}"


def _certainty(facts: Facts) -> str:
    found, score = facts.evaluation, facts.evaluation.score
    range_ = bounds(score, facts.value)
    if not range_:
        sure = "No interval is known for this score."
    elif facts.names_images:
        sure = f"For new images like these, expect between {range_.replace(' to ', ' and ')} right, {CONFIDENT}."
    else:
        sure = f"For new images like these, expect {range_}, {CONFIDENT}. {about(score).meaning.capitalize()}."
    if facts.learned_from or found.split == "train":
        return f"{sure} But the model has learned from these very images."
    if facts.chosen_here:
        return f"{sure} These images also chose the best epoch, so the score flatters a little."
    return f"{sure} The model has learned from none of these images."


def _unsound(facts: Facts) -> Iterator[Remark]:
    if facts.learned_from or facts.evaluation.split == "train":
        yield Remark("bad", "The model was scored on images that it learned from. This says nothing about new images.")
    if facts.history.leaks:
        yield Remark(
            "bad",
            f"{facts.history.leaks:,} images stand in several splits, as copies of each other: the score counts what "
            "was trained on. See check.csv.",
        )


def _against_chance(facts: Facts) -> Iterator[Remark]:
    if not facts.names_images:
        return
    name, share = facts.most_frequent
    if share == 1:
        yield Remark(
            "bad",
            f"It is not shown to tell classes apart: images of {quoted(name)} alone were scored, and always "
            "answering that would be right for all of them.",
        )
        return
    if facts.value.low <= share:
        yield Remark(
            "bad",
            f"It is not shown to be better than always answering {quoted(name)}, the most frequent class, which is "
            f"right for {percent(share)}.",
        )
        return
    always = f"than always answering {quoted(name)}, the most frequent class, which is right for {percent(share)}."
    if facts.value.low - share > LITTLE:
        yield Remark("good", f"Better {always}")
    else:
        yield Remark("watch", f"Only a little better {always}")


def _classes(facts: Facts) -> Iterator[Remark]:
    if not facts.names_images:
        return
    unseen = [each.name for each in facts.evaluation.per_class if not each.count]
    if unseen:
        classes = f"class {quoted(unseen[0])}" if len(unseen) == 1 else f"{len(unseen):,} classes"
        yield Remark("watch", f"Nothing is known about {classes}: no image was scored.")
    few = [each for each in facts.scored_classes if each.count < FEW]
    weak = [each for each in facts.scored_classes if each.recall.high < facts.value.value and each not in few]
    if weak:
        named = ", ".join(
            f"{quoted(each.name)} {percent(each.recall.value, 0)} ({bounds('accuracy', each.recall)})"
            for each in weak[:NAMED]
        )
        more = f", and {len(weak) - NAMED:,} more" if len(weak) > NAMED else ""
        yield Remark("watch", f"Clearly worse than the rest: {named}{more}.")
    if few:
        classes = f"class {quoted(few[0].name)}" if len(few) == 1 else f"{len(few):,} classes"
        yield Remark(
            "watch", f"Nothing can be said about {classes} alone: fewer than {FEW} images were scored of each."
        )


def _confusions(facts: Facts) -> Iterator[Remark]:
    for pair in facts.evaluation.confused[:1]:
        if pair.share.low >= CONFUSED and pair.count >= OFTEN:
            of = round(pair.count / pair.share.value)
            yield Remark(
                "watch",
                f"{quoted(pair.truth)} is often taken for {quoted(pair.answer)}: {pair.count:,} of {of:,} times.",
            )


def _calibration(facts: Facts) -> Iterator[Remark]:
    found = facts.evaluation.calibration
    if found is None or not facts.names_images:
        return
    off = facts.confidence - facts.value.value
    if found.error.low > NOTICED:
        how = "higher than they should be" if off > 0 else "lower than they should be"
        yield Remark(
            "watch",
            f"Its probabilities are {how}: {percent(facts.confidence)} on average, where {percent(facts.value.value)} "
            f"are right. They are off by {percent(found.error.value)} on average.",
        )
    elif facts.evaluation.temperature != 1 and facts.evaluation.split == "val":
        yield Remark(
            "watch", "Its probabilities were fitted to these images: only others tell how far they can be believed."
        )
    elif found.error.high <= BELIEVED and facts.evaluation.count >= ENOUGH:
        yield Remark(
            "good",
            f"Its probabilities can be taken at their word: they are off by {percent(found.error.value)} on average.",
        )
    else:
        yield Remark(
            "watch",
            "Too few images to tell how far its probabilities can be believed: here they are off by "
            f"{percent(found.error.value)} on average, which may be chance.",
        )


def _doubtful(facts: Facts) -> Iterator[Remark]:
    if facts.doubtful:
        were = "1 was" if facts.doubtful == 1 else f"{facts.doubtful:,} were"
        yield Remark(
            "watch",
            f"Of {facts.mistakes:,} wrong answers {were} given as surely as right ones: the labels may be wrong.",
        )


def _by_heart(facts: Facts) -> Iterator[Remark]:
    if facts.gap > LEARNED_BY_HEART:
        yield Remark(
            "watch",
            f"It answers its training images much better: {value(facts.evaluation.score, facts.train_score)}. It has "
            "learned some of them by heart.",
        )


def _unreadable(facts: Facts) -> Iterator[Remark]:
    count = len(facts.evaluation.unreadable)
    if count:
        which = "1 image that could not be read is" if count == 1 else f"{count:,} images that could not be read are"
        yield Remark("watch", f"{which} left out of every figure.")


def _worst_image(facts: Facts) -> Iterator[Remark]:
    scores = [each.score for each in facts.evaluation.worst if math.isfinite(each.score)]
    if scores and not facts.names_images and scores[0] < facts.value.value / 2:
        yield Remark("watch", f"Images differ: the worst one scores {scores[0]:.2f}. See the worst images below.")


RULES = (
    _unsound,
    _against_chance,
    _by_heart,
    _classes,
    _confusions,
    _calibration,
    _doubtful,
    _worst_image,
    _unreadable,
)
