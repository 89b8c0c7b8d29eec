"""Parts a net in two: what is frozen, and the rest.

What belongs to the frozen part follows from the graph: every operation on which no trained parameter has an influence,
including the activations and the pooling after the last frozen layer. Dropout counts as trained where nothing frozen
comes after it. A few values cross from one part to the other: a single map or vector in a net without skips.
"""

import copy
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from striate.errors import UsageError
from striate.graph.symbolic import ForwardGraph

PLAIN = (bool, int, float, str, tuple, type(None))  # of a layer's settings: kinds that are written the same everywhere


@dataclass(frozen=True)
class Cut:
    """The two parts of a net: `rest(*prefix(images))` are its logits."""

    prefix: "Maps"
    """From images to the values that cross: a copy of the frozen layers, in evaluation mode, without gradients."""

    rest: fx.GraphModule
    """From those values to logits. It shares its layers with the net, so that training it trains the net."""

    shapes: tuple[tuple[int, ...], ...]
    """The shape of each value that crosses, for one image."""


def cut(net: nn.Module, frozen: Sequence[str], input_size: tuple[int, int, int]) -> Cut:
    """Parts a net where its frozen stages end.

    Args:
        net: its `stages` name what can be frozen.
        frozen: the first of these, as `striate.training.freeze.frozen_stages` gives them.
        input_size: channels, height and width of the images; others may not fit the parts.

    Raises:
        UsageError: the net cannot be followed.
    """
    whole = ForwardGraph(net, input_size)
    rest = _rest(whole, frozen)
    crossing = _crossing(whole, rest)
    return Cut(
        Maps(_frozen_layers(whole, [crossing])),
        _rest_module(whole, rest, crossing),
        tuple(tuple(whole.value(node).shape[1:]) for node in crossing),
    )


@dataclass(frozen=True)
class Remainder:
    """What is left of a net behind its frozen stages, by the names that the net's graph has for its operations."""

    operations: frozenset[str]
    learning: frozenset[str]
    """Of the operations, those that trained parameters have an influence on; a dropout before them is none."""

    crossing: dict[str, Tensor]
    """What the operations take: a meta tensor for each value that crosses, of two images."""


def remainder(whole: ForwardGraph, frozen: Sequence[str]) -> Remainder:
    """The rest alone, as `cut` gives it; nothing is copied, which takes most of the time of a cut.

    Args:
        whole: of a net with `stages`.
        frozen: the first of these.
    """
    learning, rest = _learning(whole, frozen), _rest(whole, frozen)
    crossing = _crossing(whole, rest)
    return Remainder(
        frozenset(node.name for node in rest),
        frozenset(node.name for node in learning),
        {node.name: whole.value(node) for node in crossing},
    )


def learning_module(whole: ForwardGraph) -> fx.GraphModule:
    """All that learns where nothing is frozen, which takes what crosses to it; it shares the net's layers."""
    rest = _rest(whole, ())
    return _rest_module(whole, rest, _crossing(whole, rest))


class Prefix(nn.Module):
    """The frozen part of a net, as one traced child `layers`, which gives a list of values for each depth."""

    def __init__(self, layers: fx.GraphModule) -> None:
        super().__init__()
        self.layers = layers


class Maps(Prefix):
    """From images (N, C, H, W) to the values that cross to the rest of the net."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """As many values as the rest takes."""
        [values] = self.layers(images)
        return tuple(values)


class Vectors(Prefix):
    """From images (N, C, H, W) to a float32 vector (N, D) of each depth: what would cross there, averaged over H, W."""

    @property
    def depths(self) -> int:
        """How many vectors an image has."""
        [outputs] = self.layers.graph.output_node().args
        return len(outputs)  # type: ignore[arg-type]  # a list for each depth

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """One vector for each depth."""
        depths: list[list[Tensor]] = self.layers(images)
        return tuple(pooled(values) for values in depths)


def pooled(values: Sequence[Tensor]) -> Tensor:
    """Maps (N, D, H, W), each averaged, and vectors (N, D) as they are, side by side: (N, sum of D), float32."""
    places = [tuple(range(2, value.ndim)) for value in values]  # not flattened, which would copy channels_last maps
    return torch.cat([v.float().mean(dim=p) if p else v.float() for v, p in zip(values, places, strict=True)], dim=1)


def vectors(net: nn.Module, depths: Sequence[str], input_size: tuple[int, int, int]) -> Vectors:
    """The part of a net that gives vectors at some of its depths, in one pass; a copy, in evaluation mode.

    Args:
        net: its `stages` name the depths.
        depths: one or several of `stages`; the vector of the last stage is what the head reads.
        input_size: channels, height and width of the images.

    Raises:
        UsageError: a depth is no stage, or the net cannot be followed.
    """
    whole = ForwardGraph(net, input_size)
    outputs = []
    for depth in depths:
        if depth not in whole.stages:
            raise UsageError(f"`depths`: expected stages of the net ({', '.join(whole.stages)}); got {depth}.")
        crossing = _crossing(whole, _rest(whole, whole.stages[: whole.stages.index(depth) + 1]))
        outputs.append([node for node in crossing if node.op != "placeholder" and _is_float(whole, node)])
    return Vectors(_frozen_layers(whole, outputs))


def fingerprint(prefix: Prefix) -> str:
    """A name for what a frozen part computes: its operations, its layers' settings and every value of their tensors."""
    digest = hashlib.blake2b(digest_size=16)
    for text in (type(prefix).__name__, prefix.layers.code, repr(prefix.layers)):
        digest.update(text.encode())
    for name, layer in prefix.layers.named_modules():
        digest.update(f"{name} {_settings(layer)}".encode())
    for name, tensor in prefix.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _settings(layer: nn.Module) -> list[tuple[str, Any]]:
    """All that a layer holds in plain values; its `repr` leaves some out, as what an average does at the border."""
    return sorted((name, value) for name, value in vars(layer).items() if name[0] != "_" and isinstance(value, PLAIN))


