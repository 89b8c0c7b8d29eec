"""The loop: epochs of steps, each epoch scored, kept and told."""

import math
import signal
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from striate.data import Order, Rows, batches, weighted_rows
from striate.errors import TrainingError
from striate.model import Model
from striate.tasks import Objective
from striate.train.console import clock
from striate.train.determinism import deterministic
from striate.train.feed import Feed
from striate.train.interrupt import Interrupted, Signals
from striate.train.saver import Saver
from striate.train.schedule import lr_at
from striate.train.state import Run, State, Tally
from striate.train.step import Stepper, advise_numbers


def fit(run: Run, feed: Feed, objective: Objective, state: State) -> None:
    """Trains from where `state` stands, in the middle of an epoch or not, to the last epoch of the recipe.

    After each epoch the model file, where the epoch is the best on val, metrics.csv and a checkpoint are written, and
    at intervals a checkpoint.

    Raises:
        TrainingError: if the loss, or what an epoch ends with, is not finite; the step is named, and of a loss the
            batch's files. Also if the end of the run cannot be written.
        Interrupted: after SIGTERM or Ctrl-C, once the step in hand is finished and saved.
    """
    asked, alone = run.recipe.machine.deterministic, run.processes.world == 1
    with deterministic(run.machine, asked), Saver(run, state.progress) as saver, Signals(second_ends=alone) as signals:
        _Loop(run, feed, objective, state, saver, signals).go()
        if not run.processes.from_first(lambda: saver.now(state)):
            raise TrainingError(
                f"the end of the run cannot be written. Make room, then go on with `{run.folder.resumed_by}`."
            )
        run.reporter.say(str(saver))


class _Loop:
    """The epochs of a run, with all that each of them needs."""

    def __init__(
        self, run: Run, feed: Feed, objective: Objective, state: State, saver: Saver, signals: Signals
    ) -> None:
        self._run = run
        self._feed = feed
        self._objective = objective
        self._state = state
        self._saver = saver
        self._signals = signals
        self._stepper = Stepper(run, feed, objective, state, saver)
        self._scored = feed.learner(self._kept_net())

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
                f"train_{run.task.image_score}": tally.mean_score,
                "pictures_per_s": tally.pictures / tally.seconds,
                "wait_share": tally.wait_s / tally.seconds,
                "train_s": tally.seconds,
            }
            self._require_finite("weights", *self._state.net.state_dict().values())
            scores = self._score(run.index.rows("val"))
            row |= {f"val_{name}": value for name, value in scores.items()}
            self._finish_epoch(row, scores)
            run.reporter.say(_line(run, tally, scores, progress.epoch))
            if (sentence := self._feed.advice(tally.wait_s / tally.seconds)) is not None:
                run.reporter.say(sentence)

    def _train(self) -> None:
        """Takes the steps of the epoch that are left."""
        run, progress, training = self._run, self._state.progress, self._run.recipe.training
        processes = run.processes
        rows, weights = weighted_rows(run.index, run.index.rows("train"), training.sampling)
        share = (processes.rank, processes.world)
        order = Order(rows, training.seed, progress.epoch, training.batch_size, weights, *share)
        start = progress.step - progress.epoch * len(order)
        self._objective.train()
        title, left = f"epoch {progress.epoch + 1}/{training.epochs}", len(rows) * (len(order) - start) // len(order)
        with run.reporter.progress(title, left, "pictures") as advance:
            asked = time.perf_counter()
            for batch in self._feed.batches(order, progress.epoch, start):
                progress.tally.wait_s += time.perf_counter() - asked
                for group in self._state.optimizer.param_groups:
                    group["lr"] = group["lr_scale"] * lr_at(training, progress.step, len(order))
                self._stepper.take(batch)
                progress.tally.seconds += time.perf_counter() - asked
                asked = time.perf_counter()
                note = progress.tally.line(run.task.image_score)
                advance(len(batch.rows) * processes.world, note)  # give or take a few
                self._saver.after_step(self._state)
                self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        """Saves and leaves, if a signal came to any process; called where no step is half done."""
        run = self._run
        asked = max(int(number) for [number] in run.processes.numbers(self._signals.asked or 0))
        if asked:
            number = signal.Signals(asked)
            run.reporter.say(f"{number.name}: saving after step {self._state.progress.step - 1}")
            run.processes.from_first(lambda: self._saver.now(self._state))
            raise Interrupted(number, run.folder)

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
        run, processes = self._run, self._run.processes
        self._scored.eval()
        parts = batches(np.arange(len(rows)), math.ceil(run.recipe.training.batch_size / processes.world))
        own = parts[processes.rank :: processes.world]
        outputs = self._feed.answers(self._scored, [rows[part] for part in own])
        records = torch.zeros(len(rows), run.task.record_width)  # each process fills in its own; the others' are added
        for part, (output, targets) in zip(own, outputs, strict=True):
            records[part] = run.task.observe(output, targets)
            self._stop_if_asked()
        if len(own) < len(parts[:: processes.world]):
            self._stop_if_asked()  # with those that have a part more
        processes.add_([records])
        self._require_finite("answers on val", records)
        return run.task.metrics(records)

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
            net = self._kept_net()
            model = Model(net, run.network, run.arguments, run.task, run.preprocessing, scores, about, run.machine)
            self._saver.keep_model(model)
        self._saver.after_epoch(self._state)
        if run.recipe.machine.tensorboard and run.processes.first:
            _write_events(run, row)


def _write_events(run: Run, row: dict[str, Any]) -> None:
    from torch.utils.tensorboard import SummaryWriter  # the extra `striate[log]`, checked before the run began

    with SummaryWriter(str(run.folder.tensorboard)) as writer:
        for name, value in row.items():
            writer.add_scalar(name, value, row["step"])


def _line(run: Run, tally: Tally, scores: dict[str, float], epoch: int) -> str:
    """What is said of an epoch; `epoch` is the number of those that are finished."""
    text = f"epoch {epoch}/{run.recipe.training.epochs}: {tally.line(run.task.image_score)}"
    if scores:
        text += f"; val {run.task.line(scores)}"
    return f"{text}; {clock(tally.seconds * (run.recipe.training.epochs - epoch))} left"
