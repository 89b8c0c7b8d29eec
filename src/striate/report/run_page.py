"""A report as one page that needs nothing else, good on a phone, a desktop and paper, in the dark and in the light."""

import math
from collections.abc import Iterator
from typing import Any

from striate.data import READ_AS
from striate.data.check import KINDS
from striate.evaluation.classes import ClassScores
from striate.evaluation.intervals import Interval
from striate.evaluation.record import Evaluation, Example
from striate.files import NAME_LENGTH, fit_to_print, format_bytes
from striate.report.build import Report
from striate.report.charts import bar, curves, percent, reliability, scale_from
from striate.report.facts import quoted
from striate.report.history import LEAK, LEFT_OUT
from striate.report.html import render, tail
from striate.report.metrics import about, bounds, rate, value

MOST_CLASSES = 30  # rows of the table of classes
MOST_PAIRS = 12  # of classes that are confused
MATRIX = 12  # classes up to which the confusion is shown as a matrix
MOST_METRICS = 20
SHADE = 0.42  # opacity of a cell of the matrix that holds all of its row
KINDS_OF_REMARKS = {"good": "Good", "watch": "Watch", "bad": "Stop"}


def page(found: Report) -> str:
    """HTML without scripts and outside resources, of a bounded size; every name is escaped."""
    evaluation = found.evaluation
    return render(
        "run_page.html",
        title=title(found),
        subtitle=_subtitle(found),
        verdict=found.verdict,
        kinds=KINDS_OF_REMARKS,
        made_of=list(made_of(found)),
        findings=list(_findings(found)),
        curves=list(_curves(found)),
        fitted=_fitted(found),
        metrics=_metrics(evaluation),
        classes=_classes(found),
        taught=bool(found.facts.history.taught),
        reliability=_reliability(evaluation),
        confusion=_confusion(evaluation),
        pairs=_pairs(evaluation),
        worst=[_worst(found, row, example) for row, example in found.worst],
        mistakes=found.facts.mistakes if found.facts.names_images else None,
        doubtful=found.facts.doubtful,
        method=found.gallery.method,
        no_maps=found.gallery.no_maps,
        cost=list(_cost(found)),
        advice=found.advice,
        file=fit_to_print(str(found.file)),
    )


def _findings(found: Report) -> Iterator[str]:
    """What the check found, a line a kind."""
    history = found.facts.history
    for kind, count, used in history.findings:
        left_out = "" if used else ", left out"
        if kind == LEAK and not history.leaks:
            left_out = "; those of train were left out"
        yield f"left out: {count:,}" if kind == LEFT_OUT else f"{KINDS[kind].title}: {count:,}{left_out}"


def title(found: Report) -> str:
    """What the report is of."""
    return f"{fit_to_print(found.evaluation.data, NAME_LENGTH)}: {found.evaluation.network}"


def _subtitle(found: Report) -> str:
    evaluation = found.evaluation
    count = len(evaluation.classes)
    classes = "1 class" if count == 1 else f"{count:,} classes"
    return f"{evaluation.task}, {classes}; scored on {evaluation.count:,} images of {evaluation.split}"


def made_of(found: Report) -> Iterator[tuple[str, str]]:
    """What was trained on what, as names and values."""
    evaluation, history = found.evaluation, found.facts.history
    setting = history.setting
    if evaluation.read_as:
        yield "Data", fit_to_print(evaluation.read_as.removeprefix(READ_AS))
    if history.images:
        yield "Images", ", ".join(f"{count:,} {split}" for split, count in history.images.items() if count)
    yield "Scored on", f"{evaluation.count:,} images of {evaluation.split}: {evaluation.why}"
    channels, height, width = found.model.preprocessing.input_size
    yield (
        "Network",
        f"{evaluation.network}, {found.cost.parameters:,} parameters, images {channels} x {height} x {width}",
    )
    training = history.recipe.get("training") or {}
    if training.keys() >= {"opt", "epochs", "batch_size", "seed"}:
        begun = f"{fit_to_print(history.weights)}, frozen: {setting('transfer', 'freeze')}"
        yield "Begins with", begun if history.weights else "random weights"
        if history.planned:
            yield "Why so much is frozen", fit_to_print(history.planned)
        how = f"{training['opt']}, {training['epochs']} epochs, batches of {training['batch_size']}"
        if history.folder is not None and len(history.epochs) == 1 and math.isnan(history.last("train_loss")):
            how = "the head was fitted in one step to what the frozen network gives"
        yield "Training", f"{how}; augmentation {setting('augment', 'augment')}, seed {training['seed']}"
    if isinstance(made_by := found.model.about.get("commit"), str):
        yield "Made by", f"striate at commit {made_by[:12]}"


