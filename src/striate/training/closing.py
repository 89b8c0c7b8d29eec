"""The end of a run: its model file is read back, given a temperature and scored.

What the run says is then what its file does.
"""

import time
from dataclasses import replace

from striate.evaluation import evaluate
from striate.evaluation.temperature import calibrated
from striate.model import load
from striate.training.run import Run


def close(run: Run, started: float | None = None) -> dict[str, float]:
    """Gives the run's model file the temperature that fits val, and scores it on val as `striate evaluate` does.

    Temperature and scores are kept in the file, and the scores are said.

    Args:
        run: of which the model file is on the disk.
        started: when the images had been checked, by `time.perf_counter`, where that shall be said.

    Returns:
        The task's metrics; empty without val images.

    Raises:
        ModelFileError: if the file is not there, or not whole.
        DataError: if no image of val can be read any more.
    """
    metrics = run.processes.from_first(lambda: _scored(run))
    if metrics:
        loss = f", loss {metrics['loss']:.4f}" if "loss" in metrics else ""
        run.reporter.info(f"val, as the model file answers: {run.task.line(metrics)}{loss}")
    took = "" if started is None else f", {time.perf_counter() - started:.1f} s after the check of the images"
    run.reporter.info(f"model: {run.folder.model}{took}")
    return metrics


def _scored(run: Run) -> dict[str, float]:
    read = load(run.folder.model, device=run.machine.device.type)
    rows = run.index.rows("val")
    if not len(rows):
        return {}
    model = calibrated(read, run.index, rows, workers=run.workers)
    if model is not read:
        run.reporter.info(f"temperature {model.task.temperature:.3f}: probabilities on val are right as they say")
    found = evaluate(model, run.index, "val", workers=run.workers)
    for line in found.unreadable:
        run.reporter.info(f"left out of val: {line}")
    if found.metrics != read.metrics or model is not read:
        replace(model, metrics=found.metrics).save(run.folder.model)
    return found.metrics
