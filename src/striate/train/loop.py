"""The loop: epochs of steps, each epoch scored, kept and told."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from striate.augment import Stream, generator
from striate.data import (
    Batch,
    Index,
    IndexedPictures,
    Loader,
    Preprocessing,
    Rows,
    batches,
    epoch_order,
    training_view,
)
from striate.device import Machine
from striate.errors import TrainingError
from striate.model import Model, load, logits
from striate.recipe import Recipe
from striate.tasks import Classify, Objective
from striate.train import checkpoint
from striate.train.checkpoint import State
from striate.train.console import Reporter, clock
from striate.train.folder import RunFolder
from striate.train.schedule import lr_at


@dataclass
class Tally:
    """Sums over the steps of an epoch."""

    pictures: int = 0
    loss: float = 0.0
    right: int = 0
    wait_s: float = 0.0
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"loss {self.loss / self.pictures:.4f}, accuracy {self.right / self.pictures:.4f}, "
            f"{self.pictures / self.seconds:,.0f} pictures/s, {self.wait_s / self.seconds:.0%} waiting for data"
        )


@dataclass(frozen=True)
class Run:
    """What stays the same while a run goes on."""

    recipe: Recipe
    index: Index
    task: Classify
    preprocessing: Preprocessing
    machine: Machine
    workers: int
    folder: RunFolder
    reporter: Reporter
    about: dict[str, Any]
    """What the model file says of the run."""

    arguments: dict[str, Any]
    """Of the net, resolved."""


def fit(run: Run, objective: Objective, state: State) -> Model:
    """Trains from where `state` stands to the last epoch of the recipe.

    After each epoch the model file, where the epoch is the best on val, metrics.csv and the checkpoint are written.

    Returns:
        The best model.

    Raises:
        TrainingError: if the loss, or what an epoch ends with, is not finite; the step is named, and of a loss the
            batch's files.
    """
    pictures = IndexedPictures(run.index, run.recipe.data.max_pixels)
    val_rows = run.index.rows("val")
    with _deterministic(run.machine):
        for epoch in range(state.progress.epoch, run.recipe.training.epochs):
            tally = _train_epoch(run, objective, state, pictures, epoch)
            row: dict[str, Any] = {
                "epoch": epoch + 1,
                "step": state.progress.step,
                "train_loss": tally.loss / tally.pictures,
                "train_accuracy": tally.right / tally.pictures,
                "pictures_per_s": tally.pictures / tally.seconds,
                "wait_share": tally.wait_s / tally.seconds,
                "train_s": tally.seconds,
            }
            _require_finite(run, state, "weights", *state.net.state_dict().values())
            scores = _score(run, state, pictures, val_rows)
            row |= {f"val_{name}": value for name, value in scores.items()}
            _finish_epoch(run, state, row, scores)
            run.reporter.say(_line(run, tally, scores, epoch))
    return load(run.folder.model, device=run.machine.device.type, precision=run.machine.precision)


def _train_epoch(run: Run, objective: Objective, state: State, pictures: IndexedPictures, epoch: int) -> Tally:
    training = run.recipe.training
    order = epoch_order(run.index.rows("train"), training.seed, epoch)
    parts = batches(order, training.batch_size)
    view = training_view(run.recipe.augment, run.preprocessing.size, training.seed, epoch)
    loader = Loader(pictures, parts, run.preprocessing, view, workers=run.workers)
    tally = Tally()
    objective.train()
    title = f"epoch {epoch + 1}/{training.epochs}"
    with run.reporter.progress(title, len(order), "pictures") as advance:
        started = time.perf_counter()
        for batch in _timed(loader, tally):
            for group in state.optimizer.param_groups:
                group["lr"] = lr_at(training, state.progress.step, len(parts))
            loss, right = _step(run, objective, state, batch)
            tally.pictures += len(batch.rows)
            tally.loss += loss * len(batch.rows)
            tally.right += right
            tally.seconds = time.perf_counter() - started
            advance(len(batch.rows), str(tally))
    return tally


def _step(run: Run, objective: Objective, state: State, batch: Batch) -> tuple[float, int]:
    """One step of the optimiser; returns the batch's mean loss and how many of its pictures were answered right."""
    training, step = run.recipe.training, state.progress.step
    torch.manual_seed(int(generator(training.seed, Stream.STEP, sample=step).integers(2**63)))  # for dropout
    device = run.machine.device
    images = run.machine.images(run.preprocessing.normalise(batch.images.to(device, non_blocking=True)))
    labels = torch.from_numpy(run.index.labels(batch.rows)).to(device)
    with run.machine.autocast():
        loss, outputs = objective(images, labels)
    value = loss.item()
    if not math.isfinite(value):
        raise TrainingError(_not_finite(run, state, batch, value))
    loss.backward()
    if training.clip_grad:
        torch.nn.utils.clip_grad_norm_(objective.parameters(), training.clip_grad)
    state.optimizer.step()
    state.optimizer.zero_grad()
    if state.ema is not None:
        state.ema.update(state.net, step)
    state.progress.step += 1
    return value, int(run.task.hits(outputs.detach(), labels).sum())


