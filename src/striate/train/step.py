"""One step of training, which is taken whole or not at all."""

import math
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from striate.augment import Stream, generator
from striate.data import Batch
from striate.errors import TrainingError
from striate.nets import create
from striate.tasks import Objective, Targets, Task, split_targets, to_device
from striate.train.feed import Feed
from striate.train.saver import Saver
from striate.train.state import Run, State
from striate.train.sync_batch_norm import SyncedBatchNorm2d
from striate.train.weight_gradients import faster_backward


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python says so, PyTorch on a GPU too, but on a CPU only in its text."""
    if isinstance(error, RuntimeError):
        return "out of memory" in str(error) or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError)


def least_batch(model: str, arguments: dict[str, Any], task: Task, input_size: tuple[int, int, int]) -> int:
    """The fewest pictures that a network can learn from at a time: 1 or 2.

    2 where a batch norm meets maps of one value, whose variance over one picture would be 0.
    """
    with torch.device("meta"):  # nothing is computed
        objective = task.objective(create(model, **arguments).to("meta"))
        try:
            objective.train()(torch.empty(1, *input_size), task.blank_targets(1, input_size))
        except ValueError as error:  # of PyTorch's batch norm
            if "more than 1 value per channel" not in str(error):
                raise
            return 2
    return 1


class Buffers:
    """What a forward pass changes in a net, such as the averages of batch norm, and how to undo it."""

    def __init__(self, net: nn.Module) -> None:
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for buffer in net.buffers():
            kinds.setdefault(buffer.dtype, []).append(buffer)
        self._pairs = [(live, [buffer.clone() for buffer in live]) for live in kinds.values()]

    def keep(self) -> None:
        """Notes what they hold."""
        for live, kept in self._pairs:
            torch._foreach_copy_(kept, live)

    def undo(self) -> None:
        """Gives them what they held."""
        for live, kept in self._pairs:
            torch._foreach_copy_(live, kept)


@dataclass(frozen=True)
class _Whole:
    """A batch, of which each process has a share."""

    mass: float
    """What the mean of its loss is divided by."""

    pictures: list[int]
    """Of each process."""


class Stepper:
    """Takes the steps of a run.

    When a batch does not fit into memory, it and all later ones go through the network in parts, whose gradients are
    added: the loss and the effective batch stay the same, but batch norm sees the parts. A step whose loss is not
    finite, or whose gradient is not where that is looked at, is skipped or ends the run. Several processes decide all
    of this alike, and add up their gradients, so that they hold the same weights after every step.
    """

    def __init__(self, run: Run, feed: Feed, objective: Objective, state: State, saver: Saver) -> None:
        self._run = run
        self._feed = feed
        self._objective = objective
        self._parameters = [parameter for parameter in objective.parameters() if parameter.requires_grad]
        self._state = state
        self._saver = saver
        self._faster = nullcontext() if run.recipe.machine.compile else faster_backward(state.net, run.machine)
        self._buffers = Buffers(state.net)
        norms = [module for module in state.net.modules() if isinstance(module, _BatchNorm)]
        self._own_norms = [n for n in norms if n.track_running_stats and not isinstance(n, SyncedBatchNorm2d)]
        self._joined_norms = any(isinstance(norm, SyncedBatchNorm2d) for norm in norms)

    def take(self, batch: Batch) -> None:
        """Learns from a batch and counts it in the progress.

        Args:
            batch: this process's share of the batch, where there are several processes.

        Raises:
            TrainingError: if the loss or the gradient is not finite, and no more such steps may be skipped.
        """
        state, progress = self._state, self._state.progress
        self._buffers.keep()
        truth = self._run.task.targets(self._run.index, batch)
        images, targets = self._feed.inputs(batch, truth, progress.epoch)
        whole = self._whole(len(batch.rows), targets)
        loss, score = self._gradient(images, targets, truth, whole)
        pictures = sum(whole.pictures)
        fault = self._fault(loss)
        if fault is None:
            state.optimizer.step()
            self._average_norms(len(batch.rows) / pictures)
            if state.ema is not None:
                state.ema.update(state.net, progress.step)
            progress.tally.pictures += pictures
            progress.tally.loss += loss * pictures
            progress.tally.score += score
        else:
            self._buffers.undo()
            self._skip(batch, fault)
        state.optimizer.zero_grad()
        progress.step += 1

    def _whole(self, count: int, targets: Targets) -> "_Whole":
        """The batch of which these are the targets of this process."""
        shares = self._run.processes.numbers(self._objective.mass(targets), count)
        return _Whole(sum(mass for mass, _ in shares), [int(pictures) for _, pictures in shares])

    def _gradient(self, images: Tensor, targets: Targets, truth: Targets, whole: "_Whole") -> tuple[float, float]:
        """Computes the gradient of the batch's mean loss; returns that loss, and the sum of its images' scores."""
        processes = self._run.processes
        while True:
            answer = self._tried(images, targets, truth, whole)
            said = processes.numbers(answer is None, *(answer or (0.0, 0.0)))
            if not any(failed for failed, _, _ in said):
                break
            self._halve(whole)
            self._state.optimizer.zero_grad()
            self._buffers.undo()
            if self._run.machine.device.type == "cuda":
                torch.cuda.empty_cache()
        processes.add_([parameter.grad for parameter in self._parameters if parameter.grad is not None])
        return sum(loss for _, loss, _ in said), sum(score for _, _, score in said)

    def _tried(self, images: Tensor, targets: Targets, truth: Targets, whole: "_Whole") -> tuple[float, float] | None:
        """A pass over the batch; None, without a hold on its maps, where memory ran out and parts may do."""
        try:
            return self._pass(images, targets, truth, whole)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or self._joined_norms or self._half(whole) is None:
                raise
        return None  # only here is the error gone, and with it its hold

    def _pass(self, images: Tensor, targets: Targets, truth: Targets, whole: "_Whole") -> tuple[float, float]:
        """Goes forward and back with each part of this process's share of the batch."""
        run, step = self._run, self._state.progress.step
        rng = generator(run.recipe.training.seed, Stream.STEP, epoch=run.processes.rank, sample=step)
        torch.manual_seed(int(rng.integers(2**63)))  # dropout: other masks in each process, of any epoch
        count = self._parts(whole, self._state.progress.part_size)
        value, score = 0.0, 0.0
        parts = images.tensor_split(count), split_targets(targets, count), split_targets(truth, count)
        for some, wanted, true in zip(*parts, strict=True):
            with run.machine.autocast():
                mean, outputs = self._objective(some, to_device(wanted, run.machine.device))
            loss = mean * (self._objective.mass(wanted) / whole.mass)
            with self._faster:
                loss.backward()
            value += loss.item()
            score += float(run.task.image_scores(outputs.detach(), to_device(true, run.machine.device)).sum())
        return value, score

    def _parts(self, whole: "_Whole", part_size: int | None) -> int:
        """How many parts, as equal as can be, a batch goes through the network in; as many in every process."""
        if part_size is None:
            return 1
        return min(math.ceil(max(whole.pictures) / part_size), min(whole.pictures) // self._least_batch)

    @cached_property
    def _least_batch(self) -> int:
        run = self._run
        return least_batch(run.network, run.arguments, run.task, run.preprocessing.input_size)

    def _at_a_time(self, whole: "_Whole") -> int:
        """Most pictures that go through the network at a time."""
        return math.ceil(max(whole.pictures) / self._parts(whole, self._state.progress.part_size))

    def _half(self, whole: "_Whole") -> int | None:
        """Half as many pictures at a time; None where that makes no more parts."""
        half = math.ceil(self._at_a_time(whole) / 2)
        more = self._parts(whole, half) > self._parts(whole, self._state.progress.part_size)
        return half if more else None

    def _halve(self, whole: "_Whole") -> None:
        """Lets half as many pictures through the network at a time, from here on."""
        progress, before, half = self._state.progress, self._at_a_time(whole), self._half(whole)
        progress.part_size = half
        self._run.reporter.say(
            f"out of memory at step {progress.step} with {before} pictures at a time: from here on {half}, whose "
            f"gradients are added. The effective batch stays the same; batch norm sees {half}."
        )

    def _average_norms(self, share: float) -> None:
        """Gives the running averages of batch norm, which each process took of its own pictures, those of all.

        Args:
            share: of the batch's pictures that were this process's.
        """
        learning = [norm for norm in self._own_norms if norm.training]  # the others keep theirs to the bit
        averages = [a for norm in learning for a in (norm.running_mean, norm.running_var) if a is not None]
        if averages and self._run.processes.world > 1:
            torch._foreach_mul_(averages, share)
            self._run.processes.add_(averages)

    def _fault(self, loss: float) -> str | None:
        """What is not finite; None where all is well. Clips the gradient where that is asked for."""
        training = self._run.recipe.training
        if not math.isfinite(loss):
            return f"expected a finite loss; got {loss}."
        if training.clip_grad or training.skip_bad_steps:
            gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
            norm = get_total_norm(gradients)
            if not math.isfinite(norm.item()):
                return f"expected a finite gradient; got one of norm {norm.item()}."
            if training.clip_grad:
                clip_grads_with_norm_(self._parameters, training.clip_grad, norm)
        return None

    def _skip(self, batch: Batch, fault: str) -> None:
        """Counts a step that is not taken, and names its pictures."""
        run, progress, limit = self._run, self._state.progress, self._run.recipe.training.skip_bad_steps
        rows = [row for rows in run.processes.gather(batch.rows.tolist()) for row in rows]
        files = f"Pictures of the batch: {', '.join(run.index.paths(rows))}"
        if progress.skipped >= limit:
            raise TrainingError(f"step {progress.step}: {fault} {advise_numbers(self._saver)} {files}")
        progress.skipped += 1
        run.reporter.say(f"step {progress.step}: {fault} Skipped, as {progress.skipped} of at most {limit}. {files}")


def advise_numbers(saver: Saver) -> str:
    """What to try where numbers are not finite."""
    return f"Try a lower --lr, --clip-grad 1 or --precision float32. Last good checkpoint: {saver.last_good()}."
