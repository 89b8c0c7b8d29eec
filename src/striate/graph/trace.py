"""Runs a network once without values, and notes every operation that an image passes."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from striate.arithmetic import replaced_dense_params, unseen_pixels
from striate.errors import StriateError, UsageError
from striate.graph.kinds import kind_of
from striate.graph.layers import Layer, centre, channels, input_of, jump, window
from striate.graph.layout import ReceptiveFields
from striate.graph.macs import CONSTANT, FREE, SILENT, WITH_COST, macs_of
from striate.graph.memory import Memory
from striate.graph.meta import mode_of, name_of
from striate.graph.op_rules import (
    ELEMENTWISE,
    PRODUCTS,
    RULES,
    WINDOWS,
    Arguments,
    arguments_of,
    operands,
    tensors_in,
    window_of,
)

CHANGES_IN_PLACE = frozenset(ELEMENTWISE.split())
PADDED = "constant_pad_nd"
FAILURES = (RuntimeError, NotImplementedError, ValueError, TypeError, IndexError, AttributeError, KeyError)
"""What a network's code may raise on images that it cannot take."""


@dataclass(frozen=True)
class Activation:
    """What is known of a tensor that depends on the image."""

    number: int
    fields: ReceptiveFields | None
    depth: int
    """Weighted layers on the longest way from the image."""


@dataclass
class Operation:
    """One operation of a call, with its arguments by name and its first result."""

    name: str
    arguments: Arguments
    out: Tensor
    read: list[Activation]
    result: Activation
    weighted: bool


@dataclass
class Call:
    """One call in the network's code, to a function or an operator, and all the operations that it makes."""

    module: str
    function: str
    operations: list[Operation] = field(default_factory=list)
    parameters: set[str] = field(default_factory=set)


@dataclass
class WindowReader:
    """A layer that reads a tensor through windows."""

    layer: Layer
    unseen: tuple[set[int], set[int]]


def trace(net: nn.Module, images: Tensor) -> "Trace":
    """Runs a network in evaluation mode, and gives what was seen of it.

    Args:
        net: on the meta device.
        images: (1, C, H, W), on the meta device.

    Raises:
        UsageError: if the network cannot run on such an image, or looks at the values of tensors.
    """
    seen = Trace(net, images)
    try:
        with mode_of(net, training=False), torch.no_grad(), _named_modules(net, seen.path), _Calls(seen), seen:
            net(images)
    except StriateError:
        raise
    except FAILURES as error:
        where = f"`{seen.path[-1]}`" if seen.path[-1] else "its forward"
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "Try another --img-size or --in-channels."
        if "meta" in reason.lower() or "item()" in reason:
            hint = "Its code looks at values, and here tensors have shapes only."
        raise UsageError(
            f"{type(net).__name__}: expected a network that takes images {tuple(images.shape)}; {where} failed: "
            f"{reason.rstrip('.')}. {hint}"
        ) from error
    seen.find_unseen()
    return seen


