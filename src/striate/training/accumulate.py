"""The gradient of a batch's mean loss, in as many parts as memory asks for and by as many processes as there are.

Each process goes forward and back on its own share. Then one sum over the processes carries everything that they have
to agree on: gradients, the running averages of batch norm, the loss, the score, whether memory ran out, and signals.
docs/decisions/distributed.md says why that is no DistributedDataParallel.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from striate.augment import Stream, generator
from striate.tasks import Objective, Targets, split_targets, to_device
from striate.training.memory import Buffers, Parts, is_out_of_memory, least_batch
from striate.training.run import Run
from striate.training.state import State
from striate.training.sync_batch_norm import SyncedBatchNorm2d
from striate.training.weight_gradients import bfloat16_backward


@dataclass(frozen=True)
class Step:
    """What the processes found on the way to a gradient."""

    images: int
    loss: float
    """The mean over the images of all processes."""

    score: float
    """The sum of the images' scores."""

    signal: int
    """The number of a signal that asks the run to stop; 0 for none."""


@dataclass(frozen=True)
class _Pass:
    """What one process found, still on its device."""

    mass: float
    values: Tensor
    """(2,): its part of the mean loss, and the sum of its images' scores."""


class Accumulator:
    """Computes the gradients of a run's steps.

    When a batch does not fit into memory, it and all later ones go through the network in parts, whose gradients are
    added: the loss and the effective batch stay the same, but batch norm sees the parts. All processes decide that
    alike.
    """

    def __init__(self, run: Run, objective: Objective, state: State) -> None:
        self._run = run
        self._objective = objective
        self._state = state
        self.parameters = [parameter for parameter in objective.parameters() if parameter.requires_grad]
        self.buffers = Buffers(state.net)
        self._faster = nullcontext() if run.recipe.machine.compile else bfloat16_backward(state.net, run.machine)
        norms = [module for module in state.net.modules() if isinstance(module, _BatchNorm)]
        self._own_norms = [n for n in norms if n.track_running_stats and not isinstance(n, SyncedBatchNorm2d)]
        self._joined_norms = any(isinstance(norm, SyncedBatchNorm2d) for norm in norms)

    def __call__(self, inputs: Tensor, targets: Targets, truth: Targets, sizes: list[int], signal: int) -> Step:
        """Adds the gradient of the batch's mean loss to that of the parameters.

        Args:
            inputs: (N, …), this process's share of the batch, on its device.
            targets: of these inputs, on the CPU.
            truth: the same targets, not mixed.
            sizes: the images of each process.
            signal: the number of a signal that this process received; 0 for none.
        """
        self.buffers.keep()
        while True:
            own = self._attempt(inputs, targets, truth, sizes)
            step = self._agreed(own, sizes, signal)
            if step is not None:
                return step
            self._undo_and_halve(sizes)

    def _attempt(self, inputs: Tensor, targets: Targets, truth: Targets, sizes: list[int]) -> _Pass | None:
        """A pass over the batch; None, without a hold on its maps, where memory ran out and smaller parts may do."""
        try:
            return self._forward_and_back(inputs, targets, truth, sizes)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or self._joined_norms or self._parts(sizes).halved() is None:
                raise
        return None  # only here is the error gone, and with it its hold

    def _forward_and_back(self, inputs: Tensor, targets: Targets, truth: Targets, sizes: list[int]) -> _Pass:
        run, device, count = self._run, self._run.machine.device, self._parts(sizes).count
        rng = generator(
            run.recipe.training.seed, Stream.STEP, epoch=run.processes.rank, sample=self._state.progress.step
        )
        torch.manual_seed(int(rng.integers(2**63)))  # dropout: other masks in each process, of any epoch
        mass = self._objective.mass(targets)
        whole = mass if run.processes.world == 1 else sum(sizes)  # corrected once the mass of all processes is known
        values = torch.zeros(2, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
        parts = inputs.tensor_split(count), split_targets(targets, count), split_targets(truth, count)
        for some, wanted, true in zip(*parts, strict=True):
            with run.machine.autocast():
                mean, outputs = self._objective(some, to_device(wanted, device))
            loss = mean * (self._objective.mass(wanted) / whole)
            with self._faster:
                loss.backward()
            scores = run.task.image_scores(outputs.detach(), to_device(true, device))
            values += torch.stack([loss.detach(), scores.sum()])
        return _Pass(mass, values)

    def _agreed(self, own: _Pass | None, sizes: list[int], signal: int) -> Step | None:
        """What all processes found; None where memory ran out in one of them. The device is read once."""
        processes, images = self._run.processes, sum(sizes)
        if processes.world == 1:
            if own is None:
                return None
            loss, score = own.values.tolist()
            return Step(images, loss, score, signal)
        found = torch.zeros(processes.world, 5, device=self._run.machine.device)
        if own is None:
            found[processes.rank, 0] = 1
        else:
            found[processes.rank, 1] = own.mass
            found[processes.rank, 2:4] = own.values
        found[processes.rank, 4] = signal
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        statistics = [value for norm in self._own_norms for value in (norm.running_mean, norm.running_var)]
        averages = [value * (sizes[processes.rank] / images) for value in statistics if value is not None]
        processes.add_([*gradients, *averages, found])
        failed, masses, losses, scores, signals = found.T.tolist()
        if any(failed):
            return None
        self._take_averages(averages)
        correction = images / sum(masses)  # 1 where every image counts alike
        if correction != 1:
            torch._foreach_mul_(gradients, correction)
        return Step(images, sum(losses) * correction, sum(scores), int(max(signals)))

    def _take_averages(self, averages: list[Tensor]) -> None:
        """Gives the running averages of batch norm, which each process took of its own images, those of all."""
        remaining = iter(averages)
        for norm in self._own_norms:
            for value in (norm.running_mean, norm.running_var):
                if value is not None:
                    average = next(remaining)
                    if norm.training:  # the others keep theirs to the bit
                        value.copy_(average)

    def _undo_and_halve(self, sizes: list[int]) -> None:
        """Lets half as many images through the network at a time, from here on."""
        progress, parts = self._state.progress, self._parts(sizes)
        smaller = parts.halved()
        half = progress.part_size = None if smaller is None else smaller.part_size
        self._state.optimizer.zero_grad()
        self.buffers.undo()
        if self._run.machine.device.type == "cuda":
            torch.cuda.empty_cache()
        self._run.reporter.info(
            f"out of memory at step {progress.step} with {parts.at_a_time} images at a time: "
            f"from here on {half}, whose gradients are added. The effective batch stays the same; "
            f"batch norm sees {half}."
        )

    def _parts(self, sizes: list[int]) -> Parts:
        return Parts(sizes, self._state.progress.part_size, lambda: self._least_batch)

    @cached_property
    def _least_batch(self) -> int:
        run = self._run
        return least_batch(run.network, run.arguments, run.task, run.preprocessing.input_size)
