"""What to do when memory runs out amid a step: undo it, and send the batch through the network in smaller parts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from striate.errors import UsageError
from striate.nets import create
from striate.tasks import Task
from striate.training.run import Run


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python says so, PyTorch on a GPU too, but on a CPU only in its text."""
    if isinstance(error, RuntimeError):
        return "out of memory" in str(error) or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError)


def least_batch(model: str, arguments: dict[str, Any], task: Task, input_size: tuple[int, int, int]) -> int:
    """The fewest images that a network can learn from at a time: 1 or 2.

    2 where a batch norm meets maps of one value, whose variance over one image would be 0.
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


def require_two_a_step(run: Run) -> None:
    """Refuses batches of one image where a batch norm could not learn from them; batches differ by one at most.

    Raises:
        UsageError: if a process would have a batch of one image.
    """
    world, rows, steps = run.processes.world, run.index.rows("train"), len(run.order(0))
    fewest = len(rows) // steps
    if fewest >= 2 * world or least_batch(run.network, run.arguments, run.task, run.preprocessing.input_size) == 1:
        return
    each = f", 2 for each of {world} processes," if world > 1 else ","
    raise UsageError(
        f"`batch_size`: expected {2 * world} images a step or more{each} because {run.network} has a batch norm over "
        f"maps of one value; got {run.recipe.training.images_a_step}, at which {len(rows)} images make a step of "
        f"{fewest if world > 1 else 'one'}. Try {2 * world + 1} or more."
    )


class Buffers:
    """What a forward pass changes in a net, such as the averages of batch norm, and how to undo it."""

    def __init__(self, net: nn.Module) -> None:
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for buffer in net.buffers():
            kinds.setdefault(buffer.dtype, []).append(buffer)
        self._pairs = [(live, [buffer.clone() for buffer in live]) for live in kinds.values()]

    def keep(self) -> None:
        """Notes what they hold."""
        for live, saved in self._pairs:
            torch._foreach_copy_(saved, live)

    def undo(self) -> None:
        """Gives them what they held."""
        for live, saved in self._pairs:
            torch._foreach_copy_(live, saved)


@dataclass(frozen=True)
class Parts:
    """In how many parts a batch goes through the network: one, until memory has run out."""

    sizes: Sequence[int]
    """The images of each process in this batch."""

    part_size: int | None
    """The most images at a time so far; None for all of them."""

    least: Callable[[], int]
    """Gives the fewest images that a part may have."""

    @property
    def count(self) -> int:
        """How many parts, as equal as can be; the same in every process."""
        if self.part_size is None:
            return 1
        return min(math.ceil(max(self.sizes) / self.part_size), min(self.sizes) // self.least())

    @property
    def at_a_time(self) -> int:
        """The most images that go through the network at a time."""
        return math.ceil(max(self.sizes) / self.count)

    def halved(self) -> "Parts | None":
        """Half as many images at a time; None where that makes no more parts."""
        smaller = replace(self, part_size=math.ceil(self.at_a_time / 2))
        return smaller if smaller.count > self.count else None