class Trace(Memory):
    """The mode that sees every operation.

    Args:
        net: on the meta device.
        images: (1, C, H, W), on the meta device.
    """

    def __init__(self, net: nn.Module, images: Tensor) -> None:
        super().__init__(net, [images])
        self.layers: list[Layer] = []
        self.uncounted: Counter[str] = Counter()
        """Operations whose multiplications are not known."""
        self.unfollowed: Counter[str] = Counter()
        """Operations after which receptive fields are not known."""
        self.unused = {name: parameter.numel() for name, parameter in net.named_parameters()}
        """Parameters that no operation has used yet."""
        self.path = [""]
        """The names of the modules that run now."""
        self._leaves = {name for name, module in net.named_modules() if not any(module.children())}
        self._open: Call | None = None
        self._sources = WeakTensorKeyDictionary()  # parameters, and what is made of parameters alone
        for name, parameter in net.named_parameters():
            self._sources[parameter] = {name}
        self._activations = WeakTensorKeyDictionary()
        self._activations[images] = Activation(0, ReceptiveFields.of_images(images.shape), 0)
        self._readers: dict[int, list[WindowReader | None]] = {0: []}  # None reads every pixel

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        a = arguments_of(operation, args, kwargs)
        given = [tensor for value in a.values() for tensor in tensors_in(value)]
        read = {id(tensor): found for tensor in given if (found := self._activations.get(tensor)) is not None}
        sources: set[str] = set().union(*(self._sources.get(tensor, ()) for tensor in given))
        name = name_of(operation)
        out = super().__torch_dispatch__(operation, types, args, kwargs)
        results = list(tensors_in(out))
        if not read or name in CONSTANT:
            for tensor in results if sources else []:
                self._sources[tensor] = sources
        elif results:
            self._note_operation(name, a, read, results, sources)
            for argument in operation._schema.arguments:
                if argument.alias_info is not None and argument.alias_info.is_write:
                    self._lose_base(name, a[argument.name], read)
        return out

    def _note_operation(
        self, name: str, a: Arguments, read: dict[int, Activation], results: list[Tensor], sources: set[str]
    ) -> None:
        weighted = bool(name in WITH_COST and self._has_weights(name, a))
        already = self._open is not None and any(o.weighted for o in self._open.operations)
        depth = max(each.depth for each in read.values()) + (weighted and not already)
        rule = RULES.get(name) if all(each.fields is not None for each in read.values()) else None
        found = []
        for tensor in results:
            fields = rule(a, lambda t: read[id(t)].fields if id(t) in read else None, tensor) if rule else None
            activation = Activation(len(self._readers), fields, depth)
            self._readers[activation.number] = [None] if name == PADDED else []
            self._activations[tensor] = activation
            found.append(activation)
        if found[0].fields is None and all(each.fields is not None for each in read.values()):
            self.unfollowed[self._place(name)] += 1
        if name not in FREE and name not in WITH_COST:
            self.uncounted[self._place(name)] += 1
        with ExitStack() as stack:
            if self._open is None:  # an operation that no function called
                self.begin(name)
                stack.callback(self.end)
            if self._open is not None:
                operands_read = [read[id(t)] for value in a.values() for t in tensors_in(value) if id(t) in read]
                operation = Operation(name, a, results[0], operands_read, found[0], weighted)
                self._open.operations.append(operation)
                self._open.parameters |= sources

    def _has_weights(self, name: str, a: Arguments) -> bool:
        """Whether one side of a product is learnt and the other is not."""
        if name == "convolution":
            return a["weight"] in self._sources
        return name in PRODUCTS.split() and any(operand in self._sources for operand in operands(a))

    def _lose_base(self, name: str, target: object, read: dict[int, Activation]) -> None:
        """What is written into a part of a tensor changes what the whole of it reads, in a way that is not followed."""
        for tensor in tensors_in(target):
            base = tensor._base
            if base is not None:
                number = len(self._readers)
                self._readers[number] = [None]
                self._activations[base] = Activation(number, None, max(each.depth for each in read.values()))
                self.unfollowed[self._place(name)] += 1

    def _place(self, operation: str) -> str:
        return f"{operation} in {self.path[-1] or 'forward'}"

    def begin(self, function: str) -> bool:
        """Opens a call, unless one is open."""
        if self._open is not None:
            return False
        self._open = Call(self.path[-1], function)
        return True

    def end(self) -> None:
        """Closes the open call and makes a layer of what it did."""
        call, self._open = self._open, None
        if call is None or not call.operations:
            return
        main = next((o for o in call.operations if o.name in WITH_COST), None)
        main = main or next((o for o in call.operations if o.name not in SILENT), None)
        layer = self._layer(call, main) if main else None
        if layer is not None:
            self.layers.append(layer)
        for operation in call.operations:
            for activation in operation.read:
                self._readers[activation.number].append(_reader(layer, operation))

    def _layer(self, call: Call, main: Operation) -> Layer:
        last = call.operations[-1]
        costs = [macs_of(o.name, o.arguments, o.out) for o in call.operations if o.name in WITH_COST]
        macs, biases = (sum(numbers) for numbers in zip(*costs, strict=True)) if costs else (0, 0)
        if costs and not biases and any(o.name in ("add", "add_") for o in call.operations):
            biases = last.out.numel()  # a dense layer on tokens adds its bias apart
        geometry = window(main.name, main.arguments, main.out)
        kind = call.function.replace("_", " ")
        if len(costs) < 2:
            kind = kind_of(main.name, main.arguments, call.function, geometry, main.weighted)
        fields = last.result.fields
        sides = fields.sides(range(len(fields.layout))) if fields else set()
        named = call.module in self._leaves and bool(call.module)
        layer = Layer(
            name=call.module if named else f"{call.module} {call.function}".strip(),
            kind=kind,
            shape=tuple(last.out.shape[last.out.shape[:1] == (1,) :]),
            activations=last.out.numel(),
            parameters=sum(self.unused.pop(name, 0) for name in sorted(call.parameters)),
            macs=macs,
            multiply_adds=macs + biases,
            receptive_field=(fields.axes[0].size, fields.axes[1].size) if fields else None,
            jump=jump(fields) if fields and len(sides) == 2 else None,
            spans=centre(fields) if fields else None,
            weighted=any(o.weighted for o in call.operations),
            depth=last.result.depth,
            window=geometry,
            channels=channels(main.name, main.arguments, main.out) if main.weighted else None,
            elementwise=all(o.name in CHANGES_IN_PLACE | SILENT for o in call.operations) and len(main.read) == 1,
        )
        if main.name == "convolution" and geometry and layer.channels:
            n_in, n_out, _ = layer.channels
            output_size = (last.out.shape[-2], last.out.shape[-1])
            layer.dense_equivalent = sum(replaced_dense_params(n_in, n_out, geometry["input_size"], output_size))
        return layer

    def find_unseen(self) -> None:
        """Gives each layer the pixels of its input that no reader of that input sees."""
        for readers in self._readers.values():
            through_windows = [reader for reader in readers if reader is not None]
            if not readers or len(through_windows) < len(readers):
                continue
            rows, columns = (
                len(set.intersection(*(reader.unseen[side] for reader in through_windows))) for side in (0, 1)
            )
            for reader in through_windows:
                reader.layer.unseen = (rows, columns)


