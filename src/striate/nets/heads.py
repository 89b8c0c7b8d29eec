"""Heads: the layer that makes a network's logits, and how to put another in its place.

Every net names its head, `head`, and any further layers with as many outputs as there are classes, `other_heads`: those
of side branches, or of scores that are added up. Nothing has to search a network for them.
"""

from typing import Any, Protocol, runtime_checkable

from torch import nn

from striate.errors import UsageError, nearest
from striate.layers.cosine import Cosine

KINDS = ("linear", "mlp", "cosine")
HIDDEN = 128  # units of a perceptron, unless told otherwise


class Perceptron(nn.Sequential):
    """Two linear layers with a relu between them."""

    def __init__(self, in_features: int, num_classes: int, hidden: int = HIDDEN) -> None:
        super().__init__(nn.Linear(in_features, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))
        self.in_features = in_features


@runtime_checkable
class Resizable(Protocol):
    """A head of its own kind, which can make another like itself."""

    def resized(self, num_classes: int) -> nn.Module:
        """A new head that differs in the number of its outputs alone."""
        ...


def heads_of(net: nn.Module) -> tuple[str, ...]:
    """The names of all layers with as many outputs as there are classes, the head first.

    >>> from striate.nets import create
    >>> heads_of(create("resnet18")), heads_of(create("googlenet"))
    (('fc',), ('fc', 'aux1.fc2', 'aux2.fc2'))
    """
    head: str = getattr(net, "head", "")
    others: tuple[str, ...] = getattr(net, "other_heads", ())
    return (head, *others) if head else ()


def takes_vectors(net: nn.Module) -> bool:
    """Whether the head makes logits of vectors (N, D) and nothing follows it, so that it can be fitted by itself."""
    heads = heads_of(net)
    return bool(heads) and type(net.get_submodule(heads[0])) in (nn.Linear, Perceptron, Cosine)


def make_head(kind: str, in_features: int, num_classes: int, hidden: int = HIDDEN) -> nn.Module:
    """A new head on vectors (N, in_features), with initial values drawn from PyTorch's global generator.

    Args:
        kind: one of `KINDS`.
        hidden: units of a perceptron.

    Raises:
        UsageError: `kind` is not one of `KINDS`.
    """
    _require_kind(kind)
    if kind == "mlp":
        return Perceptron(in_features, num_classes, hidden)
    return Cosine(in_features, num_classes) if kind == "cosine" else nn.Linear(in_features, num_classes)


def replace_head(net: nn.Module, num_classes: int, kind: str = "linear", hidden: int = HIDDEN) -> None:
    """Gives a net a new head; every other parameter stays as it is.

    Further layers with one output a class are replaced too, and stay what they are in all but that number.

    Args:
        net: changed in place. Names of parameters stay, unless `kind` is another.
        num_classes: at least 1.
        kind: one of `KINDS`; a head that is a convolution can become "linear" or "mlp", still as convolutions.
        hidden: units of a perceptron.

    Raises:
        UsageError: the net names no head, or its head cannot be of that kind.

    >>> from striate.nets import create
    >>> net = create("mobilenet_v2")
    >>> replace_head(net, 7)
    >>> net.classifier
    Sequential(
      (0): Dropout(p=0.2, inplace=False)
      (1): Linear(in_features=1280, out_features=7, bias=True)
    )
    """
    _require_kind(kind)
    if not heads_of(net):
        raise UsageError(
            f"`{type(net).__name__}`: expected a network that names its head; got one without `head`. "
            "Try one of the catalogue."
        )
    head, *others = heads_of(net)
    replaced = {head: _like(net.get_submodule(head), num_classes, kind, hidden)}
    replaced |= {name: _like(net.get_submodule(name), num_classes, "linear", hidden) for name in others}
    for name, layer in replaced.items():
        old = next(net.get_submodule(name).parameters())
        net.set_submodule(name, layer.to(old.device, old.dtype).train(net.training))


def _like(old: nn.Module, num_classes: int, kind: str, hidden: int) -> nn.Module:
    """A layer in place of `old`, with other outputs."""
    if isinstance(old, Resizable) and kind == "linear":
        return old.resized(num_classes)
    if isinstance(old, nn.Conv2d) and kind != "cosine":
        return _convolution(old, num_classes) if kind == "linear" else _convolutions(old, num_classes, hidden)
    if isinstance(old, nn.Linear) and kind == "linear":
        return type(old)(old.in_features, num_classes, bias=old.bias is not None)
    if isinstance(old, nn.Linear | Perceptron | Cosine):
        return make_head(kind, old.in_features, num_classes, hidden)
    possible = ["linear", "mlp"] if isinstance(old, nn.Conv2d) else ["linear"]
    raise UsageError(
        f"`head`: expected {' or '.join(possible)} in the place of {type(old).__name__}; got {kind}. "
        "Try `headed`, which puts any head on the maps of a net."
    )


def _convolution(old: nn.Conv2d, out_channels: int) -> nn.Conv2d:
    """A convolution that differs from another in its output channels alone."""
    geometry: dict[str, Any] = {key: getattr(old, key) for key in ("kernel_size", "stride", "padding")}
    return nn.Conv2d(old.in_channels, out_channels, **geometry, bias=old.bias is not None)


def _convolutions(old: nn.Conv2d, out_channels: int, hidden: int) -> nn.Sequential:
    """A convolution to `hidden` channels and a 1x1 convolution from there: one perceptron at each place."""
    return nn.Sequential(_convolution(old, hidden), nn.ReLU(), nn.Conv2d(hidden, out_channels, 1))


def _require_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UsageError(f"`head`: expected linear, mlp or cosine; got {kind!r}. {nearest(kind, KINDS)}")
