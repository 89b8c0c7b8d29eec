"""What a network learns from and is scored on: images, or cached features of its frozen stages."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from torch import Tensor, nn

from striate.data import Batch, Batches, Rows
from striate.tasks import Targets


class Inputs(Protocol):
    """The inputs of a run."""

    def learner(self, net: nn.Module) -> nn.Module:
        """What takes these inputs to outputs: the net, or the part of it that is not frozen, sharing its layers."""
        ...

    def blank(self, count: int) -> Tensor:
        """`count` inputs (N, …) of zeros, on the network's device."""
        ...

    def batches(self, order: Batches, epoch: int, start: int) -> Iterable[Batch]:
        """The batches of an epoch from a step on, a pure function of the arguments."""
        ...

    def transform(self, batch: Batch, targets: Targets, epoch: int) -> tuple[Tensor, Targets]:
        """What the learner is shown of a batch (N, …), on its device, and its targets, on the CPU."""
        ...

    def outputs(self, learner: nn.Module, parts: Sequence[Rows]) -> Iterator[tuple[Tensor, Batch]]:
        """Outputs (N, …) for the images of each part as evaluation sees them, float32 on the CPU, and their batch."""
        ...

    def advice(self, wait_share: float) -> str | None:
        """What to change where the learner waits for its inputs; None where it hardly does."""
        ...
