"""Networks without memory: built and run on the meta device, where tensors have a shape and no numbers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from striate.graph.shapes import result_of

META = torch.device("meta")
INITIALISERS = frozenset({"normal_", "uniform_", "fill_", "zero_", "random_", "exponential_", "erfinv_"})


class QuickMode(TorchDispatchMode):
    """A mode that does not import PyTorch's compiler, which takes longer than most networks."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class Shapes(QuickMode):
    """Runs operations on meta tensors by shape alone."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return result_of(operation, name_of(operation), args, kwargs or {})


class _WithoutValues(QuickMode):
    """Leaves out the drawing of initial values, which a meta tensor cannot hold."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        target = args[0] if args else None
        if name_of(operation) in INITIALISERS and isinstance(target, Tensor) and target.device == META:
            return target
        return operation(*args, **(kwargs or {}))


def name_of(operation: Any) -> str:
    """Such as `convolution`; with the library before it where it is not PyTorch's own."""
    library, name = operation._schema.name.split("::")
    return str(name if library in ("aten", "prims") else f"{library}::{name}")


def build(make: Callable[[], nn.Module]) -> nn.Module:
    """The module that `make` returns, with no memory for its weights, as far as its constructor allows.

    A constructor that computes with numbers of its tensors is run as it is, and its module emptied afterwards.
    """
    try:
        with META, _WithoutValues():
            return make()
    except (NotImplementedError, RuntimeError) as error:
        if "meta" not in str(error).lower():
            raise
        return make().to(META)


@contextmanager
def mode_of(net: nn.Module, *, training: bool) -> Iterator[None]:
    """Runs a network in training or evaluation mode, and puts every module back into its own afterwards."""
    before = {module: module.training for module in net.modules()}
    net.train(training)
    try:
        yield
    finally:
        for module, was in before.items():
            module.training = was


class Memory(Shapes):
    """Runs operations by shape alone, and measures how many bytes of their results live at once."""

    def __init__(self, net: nn.Module, images: Tensor) -> None:
        super().__init__()
        self._owned = {_identity(tensor) for tensor in (*net.parameters(), *net.buffers())}
        self._living: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0
        self._notice([images])

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = super().__torch_dispatch__(operation, types, args, kwargs)
        self._notice(out if isinstance(out, list | tuple) else [out])
        return out

    def _notice(self, results: Any) -> None:
        for tensor in results:
            if isinstance(tensor, Tensor) and (key := _identity(tensor)) not in self._owned:
                storage = tensor.untyped_storage()
                self._living[key] = StorageWeakRef(storage), storage.nbytes()
        if not torch.is_grad_enabled():  # nothing is kept for a backward pass: few live at once
            self.peak = max(self.peak, self.living())

    def living(self) -> int:
        """Bytes that live now."""
        self._living = {key: (ref, size) for key, (ref, size) in self._living.items() if not ref.expired()}
        return sum(size for _, size in self._living.values())


def _identity(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