def _is_float(whole: ForwardGraph, node: fx.Node) -> bool:
    return bool(whole.value(node).is_floating_point())


def _within(name: str, stages: Iterable[str]) -> bool:
    return any(name == stage or name.startswith(f"{stage}.") for stage in stages)


def _learning(whole: ForwardGraph, frozen: Sequence[str]) -> set[fx.Node]:
    """The operations that trained parameters have an influence on, and the output."""
    found: set[fx.Node] = set()
    for node in whole.nodes:
        trained = whole.parameters(node) and not _within(str(node.target), frozen)
        if trained or node.op == "output" or not found.isdisjoint(node.all_input_nodes):
            found.add(node)
    return found


def _rest(whole: ForwardGraph, frozen: Sequence[str]) -> set[fx.Node]:
    """The operations that trained parameters, or dropouts before nothing frozen, have an influence on."""
    rest = _learning(whole, frozen)
    feeds_frozen: set[fx.Node] = set()
    for node in reversed(whole.nodes):
        if node not in rest and (whole.parameters(node) or not feeds_frozen.isdisjoint(node.users)):
            feeds_frozen.add(node)
    for node in whole.nodes:
        last = whole.random(node) and node not in feeds_frozen
        if last or not rest.isdisjoint(node.all_input_nodes):
            rest.add(node)
    return rest


def _crossing(whole: ForwardGraph, rest: set[fx.Node]) -> list[fx.Node]:
    """The tensors that the rest needs from the frozen part; it works out anything else, such as a shape, itself."""
    crossing: set[fx.Node] = set()
    asked = list(rest)
    while asked:
        for node in asked.pop().all_input_nodes:
            if node in rest:
                continue
            if isinstance(whole.value(node), Tensor):
                crossing.add(node)
            else:
                rest.add(node)
                asked.append(node)
    for node in whole.nodes:  # what follows from values that cross anyway, without a layer, need not cross too
        follows = node.op != "placeholder" and not whole.parameters(node)
        if node in crossing and follows and crossing.union(rest).issuperset(node.all_input_nodes):
            crossing.remove(node)
            rest.add(node)
    return [node for node in whole.nodes if node in crossing]


def _frozen_layers(whole: ForwardGraph, outputs: Sequence[Sequence[fx.Node]]) -> fx.GraphModule:
    """The operations that lead to `outputs`, with copies of their layers, in evaluation mode and without gradients."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in whole.nodes:
        if node.op == "output":
            continue
        if whole.random(node):  # which leaves its input alone in evaluation
            copies[node] = copies[node.all_input_nodes[0]]
        else:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    groups = [[copies[node] for node in group] for group in outputs]
    graph.output(groups)
    graph.eliminate_dead_code(lambda node: node.op in ("placeholder", "output"))
    return copy.deepcopy(fx.GraphModule(whole.net, graph)).eval().requires_grad_(False)


def _rest_module(whole: ForwardGraph, rest: set[fx.Node], crossing: Sequence[fx.Node]) -> fx.GraphModule:
    """The rest as a module. Dropouts that were functions become modules, so that evaluation mode turns them off."""
    graph = fx.Graph()
    copies = {node: graph.placeholder(node.name) for node in crossing}
    dropouts: dict[str, nn.Module] = {}
    for node in whole.nodes:
        if node not in rest:
            continue
        if node.target is nn.functional.dropout:
            share = node.args[1] if len(node.args) > 1 else node.kwargs.get("p", 0.5)
            dropouts[node.name] = nn.Dropout(float(share)).train(whole.net.training)
            copies[node] = graph.call_module(node.name, (copies[node.all_input_nodes[0]],))
        else:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    return fx.GraphModule(_Root(whole.net, dropouts), graph)


class _Root(nn.Module):
    """A net's own modules, with further ones beside them."""

    def __init__(self, net: nn.Module, more: dict[str, nn.Module]) -> None:
        super().__init__()
        for name, module in (*net.named_children(), *more.items()):
            self.add_module(name, module)
        for name, parameter in net.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, buffer in net.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
