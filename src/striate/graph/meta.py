"""Networks without memory: built and run on the meta device, where tensors have a shape and no values."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
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
    """The name of an operation, such as `convolution`; after that of its library where it is not PyTorch's own."""
    library, name = operation._schema.name.split("::")
    return str(name if library in ("aten", "prims") else f"{library}::{name}")


def build(make: Callable[[], nn.Module]) -> nn.Module:
    """The module that `make` returns, with no memory for its weights, as far as its constructor allows.

    A constructor that computes with values of its tensors is run as it is, and its module emptied afterwards.
    """
    try:
        with META, _WithoutValues():
            return make()
    except (NotImplementedError, RuntimeError) as error:
        if "meta" not in str(error).lower():
            raise
        return make().to(META)


def skeleton(net: nn.Module) -> nn.Module:
    """A copy of a net on the meta device, which takes no memory."""
    tensors = [*net.parameters(), *net.buffers()]
    memo: dict[int, Tensor] = {
        id(t): nn.Parameter(t.to(META), t.requires_grad) if isinstance(t, nn.Parameter) else t.to(META) for t in tensors
    }
    return copy.deepcopy(net, memo)


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
