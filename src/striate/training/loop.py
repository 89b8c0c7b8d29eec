"""Training on one page: prepare a run, make a network, and learn from images, epoch by epoch, step by step.

What guards it stands in files of its own: `memory` (a batch that does not fit), `finite` (numbers that are not finite),
`signals` (Ctrl-C and SIGTERM), `process_group` (several processes), `determinism`, and `saver` (checkpoints).
"""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from striate.console import Reporter, clock
from striate.data import Batch, Index, batches
from striate.errors import TrainingError
from striate.recipe import Recipe
from striate.training import checkpoint
from striate.training.accumulate import Accumulator, Step
from striate.training.closing import close
from striate.training.folder import RunFolder
from striate.training.guards import Guards, guarded
from striate.training.images import images
from striate.training.inputs import Inputs
from striate.training.network import describe, new_network, objective_of
from striate.training.prepare import prepare, reopen
from striate.training.run import Run
from striate.training.schedule import lr_at
from striate.training.snapshots import combine_snapshots, keep_snapshot
from striate.training.state import Progress, State, Totals
from striate.training.trial import answer_in_float32, try_bfloat16


def train(
    data: Path | Index,
    recipe: Recipe,
    output: Path | None = None,
    reporter: Reporter | None = None,
    said: Sequence[str] = (),
) -> RunFolder:
    """Trains a new network on images; see `prepare` for the arguments, and `fit` for what is written."""
    with prepare(data, recipe, output, reporter, said) as run:
        fit(run, new_network(run), images(run))
        return run.folder


def resume(path: Path, recipe: Recipe | None = None, reporter: Reporter | None = None) -> RunFolder:
    """Goes on with a run after the step of its last checkpoint; see `reopen` for the arguments."""
    with reopen(path, recipe, reporter) as run:
        fit(run, new_network(run), images(run))
        return run.folder


def fit(run: Run, net: nn.Module, inputs: Inputs, lr_scales: Mapping[str, float] | None = None) -> None:
    """Trains a network, from the run's checkpoint where there is one, to the last epoch of the recipe.

    After each epoch the model file, where the epoch is the best on val, metrics.csv and a checkpoint are written, and
    at intervals a checkpoint. In the end the model file is read back and scored.

    Args:
        run: as `prepare` or `reopen` gives it.
        net: as `new_network` gives it; parameters that stay as they are ask for no gradient.
        inputs: what the network learns from.
        lr_scales: by the names of modules, multiples of the learning rate that they have; 1 for all unless given.

    Raises:
        TrainingError: if the loss, or what an epoch ends with, is not finite; the step is named, and of a loss the
            batch's files. Also if the end of the run cannot be written.
        Interrupted: after SIGTERM or Ctrl-C, once the step in hand is finished and saved.
    """
    state = State.begin(net, run.recipe, lr_scales)
    if run.checkpoint is not None:
        checkpoint.restore(run.checkpoint, state)
        _require_within(run, state.progress)
        run.reporter.info(f"resumed from {run.checkpoint.path}, after {state.progress.step} steps")
    describe(run, net)
    objective = objective_of(run, net, inputs)
    evaluated = inputs.learner(state.evaluated)
    with guarded(run, state) as guards:
        accumulate = Accumulator(run, objective, state)
        while state.progress.epoch < run.recipe.training.epochs:
            objective.train()
            train_epoch(run, inputs, state, accumulate, guards)
            guards.finite.require("weights", net.state_dict().values())
            metrics = score(run, inputs, evaluated.eval(), guards)
            finish_epoch(run, inputs, state, metrics, guards)
    combine_snapshots(run)
    trial = try_bfloat16(run)
    if trial is not None and not trial.passed:
        answer_in_float32(run)
    close(run)


def _require_within(run: Run, progress: Progress) -> None:
    """Stops where a checkpoint is of a step that the epoch after its finished ones does not have."""
    length = len(run.order(progress.epoch))
    first = progress.epoch * length
    if not first <= progress.step <= first + length:
        raise TrainingError(
            f"resume: expected a checkpoint of step {first:,} to {first + length:,}, after {progress.epoch:,} epochs; "
            f"got one of step {progress.step:,}."
        )