class _Calls(TorchFunctionMode):
    """Tells a trace where one call of the network's code begins and ends."""

    def __init__(self, seen: Trace) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        opened = self.seen.begin(getattr(function, "__name__", str(function)).strip("_"))
        try:
            return function(*args, **(kwargs or {}))
        finally:
            if opened:
                self.seen.end()


@contextmanager
def _named_modules(net: nn.Module, path: list[str]) -> Iterator[None]:
    """Keeps `path` at the names of the modules that run now."""

    def enter(name: str) -> Any:
        return lambda _module, _inputs: path.append(name)

    def leave(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        path.pop()

    handles = []
    for name, module in net.named_modules():
        handles += [module.register_forward_pre_hook(enter(name)), module.register_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _reader(layer: Layer | None, operation: Operation) -> WindowReader | None:
    """The layer as a reader through windows; None where it reads every pixel."""
    if layer is None or operation.name not in WINDOWS or operation.arguments.get("transposed"):
        return None
    if operation.out.dim() != 4:
        return None
    sides = zip(
        input_of(operation.arguments).shape[-2:],
        operation.out.shape[-2:],
        *window_of(operation.arguments),
        strict=True,
    )
    rows, columns = (_unseen(n, out, *numbers) for n, out, *numbers in sides)
    return WindowReader(layer, (rows, columns))


def _unseen(n: int, out: int, kernel_size: int, stride: int, padding: int, dilation: int) -> set[int]:
    span = dilation * (kernel_size - 1) + 1
    after = max((out - 1) * stride + span - n - padding, padding)  # more than `padding` where pooling rounds up
    return set(unseen_pixels(n, kernel_size, stride, (padding, after), dilation))
