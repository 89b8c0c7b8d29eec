"""The end of a run: its model file is read back, given a temperature and scored.

What the run says is then what its file does.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from striate.evaluation import evaluate
from striate.evaluation.answered import Answered, answer
from striate.evaluation.temperature import MOST, calibrated
from striate.model import load
from striate.training.run import Run
from striate.training.trial import Trial, in_float32, tried_rows, try_bfloat16

Answers = Callable[[], Answered | None]  # what the model file answers to val, asked once; None where that is not kept


def close(run: Run, started: float | None = None, answers: Answers | None = None) -> dict[str, float]:
    """Gives the run's model file the temperature that fits val, and scores it on val as `striate evaluate` does.

    Temperature and scores are kept in the file, and the scores are said. The answers stay with the run's folder,
    for its report.

    Args:
        run: of which the model file is on the disk.
        started: when the images had been checked, by `time.perf_counter`, where that shall be said.
        answers: asked in the first process alone; the file is asked unless given.

    Returns:
        The task's metrics; empty without val images.

    Raises:
        ModelFileError: if the file is not there, or not whole.
        DataError: if no image of val can be read any more.
    """
    metrics = run.processes.from_first(lambda: _scored(run, _answered(run) if answers is None else answers()))
    if metrics:
        run.reporter.info(f"val, as the model file answers: {_line(run, metrics)}")
    took = "" if started is None else f", {time.perf_counter() - started:.1f} s after the check of the images"
    run.reporter.info(f"model: {run.folder.model}{took}")
    return metrics


def _line(run: Run, metrics: dict[str, float]) -> str:
    """What the task says of scores, and the loss where the task has one."""
    return run.task.line(metrics) + (f", loss {metrics['loss']:.4f}" if "loss" in metrics else "")


def _scored(run: Run, answered: Answered | None) -> dict[str, float]:
    read = load(run.folder.model, device=run.machine.device.type)
    rows = run.index.rows("val")
    if not len(rows):
        return {}
    model = calibrated(read, run.index, rows, workers=run.workers, answered=answered)
    if model is not read:
        run.reporter.info(
            f"temperature {model.task.temperature:.3f}: probabilities on val are right as often as they say"
        )
    found = evaluate(model, run.index, "val", workers=run.workers, answered=answered)
    for line in found.unreadable:
        run.reporter.info(f"left out of val: {line}")
    if found.metrics != read.metrics or model is not read:
        replace(model, metrics=found.metrics).save(run.folder.model)
    run.folder.answered = answered
    return found.metrics


def _answered(run: Run, *, tried: bool = False) -> Answered | None:
    """What the run's model file answers to val, where so much can be kept: logits of at most some thousand images.

    Args:
        run: of the file.
        tried: whether a trial of bfloat16 asks for the answers in float32 too.
    """
    rows = run.index.rows("val")
    if not (run.task.has_temperature and 0 < len(rows) <= MOST):
        return None
    model = load(run.folder.model, device=run.machine.device.type)
    beside = (in_float32(model), tried_rows(run.index)) if tried and model.machine.precision == "bfloat16" else None
    return answer(model, run.index, rows, workers=run.workers, beside=beside)


def close_fitted(
    run: Run, net: nn.Module, head: dict[str, Any], cross_validated: dict[str, float], started: float
) -> Trial | None:
    """Writes what a run with a fitted head leaves behind: its model file, which is read back and scored, and metrics.

    The file is tried in bfloat16 first. Where that fails nothing is scored, for the head has been fitted to what
    float32 does not give, and must be fitted anew.

    Args:
        run: of the net.
        net: with its head, in evaluation mode.
        head: what the model file says of the head.
        cross_validated: the metrics of training images.
        started: when the fit began, by `time.perf_counter`.

    Returns:
        The trial, where it failed.
    """
    run.reporter.info(f"cross-validation on train: {_line(run, cross_validated)}")
    row = {"epoch": 1, "step": 0, "train_s": time.perf_counter() - started}
    if run.processes.first:
        run.model(run.machine.place(net), epoch=1, head=head).save(run.folder.model)
    answers = functools.cache(lambda: _answered(run, tried=True))
    trial = try_bfloat16(run, answers=answers)
    if trial is not None and not trial.passed:
        return trial
    val = close(run, started, answers)
    row |= {f"cv_{name}": value for name, value in cross_validated.items()}
    row |= {f"val_{name}": value for name, value in val.items()}
    if run.processes.first:
        run.folder.write_metrics([row])
    return None