def train_epoch(run: Run, inputs: Inputs, state: State, accumulate: Accumulator, guards: Guards) -> None:
    """Takes the steps of the epoch that are left."""
    training, progress, order = run.recipe.training, state.progress, run.order(state.progress.epoch)
    first = progress.step - progress.epoch * len(order)
    title, left = f"epoch {progress.epoch + 1}/{training.epochs}", len(order.rows) * (len(order) - first) // len(order)
    with run.reporter.progress(title, left, "images") as advance:
        asked = time.perf_counter()
        for number, batch in enumerate(inputs.batches(order, progress.epoch, first), first):
            progress.totals.wait_s += time.perf_counter() - asked
            state.set_lr(lr_at(training, progress.step, len(order)))
            step = take_step(run, inputs, state, accumulate, guards, batch, order.sizes(number))
            progress.totals.seconds += time.perf_counter() - asked
            asked = time.perf_counter()
            advance(step.images, progress.totals.line(run.task.image_score))
            guards.after_step(step.signal)


def take_step(
    run: Run,
    inputs: Inputs,
    state: State,
    accumulate: Accumulator,
    guards: Guards,
    batch: Batch,
    sizes: list[int],
) -> Step:
    """Learns from a batch and counts it; each process has its share of the batch, by `sizes`."""
    training, progress = run.recipe.training, state.progress
    truth = run.task.targets(run.index, batch, run.preprocessing)
    shown, targets = inputs.transform(batch, truth, progress.epoch)
    step = accumulate(shown, targets, truth, sizes, guards.signal)  # forward and back: the loss, and its gradient
    norm = None
    if training.clip_grad or training.skip_bad_steps:
        norm = get_total_norm([p.grad for p in accumulate.parameters if p.grad is not None])
    if guards.finite.accept(step.loss, norm, batch):
        if training.clip_grad and norm is not None:
            clip_grads_with_norm_(accumulate.parameters, training.clip_grad, norm)
        state.optimizer.step()
        if state.ema is not None:
            state.ema.update(state.net, progress.step)
        progress.totals.add(step.images, step.loss, step.score)
    else:
        accumulate.buffers.undo()
    state.optimizer.zero_grad()
    progress.step += 1
    return step


def score(run: Run, inputs: Inputs, net: nn.Module, guards: Guards) -> dict[str, float]:
    """The task's metrics on val, from one record an image; empty without val images.

    Each process fills in the records of its own batches, and the others' are added.
    """
    rows, processes = run.index.rows("val"), run.processes
    if not len(rows):
        return {}
    parts = batches(np.arange(len(rows)), math.ceil(run.recipe.training.images_a_step / processes.world))
    own = parts[processes.rank :: processes.world]
    records = torch.zeros(len(rows), run.task.record_width)
    for part, (outputs, batch) in zip(own, inputs.outputs(net, [rows[part] for part in own]), strict=True):
        records[part] = run.task.observe(outputs, run.index, batch, run.preprocessing)
        guards.between_batches()
    if len(own) < len(parts[:: processes.world]):
        guards.between_batches()  # with the processes that have one batch more
    processes.add_([records])
    guards.finite.require("answers on val", [records])
    return run.task.metrics(records)


def finish_epoch(run: Run, inputs: Inputs, state: State, metrics: dict[str, float], guards: Guards) -> None:
    """Counts the epoch, keeps the model if it is the best so far, and with it the metrics and a checkpoint."""
    progress, totals, epochs = state.progress, state.progress.totals, run.recipe.training.epochs
    row = {"epoch": progress.epoch + 1, "step": progress.step} | totals.row(run.task.image_score)
    row |= {f"val_{name}": value for name, value in metrics.items()}
    value = metrics.get(run.task.score, float(progress.epoch))  # without val, the last epoch is the best
    progress.epoch += 1
    progress.rows.append(row)
    progress.totals = Totals()
    if progress.best is None or value > progress.best:
        progress.best = value
        guards.saver.keep_model(run.model(state.evaluated, metrics, epoch=progress.epoch))
    keep_snapshot(run, state, metrics)
    guards.saver.after_epoch(state)
    if run.recipe.machine.tensorboard and run.processes.first:
        run.folder.write_events(row)
    scores = f"; val {run.task.line(metrics)}" if metrics else ""
    left = clock(totals.seconds * (epochs - progress.epoch))
    run.reporter.info(f"epoch {progress.epoch}/{epochs}: {totals.line(run.task.image_score)}{scores}; {left} left")
    if (advice := inputs.advice(totals.wait_share)) is not None:
        run.reporter.info(advice)
