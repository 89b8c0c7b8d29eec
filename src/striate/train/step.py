"""One step of training, which is taken whole or not at all."""

import math
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from striate.augment import Stream, generator
from striate.augment.erase import erase_
from striate.augment.mix import draw_mix
from striate.augment.noise import add_noise_
from striate.data import Batch
from striate.errors import TrainingError
from striate.nets import create
from striate.tasks import Classify, Objective
from striate.train.saver import Saver
from striate.train.state import Run, State


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python says so, PyTorch on a GPU too, but on a CPU only in its text."""
    if isinstance(error, RuntimeError):
        return "out of memory" in str(error) or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError)


def least_batch(model: str, arguments: dict[str, Any], task: Classify, input_size: tuple[int, int, int]) -> int:
    """The fewest pictures that a network can learn from at a time: 1 or 2.

    2 where a batch norm meets maps of one value, whose variance over one picture would be 0.
    """
    with torch.device("meta"):  # nothing is computed
        objective = task.objective(create(model, **arguments).to("meta"))
        labels = torch.zeros(1, task.outputs) if task.several_labels else torch.zeros(1, dtype=torch.long)
        try:
            objective.train()(torch.empty(1, *input_size), labels)
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


class Stepper:
    """Takes the steps of a run.

    When a batch does not fit into memory, it and all later ones go through the network in parts, whose gradients are
    added: the loss and the effective batch stay the same, but batch norm sees the parts. A step whose loss is not
    finite, or whose gradient is not where that is looked at, is skipped or ends the run.
    """

    def __init__(self, run: Run, objective: Objective, state: State, saver: Saver) -> None:
        self._run = run
        self._objective = objective
        self._parameters = [parameter for parameter in objective.parameters() if parameter.requires_grad]
        self._state = state
        self._saver = saver
        self._buffers = Buffers(state.net)

    def take(self, batch: Batch) -> None:
        """Learns from a batch and counts it in the progress.

        Raises:
            TrainingError: if the loss or the gradient is not finite, and no more such steps may be skipped.
        """
        state, progress = self._state, self._state.progress
        self._buffers.keep()
        loss, right = self._gradient(*self._inputs(batch))
        fault = self._fault(loss)
        if fault is None:
            state.optimizer.step()
            if state.ema is not None:
                state.ema.update(state.net, progress.step)
            progress.tally.pictures += len(batch.rows)
            progress.tally.loss += loss * len(batch.rows)
            progress.tally.right += right
        else:
            self._buffers.undo()
            self._skip(batch, fault)
        state.optimizer.zero_grad()
        progress.step += 1

    def _inputs(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """What the network is shown (N, C, H, W), what it shall answer, and the labels of the pictures."""
        run, device = self._run, self._run.machine.device
        images = run.preprocessing.normalise(batch.images.to(device, non_blocking=True), batch.colour)
        labels = torch.from_numpy(run.index.labels(batch.rows)).to(device)
        images, targets = self._augmented(images, labels, batch.rows.tolist())
        return run.machine.images(images), targets, labels

    def _augmented(self, images: Tensor, labels: Tensor, rows: list[int]) -> tuple[Tensor, Tensor]:
        """What is done to a whole batch where it is: noise, erasing, mixing; and the targets (N, classes) of a mix."""
        run, seed, epoch = self._run, self._run.recipe.training.seed, self._state.progress.epoch
        images = add_noise_(images, run.augment, run.preprocessing.std, rows, seed, epoch)
        images = erase_(images, run.augment, rows, seed, epoch)
        mix = draw_mix(run.augment, rows, run.preprocessing.size, seed, epoch)
        if mix is None:
            return images, labels
        return mix.apply(images), mix.targets(run.task.targets(labels))

    def _gradient(self, images: Tensor, targets: Tensor, labels: Tensor) -> tuple[float, int]:
        """Computes the gradient of the batch's mean loss; returns that loss, and how many answers were right."""
        while True:
            try:
                return self._pass(images, targets, labels)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or not self._halve(len(images)):
                    raise
            # Only here, where the error is gone, and with it its hold on the maps of the step.
            self._state.optimizer.zero_grad()
            self._buffers.undo()
            if self._run.machine.device.type == "cuda":
                torch.cuda.empty_cache()

    def _pass(self, images: Tensor, targets: Tensor, labels: Tensor) -> tuple[float, int]:
        """Goes forward and back with each part of the batch."""
        run, step = self._run, self._state.progress.step
        torch.manual_seed(int(generator(run.recipe.training.seed, Stream.STEP, sample=step).integers(2**63)))  # dropout
        count = self._parts(len(images), self._state.progress.part_size)
        value, right = 0.0, 0
        for some, wanted, named in zip(*(each.tensor_split(count) for each in (images, targets, labels)), strict=True):
            with run.machine.autocast():
                mean, outputs = self._objective(some, wanted)
            loss = mean if count == 1 else mean * (self._mass(wanted) / self._mass(targets))
            loss.backward()
            value += loss.item()
            right += int(run.task.hits(outputs.detach(), named).sum())
        return value, right

    def _parts(self, pictures: int, part_size: int | None) -> int:
        """How many parts, as equal as can be, a batch goes through the network in."""
        return min(math.ceil(pictures / part_size), pictures // self._least_batch) if part_size else 1

    @cached_property
    def _least_batch(self) -> int:
        run = self._run
        return least_batch(run.recipe.network.model, run.arguments, run.task, run.preprocessing.input_size)

    def _mass(self, targets: Tensor) -> float:
        """What the objective's mean over these targets is divided by."""
        weight = self._objective.weight
        if weight is None or self._objective.several_labels:
            return len(targets)
        return float((targets @ weight if targets.is_floating_point() else weight[targets]).sum())

    def _halve(self, pictures: int) -> bool:
        """Lets half as many pictures through the network at a time; False where that cannot be."""
        progress = self._state.progress
        count = self._parts(pictures, progress.part_size)
        at_a_time = math.ceil(pictures / count)
        half = math.ceil(at_a_time / 2)
        if self._parts(pictures, half) == count:
            return False
        progress.part_size = half
        self._run.reporter.say(
            f"out of memory at step {progress.step} with {at_a_time} pictures at a time: from here on {half}, whose "
            f"gradients are added. The effective batch stays the same; batch norm sees {half}."
        )
        return True

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
        files = f"Pictures of the batch: {', '.join(run.index.paths(batch.rows))}"
        if progress.skipped >= limit:
            raise TrainingError(f"step {progress.step}: {fault} {advise_numbers(self._saver)} {files}")
        progress.skipped += 1
        run.reporter.say(f"step {progress.step}: {fault} Skipped, as {progress.skipped} of at most {limit}. {files}")


def advise_numbers(saver: Saver) -> str:
    """What to try where numbers are not finite."""
    return f"Try a lower --lr, --clip-grad 1 or --precision float32. Last good checkpoint: {saver.last_good()}."
