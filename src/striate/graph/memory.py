"""How many bytes live at once while a network runs, and what one more image adds in training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from striate.graph.macs import WITH_COST, macs_of
from striate.graph.meta import Shapes, name_of
from striate.graph.op_rules import arguments_of, tensors_in

FEW = (2, 3)  # images: batch norm in training asks for more than one


class Memory(Shapes):
    """Runs operations by shape alone, and measures how many bytes of their results live at once.

    Args:
        net: its parameters and buffers do not count.
        inputs: these do.
    """

    def __init__(self, net: nn.Module, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self._owned = {_identity(tensor) for tensor in (*net.parameters(), *net.buffers())}
        self._living: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0
        self._note(inputs)

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = super().__torch_dispatch__(operation, types, args, kwargs)
        self._note(out if isinstance(out, list | tuple) else [out])
        return out

    def _note(self, results: Any) -> None:
        for tensor in results:
            if isinstance(tensor, Tensor) and (key := _identity(tensor)) not in self._owned:
                storage = tensor.untyped_storage()
                self._living[key] = StorageWeakRef(storage), storage.nbytes()
        if not torch.is_grad_enabled():  # nothing is kept for a backward pass: few live at once
            self.peak = max(self.peak, self.living())

    def living(self) -> int:
        """How many bytes live now."""
        self._living = {key: (ref, size) for key, (ref, size) in self._living.items() if not ref.expired()}
        return sum(size for _, size in self._living.values())


class _Counter(Memory):
    """Counts multiplications as well."""

    macs = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = super().__torch_dispatch__(operation, types, args, kwargs)
        name = name_of(operation)
        if name in WITH_COST:
            self.macs += macs_of(name, arguments_of(operation, args, kwargs), next(iter(tensors_in(out))))[0]
        return out


@dataclass(frozen=True)
class TrainingCost:
    """What one more image adds to the forward pass of training."""

    macs: int
    """Multiplications; see `striate.graph.macs`."""

    kept_bytes: int
    """What is held for the backward pass when the forward pass is done: inputs, outputs and all that lies between."""


def training_cost(
    net: nn.Module, forward: Callable[..., Any], inputs: Callable[[int], Sequence[Tensor]]
) -> TrainingCost:
    """What one more image costs in training, with no arithmetic done and no memory taken.

    Args:
        net: on the meta device, in training mode.
        forward: what is called, the net or a part of it.
        inputs: makes those of N images, on the meta device.

    Raises:
        RuntimeError: the shapes do not fit, as PyTorch or `striate.graph.shapes` says.
    """
    macs, living = [], []
    for count in FEW:
        with Shapes():
            given = inputs(count)
        with torch.enable_grad(), _Counter(net, given) as counter:
            output = forward(*given)
            living.append(counter.living())
        macs.append(counter.macs)
        del output, given
    return TrainingCost(macs[1] - macs[0], living[1] - living[0])


def _identity(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
