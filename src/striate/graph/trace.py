"""Runs a network once without numbers and writes down every operation that an image passes."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from striate.arithmetic import replaced_dense_params, unseen_pixels
from striate.graph.kinds import kind_of
from striate.graph.layers import Layer
from striate.graph.layout import Field
from striate.graph.macs import CONSTANT, FREE, SILENT, WITH_COST, macs_of
from striate.graph.meta import Memory, name_of
from striate.graph.op_rules import ELEMENTWISE, PRODUCTS, RULES, WINDOWS, Arguments, operands, tensors_in, window_of

CHANGES_IN_PLACE = frozenset(ELEMENTWISE.split())
PADDED = "constant_pad_nd"


@dataclass(frozen=True)
class State:
    """What is known of a tensor that depends on the image."""

    number: int
    field: Field | None
    depth: int


@dataclass
class Operation:
    """One operation of a step, with its arguments by name and its first result."""

    name: str
    arguments: Arguments
    out: Tensor
    read: list[State]
    state: State
    weighted: bool


@dataclass
class Step:
    """One call in the network's code: a function or operator, and all the operations that it makes."""

    where: str
    function: str
    operations: list[Operation] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)


@dataclass
class Reader:
    """A layer that reads a tensor through windows."""

    layer: Layer
    unseen: tuple[set[int], set[int]]


class Trace(Memory):
    """The mode that sees every operation.

    Args:
        net: on the meta device.
        images: (1, C, H, W), on the meta device.
    """

    def __init__(self, net: nn.Module, images: Tensor) -> None:
        super().__init__(net, images)
        self.layers: list[Layer] = []
        self.uncounted: Counter[str] = Counter()
        self.unfollowed: Counter[str] = Counter()
        self.unused = {name: parameter.numel() for name, parameter in net.named_parameters()}
        self.path = [""]
        self._leaves = {name for name, module in net.named_modules() if not any(module.children())}
        self._open: Step | None = None
        self._sources = WeakTensorKeyDictionary()  # parameters, and what is made of parameters alone
        for name, parameter in net.named_parameters():
            self._sources[parameter] = {name}
        self._states = WeakTensorKeyDictionary()
        self._states[images] = State(0, Field.of_images(images.shape), 0)
        self._readers: dict[int, list[Reader | None]] = {0: []}  # None reads every pixel

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        schema = operation._schema.arguments
        a: Arguments = {argument.name: argument.default_value for argument in schema}
        a |= dict(zip(a, args, strict=False)) | (kwargs or {})
        given = [tensor for value in a.values() for tensor in tensors_in(value)]
        read = [state for tensor in given if (state := self._states.get(tensor)) is not None]
        sources: set[str] = set().union(*(self._sources.get(tensor, ()) for tensor in given))
        name = name_of(operation)
        fields = {id(tensor): self._states[tensor].field for tensor in given if tensor in self._states}
        out = super().__torch_dispatch__(operation, types, args, kwargs)
        results = list(tensors_in(out))
        if not read or name in CONSTANT:
            for tensor in results if sources else []:
                self._sources[tensor] = sources
        elif results:
            self._write_down(name, a, read, results, fields, sources)
            for argument in schema:
                if argument.alias_info is not None and argument.alias_info.is_write:
                    self._lose_base(name, a[argument.name], read)
        return out

    def _write_down(
        self,
        name: str,
        a: Arguments,
        read: list[State],
        results: list[Tensor],
        fields: dict[int, Field | None],
        sources: set[str],
    ) -> None:
        weighted = bool(name in WITH_COST and self._weights(name, a))
        already = self._open is not None and any(o.weighted for o in self._open.operations)
        depth = max(state.depth for state in read) + (weighted and not already)
        rule = RULES.get(name)
        known = all(state.field is not None for state in read)
        for number, tensor in enumerate(results):
            followed = rule(a, lambda t: fields.get(id(t)), tensor) if rule and known else None
            state = State(len(self._readers), followed, depth)
            self._readers[state.number] = [None] if name == PADDED else []
            self._states[tensor] = state
            if number == 0:
                first = Operation(name, a, tensor, read, state, weighted)
                if known and followed is None:
                    self.unfollowed[self._place(name)] += 1
        if name not in FREE and name not in WITH_COST:
            self.uncounted[self._place(name)] += 1
        with ExitStack() as stack:
            if self._open is None:  # an operation that no function called
                self.begin(name)
                stack.callback(self.end)
            step = self._open
            if step is not None:
                step.operations.append(first)
                step.sources |= sources

    def _weights(self, name: str, a: Arguments) -> bool:
        """Whether one side of a product is learnt and the other is not."""
        if name == "convolution":
            return a["weight"] in self._sources
        return name in PRODUCTS.split() and any(operand in self._sources for operand in operands(a))

    def _lose_base(self, name: str, target: object, read: list[State]) -> None:
        """What is written into a part of a tensor changes what the whole of it reads, in a way that is not followed."""
        for tensor in tensors_in(target):
            base = tensor._base
            if base is not None:
                depth = max(state.depth for state in read)
                number = len(self._readers)
                self._readers[number] = [None]
                self._states[base] = State(number, None, depth)
                self.unfollowed[self._place(name)] += 1

    def _place(self, operation: str) -> str:
        return f"{operation} in {self.path[-1] or 'forward'}"

    def begin(self, function: str) -> bool:
        """Opens a step, unless one is open."""
        if self._open is not None:
            return False
        self._open = Step(self.path[-1], function)
        return True

    def end(self) -> None:
        """Closes the open step and makes a layer of what it did."""
        step, self._open = self._open, None
        if step is None or not step.operations:
            return
        main = next((o for o in step.operations if o.name in WITH_COST), None)
        main = main or next((o for o in step.operations if o.name not in SILENT), None)
        layer = self._layer(step, main) if main else None
        for operation in step.operations:
            for state in operation.read:
                self._readers[state.number].append(self._reader(layer, operation))

    def _layer(self, step: Step, main: Operation) -> Layer:
        last = step.operations[-1]
        costs = [macs_of(o.name, o.arguments, o.out) for o in step.operations if o.name in WITH_COST]
        macs, biases = (sum(numbers) for numbers in zip(*costs, strict=True)) if costs else (0, 0)
        if costs and not biases and any(o.name in ("add", "add_") for o in step.operations):
            biases = last.out.numel()  # a dense layer on tokens adds its bias apart
        window = _window(main)
        followed = last.state.field
        sides = followed.sides(range(len(followed.layout))) if followed else set()
        named = step.where in self._leaves and bool(step.where)
        layer = Layer(
            name=step.where if named else f"{step.where} {step.function}".strip(),
            kind=kind_of(main.name, main.arguments, step.function, window, main.weighted)
            if len(costs) < 2
            else step.function.replace("_", " "),
            shape=tuple(last.out.shape[last.out.shape[:1] == (1,) :]),
            activations=last.out.numel(),
            parameters=sum(self.unused.pop(name, 0) for name in sorted(step.sources)),
            macs=macs,
            multiply_adds=macs + biases,
            receptive_field=(followed.axes[0].size, followed.axes[1].size) if followed else None,
            jump=_jump(followed) if followed and len(sides) == 2 else None,
            spans=_centre(followed) if followed else None,
            weighted=any(o.weighted for o in step.operations),
            depth=last.state.depth,
            window=window,
            channels=_channels(main) if main.weighted else None,
            elementwise=all(o.name in CHANGES_IN_PLACE | SILENT for o in step.operations) and len(main.read) == 1,
        )
        if main.name == "convolution" and main.weighted and len(window) > 1 and layer.channels:
            n_in, n_out, _ = layer.channels
            output_size = (last.out.shape[-2], last.out.shape[-1])
            layer.dense_equivalent = sum(replaced_dense_params(n_in, n_out, window["input_size"], output_size))
        self.layers.append(layer)
        return layer

    def _reader(self, layer: Layer | None, operation: Operation) -> Reader | None:
        if layer is None or operation.name not in WINDOWS or operation.arguments.get("transposed"):
            return None
        if operation.out.dim() != 4:
            return None
        rows, columns = (
            _unseen(n, out, *numbers)
            for n, out, *numbers in zip(
                _input(operation).shape[-2:], operation.out.shape[-2:], *window_of(operation.arguments), strict=True
            )
        )
        return Reader(layer, (rows, columns))

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


