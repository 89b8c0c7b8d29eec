"""The loop: epochs of steps, each epoch scored, kept and told."""

import time
from typing import Any

import torch
from torch import Tensor, nn

from striate.data import (
    IndexedPictures,
    Loader,
    Order,
    Rows,
    advice,
    batches,
    training_view,
    weighted_rows,
)
from striate.data.pixel_cache import CachedPictures
from striate.device import cores
from striate.errors import TrainingError
from striate.model import Model, load, logits
from striate.tasks import Objective
from striate.train.console import clock
from striate.train.determinism import deterministic
from striate.train.interrupt import Interrupted, Signals
from striate.train.saver import Saver
from striate.train.schedule import lr_at
from striate.train.state import Run, State, Tally
from striate.train.step import Stepper, advise_numbers


def fit(run: Run, objective: Objective, state: State) -> Model:
    """Trains from where `state` stands, in the middle of an epoch or not, to the last epoch of the recipe.

    After each epoch the model file, where the epoch is the best on val, metrics.csv and a checkpoint are written, and
    at intervals a checkpoint.

    Returns:
        The best model.

    Raises:
        TrainingError: if the loss, or what an epoch ends with, is not finite; the step is named, and of a loss the
            batch's files. Also if the end of the run cannot be written.
        Interrupted: after SIGTERM or Ctrl-C, once the step in hand is finished and saved.
    """
    asked = run.recipe.machine.deterministic
    with deterministic(run.machine, asked), Saver(run, state.progress) as saver, Signals() as signals:
        _Loop(run, objective, state, saver, signals).go()
        if not saver.now(state):
            raise TrainingError(
                f"the end of the run cannot be written. Make room, then go on with `{run.folder.resumed_by}`."
            )
        run.reporter.say(str(saver))
    return load(run.folder.model, device=run.machine.device.type, precision=run.machine.precision)


