"""The operations of a net's `forward` as a graph, with the shape of each result.

PyTorch's symbolic tracer follows the code once, with stand-ins for tensors. Where the code asks what only a tensor can
tell (is the map smaller than the image? how many maps are there?), the answer is found on the meta device.
"""

from collections.abc import Iterator
from operator import getitem
from typing import Any

import torch
from torch import fx, nn
from torch.fx.node import map_arg

from striate.errors import UsageError
from striate.graph.meta import META, Shapes, skeleton

RANDOM = nn.modules.dropout._DropoutNd  # the base class of all of PyTorch's dropouts


class _Values:
    """The results of all operations for one size of image, without memory or arithmetic."""

    def __init__(self, bare: nn.Module, input_size: tuple[int, int, int]) -> None:
        self.bare = bare
        self.images = torch.empty(2, *input_size, device=META)
        self.known: dict[fx.Node, Any] = {}

    def of(self, node: fx.Node) -> Any:
        """A meta tensor, or whatever else the operation gives."""
        if node not in self.known:
            self.known[node] = self._computed(node)
        return self.known[node]

    def _computed(self, node: fx.Node) -> Any:
        if node.op == "placeholder":
            return self.images
        args, kwargs = map_arg(node.args, self.of), map_arg(node.kwargs, self.of)
        if node.op == "call_function":
            return node.target(*args, **kwargs)  # type: ignore[operator]
        name = str(node.target)
        if node.op == "call_method":
            return getattr(args[0], name)(*args[1:], **kwargs)
        if node.op == "call_module":
            return self.bare.get_submodule(name).forward(*args, **kwargs)  # a call would be traced
        if node.op == "get_attr":
            owner, _, leaf = name.rpartition(".")
            return getattr(self.bare.get_submodule(owner), leaf)
        return args[0]  # the output


class _Proxy(fx.Proxy):
    """A stand-in for a result that knows how many parts it has."""

    tracer: "_Tracer"

    def __len__(self) -> int:
        return len(self.tracer.values.of(self.node))


class _Tracer(fx.Tracer):
    """Takes a module without children as one operation, and answers the questions of control flow."""

    def __init__(self, values: _Values) -> None:
        super().__init__()
        self.values = values
        self._working_out = False

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        """Works out each result at once: those of its inputs are known."""
        node = super().create_node(*args, **kwargs)
        self._working_out = True
        try:
            self.values.of(node)
        finally:
            self._working_out = False
        return node

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """A stand-in for a parameter that the code asks for; a layer that works out its result has the parameter.

        The tracer would look through all parameters of the net for each one that a layer asks for.
        """
        return attr_val if self._working_out else super().getattr(attr, attr_val, parameter_proxy_cache)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """The stand-in for a result."""
        return _Proxy(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one operation."""
        return next(m.children(), None) is None

    def to_bool(self, obj: fx.Proxy) -> bool:
        """The truth value that an `if` asks for."""
        return bool(self.values.of(obj.node))

    def iter(self, obj: fx.Proxy) -> Iterator[fx.Proxy]:
        """The parts that a `for`, or the left side of an assignment, takes a result into."""
        return iter(
            [self.create_proxy("call_function", getitem, (obj, i), {}) for i in range(len(self.values.of(obj.node)))]
        )


class ForwardGraph:
    """A net's graph in evaluation form.

    Args:
        net: one of the catalogue, or any net with `stages` that can be traced; it stays as it is.
        input_size: channels, height and width of its images.

    Raises:
        UsageError: its `forward` cannot be followed.
    """

    def __init__(self, net: nn.Module, input_size: tuple[int, int, int]) -> None:
        self.net = net
        self.stages: tuple[str, ...] = tuple(getattr(net, "stages", ()))
        bare = skeleton(net).eval()
        self._values = _Values(bare, input_size)
        try:
            with torch.no_grad(), Shapes():  # without gradients, as in evaluation, which a net may ask for
                self.graph = _Tracer(self._values).trace(bare)
        except (fx.proxy.TraceError, TypeError, RuntimeError) as error:
            raise UsageError(
                f"`{type(net).__name__}`: expected a network whose forward pass can be followed; {error}. "
                "Try --freeze none."
            ) from error
        self.graph.eliminate_dead_code(lambda node: node.op in ("placeholder", "output"))
        self.nodes = list(self.graph.nodes)
        self._parametric = {node for node in self.nodes if self._has_parameters(node)}
        self._random = {node for node in self.nodes if self._is_random(node)}

    def value(self, node: fx.Node) -> Any:
        """A meta tensor for two images, or whatever else the operation gives."""
        return self._values.of(node)

    def module(self, node: fx.Node) -> nn.Module | None:
        """The module that an operation calls."""
        return self.net.get_submodule(str(node.target)) if node.op == "call_module" else None

    def parameters(self, node: fx.Node) -> bool:
        """Whether an operation has parameters."""
        return node in self._parametric

    def random(self, node: fx.Node) -> bool:
        """Whether an operation is a dropout, which is random in training."""
        return node in self._random

    def _has_parameters(self, node: fx.Node) -> bool:
        module = self.module(node)
        if module is not None:
            return next(module.parameters(), None) is not None
        return node.op == "get_attr" and isinstance(self.value(node), nn.Parameter)

    def _is_random(self, node: fx.Node) -> bool:
        return isinstance(self.module(node), RANDOM) or node.target is nn.functional.dropout