class Calls(TorchFunctionMode):
    """Tells a trace where one call of the network's code begins and ends."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        opened = self.trace.begin(getattr(function, "__name__", str(function)).strip("_"))
        try:
            return function(*args, **(kwargs or {}))
        finally:
            if opened:
                self.trace.end()


def _input(operation: Operation) -> Tensor:
    tensor: Tensor = operation.arguments["input" if "input" in operation.arguments else "self"]
    return tensor


def _window(main: Operation) -> dict[str, tuple[int, int]]:
    """The numbers of a convolution or pooling in two dimensions."""
    if main.name not in WINDOWS or main.out.dim() != 4:
        return {}
    kernel_size, stride, padding, dilation = window_of(main.arguments)
    h, w = _input(main).shape[-2:]
    return {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "input_size": (h, w),
    }


def _channels(main: Operation) -> tuple[int, int, int] | None:
    """In, out, groups."""
    if main.name != "convolution":
        rows = operands(main.arguments)[0]
        return rows.shape[-1], main.out.shape[-1], 1
    weight, groups = main.arguments["weight"], main.arguments["groups"]
    first, second = weight.shape[0], weight.shape[1] * groups
    return (first, second, groups) if main.arguments["transposed"] else (second, first, groups)


def _jump(followed: Field) -> tuple[float, float]:
    rows, columns = (int(jump) if jump.denominator == 1 else float(jump) for jump in (a.jump for a in followed.axes))
    return rows, columns


def _centre(followed: Field) -> tuple[tuple[int, int], tuple[int, int]]:
    rows, columns = (axis.at(axis.count // 2) for axis in followed.axes)
    return rows, columns


def _unseen(n: int, out: int, kernel_size: int, stride: int, padding: int, dilation: int) -> set[int]:
    span = dilation * (kernel_size - 1) + 1
    after = max((out - 1) * stride + span - n - padding, padding)  # more than `padding` where pooling rounds up
    return set(unseen_pixels(n, kernel_size, stride, (padding, after), dilation))