class _Loop:
    """The epochs of a run, with all that each of them needs."""

    def __init__(self, run: Run, objective: Objective, state: State, saver: Saver, signals: Signals) -> None:
        self._run = run
        self._objective = objective
        self._state = state
        self._saver = saver
        self._signals = signals
        self._stepper = Stepper(run, objective, state, saver)
        self._held_out = IndexedPictures(run.index, run.recipe.data.max_pixels)

    def go(self) -> None:
        """Trains and scores until the last epoch is finished."""
        run, progress = self._run, self._state.progress
        while progress.epoch < run.recipe.training.epochs:
            self._train()
            tally = progress.tally
            row: dict[str, Any] = {
                "epoch": progress.epoch + 1,
                "step": progress.step,
                "train_loss": tally.mean_loss,
                "train_accuracy": tally.accuracy,
                "pictures_per_s": tally.pictures / tally.seconds,
                "wait_share": tally.wait_s / tally.seconds,
                "train_s": tally.seconds,
            }
            self._require_finite("weights", *self._state.net.state_dict().values())
            scores = self._score(run.index.rows("val"))
            row |= {f"val_{name}": value for name, value in scores.items()}
            self._finish_epoch(row, scores)
            run.reporter.say(_line(run, tally, scores, progress.epoch))
            _advise(run, tally)

    def _train(self) -> None:
        """Takes the steps of the epoch that are left."""
        run, progress, training = self._run, self._state.progress, self._run.recipe.training
        rows, weights = weighted_rows(run.index, run.index.rows("train"), training.sampling)
        order = Order(rows, training.seed, progress.epoch, training.batch_size, weights)
        view = training_view(run.recipe.augment, run.preprocessing, training.seed, progress.epoch)
        start = progress.step - progress.epoch * len(order)
        pinned = run.machine.device.type == "cuda"
        loader = Loader(run.pictures, order, run.preprocessing, view, workers=run.workers, start=start, pinned=pinned)
        self._objective.train()
        title, left = f"epoch {progress.epoch + 1}/{training.epochs}", len(rows) * len(loader) // len(order)
        with run.reporter.progress(title, left, "pictures") as advance:
            asked = time.perf_counter()
            for batch in loader:
                progress.tally.wait_s += time.perf_counter() - asked
                for group in self._state.optimizer.param_groups:
                    group["lr"] = lr_at(training, progress.step, len(order))
                self._stepper.take(batch)
                progress.tally.seconds += time.perf_counter() - asked
                asked = time.perf_counter()
                advance(len(batch.rows), str(progress.tally))
                self._saver.after_step(self._state)
                self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        """Saves and leaves, if a signal came; called where no step is half done."""
        if self._signals.asked is not None:
            run = self._run
            run.reporter.say(f"{self._signals.asked.name}: saving after step {self._state.progress.step - 1}")
            self._saver.now(self._state)
            raise Interrupted(self._signals.asked, run.folder)

    def _require_finite(self, what: str, *tensors: Tensor) -> None:
        """Stops before a network that went wrong in the last step of an epoch is kept."""
        if not all(bool(tensor.isfinite().all()) for tensor in tensors):
            step = self._state.progress.step - 1
            raise TrainingError(
                f"after step {step}: expected finite {what}; got some that are not. {advise_numbers(self._saver)}"
            )

    def _score(self, rows: Rows) -> dict[str, float]:
        """Metrics on val of the net, or of its running average where there is one; none without val pictures."""
        if not len(rows):
            return {}
        run, net = self._run, self._kept_net()
        net.eval()
        parts = batches(rows, run.recipe.training.batch_size)
        loader = Loader(self._held_out, parts, run.preprocessing, workers=run.workers)
        outputs = []
        for output in logits(net, loader, run.preprocessing, run.machine):
            outputs.append(output)
            self._stop_if_asked()
        answers = torch.cat(outputs)
        self._require_finite("answers on val", answers)
        return run.task.metrics(answers, torch.from_numpy(run.index.labels(rows)))

    def _kept_net(self) -> nn.Module:
        return self._state.net if self._state.ema is None else self._state.ema.net

    def _finish_epoch(self, row: dict[str, Any], scores: dict[str, float]) -> None:
        """Counts the epoch, keeps the model if it is the best so far, and with it the metrics and a checkpoint."""
        run, progress = self._run, self._state.progress
        score = scores.get(run.task.score, float(progress.epoch))  # without val, the last epoch is the best
        progress.epoch += 1
        progress.rows.append(row)
        progress.tally = Tally()
        if progress.best is None or score > progress.best:
            progress.best = score
            about = run.about | {"epoch": progress.epoch}
            name, net = run.recipe.network.model, self._kept_net()
            model = Model(net, name, run.arguments, run.task, run.preprocessing, scores, about, run.machine)
            self._saver.keep_model(model)
        self._saver.after_epoch(self._state)
        if run.recipe.machine.tensorboard:
            _write_events(run, row)


def _advise(run: Run, tally: Tally) -> None:
    """Says what would feed a network that waits for its pictures."""
    cached = isinstance(run.pictures, CachedPictures)
    sentence = advice(tally.wait_s / tally.seconds, workers=run.workers, cores=cores(), cached=cached)
    if sentence is not None:
        run.reporter.say(sentence)


def _write_events(run: Run, row: dict[str, Any]) -> None:
    from torch.utils.tensorboard import SummaryWriter  # the extra `striate[log]`, checked before the run began

    with SummaryWriter(str(run.folder.tensorboard)) as writer:
        for name, value in row.items():
            writer.add_scalar(name, value, row["step"])


def _line(run: Run, tally: Tally, scores: dict[str, float], epoch: int) -> str:
    """What is said of an epoch; `epoch` is the number of those that are finished."""
    text = f"epoch {epoch}/{run.recipe.training.epochs}: {tally}"
    if scores:
        text += f"; val accuracy {scores['accuracy']:.4f} [{scores['accuracy_low']:.4f}, {scores['accuracy_high']:.4f}]"
    if run.task.score != "accuracy" and scores:
        text += f", {run.task.score.replace('_', ' ')} {scores[run.task.score]:.4f}"
    return f"{text}; {clock(tally.seconds * (run.recipe.training.epochs - epoch))} left"
