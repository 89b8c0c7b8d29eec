"""How good the answers of a model are: every figure with its interval, gathered into one record."""

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.evaluation.calibration import calibration
from striate.evaluation.classes import class_scores, confused_pairs, confusion_matrix
from striate.evaluation.gain import gain
from striate.evaluation.intervals import Interval, Resampling
from striate.evaluation.record import Evaluation, Example, Method, Metric
from striate.evaluation.scores import Column, Scored
from striate.evaluation.selective import abstention, aurc
from striate.evaluation.slices import slices
from striate.tasks.answers import Answers

SHOWN_WORST = 20
SHOWN_PAIRS = 100
MANY_CLASSES = 30  # of which pairs alone are kept of the confusion


def summarise(
    scored: Scored,
    *,
    group: Column | None = None,
    slice_by: Sequence[Column] = (),
    abstain_at: float | None = None,
    plainer: Sequence[Scored] = (),
    over: str = "",
) -> Evaluation:
    """The record of an evaluation.

    Args:
        scored: as `striate.evaluation.evaluate` gives it.
        group: images of one value belong together, such as those of one person; each is by itself unless given, and so
            is one without a value.
        slice_by: columns by whose values the images are looked at in parts.
        abstain_at: accuracy that answers shall have, 0 to 1, for the probability from which on they do.
        plainer: evaluations of the same images by one view, or by one member each, over whose mean the gain is told.
        over: what those are, in a few words.
    """
    model, task, index = scored.model, scored.model.task, scored.index
    groups = None if group is None else _numbers(group.values)
    resampling = Resampling(len(scored.rows), groups)
    graded, scores = scored.graded, task.record_scores(scored.records)
    found = Evaluation(
        network=model.name,
        task=task.name,
        data=index.root.name,
        read_as=index.notes[0] if index.notes else "",
        split=scored.split,
        why=scored.why,
        count=len(scored.rows),
        classes=scored.classes,
        score=task.score,
        metrics=_metrics(scored, resampling, groups),
        worst=_worst(scored),
        device=str(model.machine.device),
        precision=model.machine.precision,
        seconds=scored.seconds,
        images_per_second=len(scored.rows) / scored.seconds,
        views=scored.viewing.count(model.preprocessing),
        group=group.name if group is not None else "",
        groups=int(groups.max()) + 1 if groups is not None else 0,
        unreadable=scored.unreadable,
        temperature=task.temperature,
        gain=gain(scored, plainer, over, resampling) if plainer else None,
        slices=tuple(part for column in slice_by for part in slices(column.name, column.values, scores, resampling)),
    )
    return found if graded is None or len(found.classes) < 2 else _with_answers(found, graded, resampling, abstain_at)


def _numbers(values: Sequence[Any]) -> NDArray[np.int64]:
    """(N,) the number of each image's group, from 0 without a gap; an image without a value is a group of its own."""
    names = [f"row {row}" if value in (None, "") else f"value {value}" for row, value in enumerate(values)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _metrics(scored: Scored, resampling: Resampling, groups: NDArray[np.int64] | None) -> dict[str, Metric]:
    """The task's metrics by name, with their intervals; the number of images is told elsewhere."""
    task = scored.model.task
    values = task.metrics(scored.records, groups)
    bounded = [name for name in values if {f"{name}_low", f"{name}_high"} <= values.keys()]
    bounds = {f"{name}_{end}" for name in bounded for end in ("low", "high")}
    found = {}
    for name in values.keys() - bounds - {"count"}:
        low, high = (values[f"{name}_{end}"] if name in bounded else math.nan for end in ("low", "high"))
        wilson = name in task.shares and groups is None
        method: Method = "" if name not in bounded else "wilson" if wilson else "bootstrap"
        found[name] = Metric(float(values[name]), low, high, method)
    if scored.graded is not None:
        found |= _of_answers(scored.graded, resampling, found.keys())
    return {name: found[name] for name in values if name in found}


def _of_answers(graded: Answers, resampling: Resampling, names: Collection[str]) -> dict[str, Metric]:
    """Those of the named metrics that follow from the answers alone."""
    shares = {"accuracy": graded.hits, "top5_accuracy": graded.ranks < 5}
    how: Method = "bootstrap" if resampling.grouped else "wilson"
    found = {name: _metric(resampling.share(shares[name]), how) for name in shares if name in names}
    if "loss" in names:
        (loss,) = resampling.means(graded.loss[:, None])
        found["loss"] = _metric(loss, "bootstrap")
    return found


def _metric(interval: Interval, method: Method) -> Metric:
    return Metric(interval.value, interval.low, interval.high, method)


def _worst(scored: Scored) -> tuple[Example, ...]:
    """The images that were answered worst."""
    scores, graded, classes = scored.model.task.record_scores(scored.records), scored.graded, scored.classes
    loss = np.zeros(len(scores)) if graded is None else graded.loss
    order = np.lexsort((-loss, scores))[:SHOWN_WORST]  # NaN comes last
    examples = []
    for place, path in zip(order.tolist(), scored.index.paths(scored.rows[order]), strict=True):
        example = Example(path, float(scores[place]))
        if graded is not None:
            example = Example(
                path,
                example.score,
                truth=classes[graded.labels[place]],
                answer=classes[graded.answers[place]],
                probability=float(graded.confidence[place]),
                loss=float(graded.loss[place]),
            )
        examples.append(example)
    return tuple(examples)


def _with_answers(found: Evaluation, graded: Answers, resampling: Resampling, abstain_at: float | None) -> Evaluation:
    """The record with what is known where an image's answer is one class."""
    plain = replace(graded, confidence=graded.plain_confidence, loss=graded.plain_loss, brier=graded.plain_brier)
    few = len(found.classes) <= MANY_CLASSES
    confidence, hits = graded.confidence, graded.hits
    return replace(
        found,
        calibration=calibration(graded, resampling),
        uncalibrated=calibration(plain, resampling) if found.temperature != 1 else None,
        per_class=tuple(class_scores(graded, found.classes, resampling)),
        confusion=tuple(map(tuple, confusion_matrix(graded, len(found.classes)).tolist())) if few else (),
        confused=tuple(confused_pairs(graded, found.classes, resampling, SHOWN_PAIRS)),
        aurc=aurc(confidence, hits, resampling),
        abstention=None if abstain_at is None else abstention(confidence, hits, abstain_at, resampling),
    )