def _curves(found: Report) -> Iterator[Any]:
    """The learning curves, where there was more than one epoch."""
    history, task = found.facts.history, found.model.task
    if len(history.epochs) < 2:
        return
    best = found.facts.best_epoch
    loss = [history.curve("train_loss", "train"), history.curve("val_loss", "val")]
    if any(loss):
        yield curves("loss", "Loss by epoch", [each for each in loss if each], best, "loss")
    name, own = found.evaluation.score, task.image_score
    scores = [history.curve(f"train_{own}", f"train, {_lower(own)}" if own != name else "train")]
    scores.append(history.curve(f"val_{name}", f"val, {_lower(name)}" if own != name else "val"))
    if any(scores):
        yield curves("score", "Score by epoch", [each for each in scores if each], best, _lower(name))


def _lower(name: str) -> str:
    title_ = about(name).title
    return title_[0].lower() + title_[1:]


def _fitted(found: Report) -> dict[str, Any] | None:
    """Cross-validation on train beside val, where a head was fitted in one step."""
    history, name = found.facts.history, found.evaluation.score
    if len(history.epochs) != 1:
        return None
    rows: dict[str, tuple[str, Interval]] = {}
    for prefix, text in (("cv", "train, by cross-validation"), ("val", "val")):
        known = [history.last(f"{prefix}_{name}{end}") for end in ("", "_low", "_high")]
        if math.isfinite(known[0]):
            rows[text] = name, Interval(*known)
    return _table(rows) if rows else None


def _table(rows: dict[str, tuple[str, Interval]]) -> dict[str, Any]:
    """Rows of figures on one scale.

    Args:
        rows: the name of a metric and its value, by what the row is called.
    """
    start = scale_from(interval for name, interval in rows.values() if _is_drawn(name, interval))
    shown = [{"name": text} | _shown(name, interval, start) for text, (name, interval) in rows.items()]
    return {"rows": shown, "start": f"{start:g}"}


def _is_drawn(name: str, interval: Interval) -> bool:
    return name != "loss" and not about(name).is_count and 0 <= interval.value <= 1


def _shown(name: str, interval: Interval, start: float) -> dict[str, Any]:
    """A figure for a row of a table: its value, its interval, and both drawn where they are from 0 to 1."""
    drawn = bar(interval, start) if _is_drawn(name, interval) else ""
    return {"value": value(name, interval.value), "bounds": bounds(name, interval), "bar": drawn}


def _metrics(evaluation: Evaluation) -> dict[str, Any]:
    """The table of all scores, and what is counted beside them."""
    own = {f"iou_{name}" for name in evaluation.classes}
    names = [name for name in evaluation.metrics if name not in own]
    names.sort(key=lambda name: (name != evaluation.score, about(name).is_count))
    scores = {name: evaluation.metrics[name] for name in names[:MOST_METRICS]}
    table = _table({name: (name, metric) for name, metric in scores.items()})
    for row, name in zip(table["rows"], scores, strict=True):
        row |= {"name": about(name).title, "meaning": about(name).meaning}
    return table


def _classes(found: Report) -> dict[str, Any] | None:
    """The table of classes, the worst first; None where classes are not told apart."""
    evaluation = found.evaluation
    if len(evaluation.classes) < 2:
        return None
    if found.facts.names_images:
        shown = found.facts.scored_classes
        start = scale_from(each.recall for each in shown[:MOST_CLASSES])
        rows = [_class_row(found, each, start) for each in shown]
        kind = "recall"
    else:
        known = [(name, evaluation.metrics.get(f"iou_{name}")) for name in evaluation.classes]
        ious = sorted(((n, m) for n, m in known if m is not None), key=lambda pair: (pair[1].value, pair[0]))
        rows = [{"name": fit_to_print(name, NAME_LENGTH)} | _shown("mean_iou", metric, 0.0) for name, metric in ious]
        start, kind = 0.0, "iou"
    if not rows:
        return None
    return {"kind": kind, "rows": rows[:MOST_CLASSES], "more": max(len(rows) - MOST_CLASSES, 0), "start": f"{start:g}"}