def _not_finite(run: Run, state: State, batch: Batch, value: float) -> str:
    files = ", ".join(run.index.paths(batch.rows))
    step = state.progress.step
    return f"step {step}: expected a finite loss; got {value}. {_advice(run)} Pictures of the batch: {files}"


def _require_finite(run: Run, state: State, what: str, *tensors: Tensor) -> None:
    """Stops before a network that went wrong in the last step of an epoch is kept."""
    if not all(bool(tensor.isfinite().all()) for tensor in tensors):
        raise TrainingError(
            f"after step {state.progress.step - 1}: expected finite {what}; got some that are not. {_advice(run)}"
        )


def _advice(run: Run) -> str:
    good = checkpoint.last(run.folder.checkpoint) or "none yet"
    return f"Try a lower --lr, --clip-grad 1 or --precision float32. Last good checkpoint: {good}."


def _score(run: Run, state: State, pictures: IndexedPictures, rows: Rows) -> dict[str, float]:
    """Metrics on val of the net, or of its running average where there is one; none without val pictures."""
    if not len(rows):
        return {}
    net = state.ema.net if state.ema is not None else state.net
    net.eval()
    parts = batches(rows, run.recipe.training.batch_size)
    loader = Loader(pictures, parts, run.preprocessing, workers=run.workers)
    outputs = torch.cat(list(logits(net, loader, run.preprocessing, run.machine)))
    _require_finite(run, state, "answers on val", outputs)
    return run.task.metrics(outputs, torch.from_numpy(run.index.labels(rows)))


def _finish_epoch(run: Run, state: State, row: dict[str, Any], scores: dict[str, float]) -> None:
    """Keeps the model if it is the best so far, then the metrics and the checkpoint."""
    progress = state.progress
    score = scores.get(run.task.score, float(progress.epoch))  # without val, the last epoch is the best
    progress.epoch += 1
    progress.rows.append(row)
    if score > progress.best:
        progress.best = score
        net = state.ema.net if state.ema is not None else state.net
        about = run.about | {"epoch": progress.epoch}
        name = run.recipe.network.model
        Model(net, name, run.arguments, run.task, run.preprocessing, scores, about, run.machine).save(run.folder.model)
    run.folder.write_metrics(progress.rows)
    checkpoint.save(run.folder.checkpoint, state)  # last: what a kill before it leaves undone, a resumed run does again
    if run.recipe.machine.tensorboard:
        _write_events(run, row)


def _write_events(run: Run, row: dict[str, Any]) -> None:
    from torch.utils.tensorboard import SummaryWriter  # the extra `striate[log]`, checked before the run began

    with SummaryWriter(str(run.folder.tensorboard)) as writer:
        for name, value in row.items():
            writer.add_scalar(name, value, row["step"])


def _line(run: Run, tally: Tally, scores: dict[str, float], epoch: int) -> str:
    text = f"epoch {epoch + 1}/{run.recipe.training.epochs}: {tally}"
    if scores:
        text += f"; val accuracy {scores['accuracy']:.4f} [{scores['accuracy_low']:.4f}, {scores['accuracy_high']:.4f}]"
    if run.task.score != "accuracy" and scores:
        text += f", {run.task.score.replace('_', ' ')} {scores[run.task.score]:.4f}"
    return f"{text}; {clock(tally.seconds * (run.recipe.training.epochs - epoch - 1))} left"


def _timed(loader: Loader, tally: Tally) -> Iterator[Batch]:
    """The loader's batches; the time spent waiting for them is added to the tally."""
    iterator = iter(loader)
    while True:
        asked = time.perf_counter()
        batch = next(iterator, None)
        tally.wait_s += time.perf_counter() - asked
        if batch is None:
            return
        yield batch


@contextmanager
def _deterministic(machine: Machine) -> Iterator[None]:
    """On the CPU, allows only operations that give the same bits every time; afterwards all is as it was."""
    before = torch.are_deterministic_algorithms_enabled()
    if machine.device.type == "cpu":
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
