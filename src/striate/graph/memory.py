"""How many bytes live at once while a network runs, and what one more image adds in training."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.autograd.graph import saved_tensors_hooks
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
        self._living: dict[int, tuple[StorageWeakRef, int]] = {}  # whose number no other gets before it is left out
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
        self.macs += _macs(operation, args, kwargs, out)
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


class CountedParts:
    """What each operation of a graph costs in training, from two runs of all of them by shape alone.

    Args:
        net: on the meta device, in training mode.
        operations: of the net.
        inputs: as in `training_cost`.

    Raises:
        RuntimeError: likewise.
    """

    def __init__(self, net: nn.Module, operations: fx.GraphModule, inputs: Callable[[int], Sequence[Tensor]]) -> None:
        self._runs = []
        for count in FEW:
            with Shapes():
                given = inputs(count)
            with torch.enable_grad(), _PartCounter(net, given) as counter, saved_tensors_hooks(counter.keep, _as_kept):
                _PartByPart(operations, counter).run(*given)
            self._runs.append(counter)

    def cost(self, operations: Collection[str], learning: Collection[str], held: Collection[str]) -> TrainingCost:
        """What one more image costs where some of the operations run.

        Args:
            operations: the names of those that run.
            learning: of these, which a parameter that learns has an influence on: what they need is kept.
            held: of all operations, those whose results are held, whatever needs them.
        """
        few, more = self._runs
        return TrainingCost(
            macs=sum(more.macs[name] - few.macs[name] for name in operations),
            kept_bytes=more.kept_bytes(learning, held) - few.kept_bytes(learning, held),
        )


class _PartCounter(Memory):
    """Counts what each operation of a graph multiplies, gives, and keeps for the backward pass."""

    def __init__(self, net: nn.Module, inputs: Sequence[Tensor]) -> None:
        super().__init__(net, inputs)
        self.part = ""  # the operation that runs
        self.macs = Counter[str]()
        self._kept: dict[str, set[int]] = {}
        self._given: dict[str, set[int]] = {}

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = super().__torch_dispatch__(operation, types, args, kwargs)
        self.macs[self.part] += _macs(operation, args, kwargs, out)
        return out

    def keep(self, tensor: Tensor) -> Tensor:
        """Notes what autograd keeps."""
        self._kept.setdefault(self.part, set()).add(_identity(tensor))
        return tensor

    def give(self, result: Any) -> None:
        """Notes the result of the operation."""
        self._given[self.part] = {_identity(tensor) for tensor in tensors_in(result)}

    def kept_bytes(self, learning: Collection[str], held: Collection[str]) -> int:
        """The bytes of what some operations keep, and of the results of others; what both name counts once."""
        sizes = {key: size for key, (_, size) in self._living.items()}
        found = {key for name in learning for key in self._kept.get(name, ())}
        return sum(sizes.get(key, 0) for key in found.union(*(self._given[name] for name in held)))


class _PartByPart(fx.Interpreter):
    """Runs a graph, and tells a counter which operation runs and what it gives."""

    def __init__(self, operations: fx.GraphModule, counter: _PartCounter) -> None:
        super().__init__(operations)
        self._counter = counter

    def run_node(self, n: fx.Node) -> Any:
        """The result of an operation."""
        self._counter.part = n.name
        result = super().run_node(n)
        self._counter.give(result)
        return result


def _as_kept(tensor: Tensor) -> Tensor:
    return tensor


def _identity(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _macs(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None, out: Any) -> int:
    """The multiplications of an operation."""
    name = name_of(operation)
    if name not in WITH_COST:
        return 0
    return macs_of(name, arguments_of(operation, args, kwargs), next(iter(tensors_in(out))))[0]