def _class_row(found: Report, scores: ClassScores, start: float) -> dict[str, Any]:
    taught = found.facts.history.taught.get(scores.name)
    return {
        "name": fit_to_print(scores.name, NAME_LENGTH),
        "count": f"{scores.count:,}",
        "taught": "" if taught is None else f"{taught:,}",
        "bar": bar(scores.recall, start, found.facts.value.value),
        "value": percent(scores.recall.value),
        "bounds": bounds("accuracy", scores.recall),
        "precision": percent(scores.precision.value),
    }


def _reliability(evaluation: Evaluation) -> dict[str, Any] | None:
    found = evaluation.calibration
    if found is None or len(evaluation.classes) < 2:
        return None
    temperature = f"{evaluation.temperature:.2f}"
    before = None if temperature == "1.00" else evaluation.uncalibrated
    return {
        "chart": reliability(found.bins),
        "error": f"{percent(found.error.value)} ({bounds('accuracy', found.error)})",
        "before": f"{percent(before.error.value)} ({bounds('accuracy', before.error)})" if before is not None else "",
        "temperature": temperature,
        "fitted_here": evaluation.temperature != 1 and evaluation.split == "val",
        "brier": f"{found.brier.value:.3f} ({found.brier.low:.3f} to {found.brier.high:.3f})",
    }


def _confusion(evaluation: Evaluation) -> dict[str, Any] | None:
    """The matrix of few classes, with the opacity of each cell."""
    if not 2 <= len(evaluation.classes) <= MATRIX or not evaluation.confusion:
        return None
    names = [fit_to_print(name, 24 + 40) for name in evaluation.classes]
    rows = []
    for i, (name, counts) in enumerate(zip(names, evaluation.confusion, strict=True)):
        cells = [
            {"count": f"{count:,}", "shade": f"{SHADE * count / max(sum(counts), 1):.2f}", "right": i == j}
            for j, count in enumerate(counts)
        ]
        rows.append({"name": name, "cells": cells})
    return {"names": names, "rows": rows}


def _pairs(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The pairs of classes of most mistakes, where there are too many classes for a matrix."""
    if len(evaluation.classes) <= MATRIX:
        return []
    return [
        {
            "truth": fit_to_print(pair.truth, NAME_LENGTH),
            "answer": fit_to_print(pair.answer, NAME_LENGTH),
            "count": f"{pair.count:,}",
            "value": percent(pair.share.value),
            "bounds": bounds("accuracy", pair.share),
            "bar": bar(pair.share),
        }
        for pair in evaluation.confused[:MOST_PAIRS]
    ]


def _worst(found: Report, row: int, example: Example) -> dict[str, Any]:
    path = tail(example.path)
    if example.truth and found.facts.names_images:
        said = f"{quoted(example.answer)} {percent(example.probability)}, not {quoted(example.truth)}"
    else:
        said = f"Score of this image: {example.score:.2f}"
    return {
        "images": found.gallery.images.get(row, ()),
        "said": said,
        "path": path,
        "doubtful": row in found.doubtful,
    }


def _cost(found: Report) -> Iterator[tuple[str, str]]:
    cost, evaluation = found.cost, found.evaluation
    yield "Parameters", f"{cost.parameters:,}"
    if cost.macs is not None:
        yield "Multiplications for one image", f"{'at least ' if cost.at_least else ''}{cost.macs:,}"
    if cost.file_bytes:
        yield "Model file", format_bytes(cost.file_bytes)
    yield "Speed, decoding included", rate(evaluation.images_per_second)
    yield "Speed of the network", f"{rate(cost.images_per_second)}, {cost.batch} at a time"
    yield "One image by itself", f"{1000 * cost.one_image_s:.1f} ms"
    if cost.peak_bytes is not None:
        weights = f"beside {format_bytes(cost.weight_bytes)} of weights"
        yield "Memory for one image", f"{format_bytes(cost.peak_bytes)} at the most, as counted in float32, {weights}"
    yield "Measured on", f"{evaluation.device}, in {evaluation.precision} ({found.model.machine.reason})"
