"""Tensors of a file that nobody described: which network they are of, and how they go into it."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
from torch import Tensor, nn

from striate.errors import UsageError, WeightsError
from striate.files import list_names
from striate.nets import heads_of
from striate.weights.checkpoint import COUNTER, is_average, left_out
from striate.weights.keras_layouts import RESNET_NETS
from striate.weights.layouts import LAYOUTS, layout_named
from striate.weights.load import load_into, tensors_for

DEPTH = 6  # of the names of modules that may stand before every name of the network
LEAST_SHARE = 1 / 8  # of the tensors: what stands before fewer is no network, beside students, teachers and queues
LEAVES = ("weight", "bias", "running_mean", "running_var")  # of the tensors of the catalogue's nets
LAYOUTS_OF = {  # of nets that others are alike in their tensors: whose files are taken for theirs
    "mobilenetv1_100": ("striate",),
    **dict.fromkeys(RESNET_NETS, ("keras_resnet", "keras_resnet50_branches")),
    "mobilenet_v2_tf_100": ("keras_mobilenet_v2",),
    "inception_v3_tf": ("keras_inception_v3",),
}
Shapes = Mapping[str, tuple[int, ...]]  # by the names of tensors


class Signature(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the stages of a net of the catalogue are like, so that its weights are known without building it."""

    stages: tuple[str, ...]
    first: str
    """The tensor that sees the images, whose number of channels may differ."""

    heads: tuple[str, ...]
    """The tensors that are in no stage."""

    digest: str
    """`digest_of` its stages."""

    convolutions: str = ""
    """The same of its stages without dense layers, where some are dense, as those of VGG."""


@dataclass(frozen=True)
class Fit:
    """Tensors under a network's own names."""

    tensors: dict[str, Tensor]
    layout: str
    """A key of `LAYOUTS`, by which their names and layouts were converted."""

    prefix: str
    """What stood before each name."""

    left_out: tuple[str, ...]
    """Names of the file that are not the network's."""

    channels: int
    """Of the images that the tensors are for."""

    classes: int
    """How many the head has; 0 where the file has no head."""


def shapes_of(net: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a net, but for the counters of its batch norms."""
    return {name: tuple(t.shape) for name, t in net.state_dict().items() if not name.endswith(COUNTER)}


def signature_of(net: nn.Module) -> Signature:
    """The signature of a net that names its stages."""
    stages = tuple(str(stage) for stage in net.stages)  # type: ignore[union-attr]  # a net says them
    shapes = shapes_of(net)
    first = next(name for name, shape in shapes.items() if len(shape) == 4)
    heads = tuple(name for name in shapes if not name.startswith(tuple(f"{stage}." for stage in stages)))
    convolutions = _convolutions(stages)
    without_dense = digest_of(shapes, convolutions, first) if convolutions else None
    return Signature(stages, first, heads, digest_of(shapes, stages, first) or "", without_dense or "")


def digest_of(shapes: Shapes, stages: tuple[str, ...], first: str) -> str | None:
    """The sha256 of the names and shapes of what is in the stages, whatever the number of the images' channels.

    Args:
        shapes: of a network, or of a file, which may hold other tensors beside.
        stages: names of modules.
        first: the tensor that sees the images.

    Returns:
        None where it is not there.
    """
    if len(shapes.get(first, ())) != 4:
        return None
    inside = tuple(f"{stage}." for stage in stages)
    lines = sorted(
        f"{name} {shape[:1] + shape[2:] if name == first else shape}"
        for name, shape in shapes.items()
        if name.startswith(inside) and name.rpartition(".")[2] in LEAVES  # the others are counters, and of observers
    )
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


@cache
def signatures() -> dict[str, Signature]:
    """Of the nets of the catalogue that are not composed of others, by name.

    Made by `python tests/contracts/test_net_signatures.py`, and held against the nets by it.
    """
    path = Path(__file__).with_name("signatures.json")
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Signature])


def identify(tensors: Mapping[str, Tensor], layout: str | None = None) -> list[str]:
    """The nets of the catalogue whose stages these tensors are; of several, those whose heads are there too."""
    found: dict[str, int] = {}
    for _, read_as, converted in _readings(tensors, layout):
        shapes = {name: tuple(tensor.shape) for name, tensor in converted.items()}
        for name, signature in signatures().items():
            if read_as not in LAYOUTS_OF.get(name, LAYOUTS) or name not in (LAYOUTS[read_as].nets or signatures()):
                continue
            if digest_of(shapes, signature.stages, signature.first) == signature.digest:
                heads = len(signature.heads) if shapes.keys() >= set(signature.heads) else 0
                found[name] = max(heads, found.get(name, 0))
    return [name for name, heads in found.items() if heads == max(found.values())]


def encoder_of(tensors: Mapping[str, Tensor], layout: str | None = None) -> str | None:
    """The net whose convolutions these tensors are, without the dense layers that are stages of it too, as of VGG."""
    readings = [converted for _, _, converted in _readings(tensors, layout)]
    for name, signature in signatures().items():
        stages = _convolutions(signature.stages)
        for converted in readings if signature.convolutions else ():
            found = {key: tuple(tensor.shape) for key, tensor in converted.items()}
            if digest_of(found, stages, signature.first) == signature.convolutions and not _others(found, stages):
                return name
    return None


def _convolutions(stages: tuple[str, ...]) -> tuple[str, ...]:
    """The stages before the dense layers, where some are dense; none where none is."""
    found = tuple(stage for stage in stages if stage.startswith("features."))
    return found if len(found) < len(stages) else ()


def _others(shapes: Shapes, stages: tuple[str, ...]) -> bool:
    """Whether there are more of the layers that are numbered like stages, as a larger net has them."""
    numbered = {name.rpartition(".")[0] for name in shapes if name.startswith("features.")}
    return not numbered <= set(stages)


def _readings(
    tensors: Mapping[str, Tensor], layout: str | None, net: nn.Module | None = None
) -> Iterator[tuple[str, str, dict[str, Tensor]]]:
    """(prefix, layout, tensors under the names that follow) of each way in which the names can be read, for a net."""
    for prefix in _prefixes(tensors):
        inside = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        for name in LAYOUTS if layout is None else (layout,):
            try:
                yield prefix, name, layout_named(name).read(inside, net)
            except (WeightsError, RuntimeError, IndexError):  # they are not named, or not shaped, as the layout does
                continue


def _prefixes(tensors: Mapping[str, Tensor]) -> list[str]:
    """What may stand before the names of the network: nothing, and the modules that hold many of the tensors.

    Those of a moving average come first.
    """
    counts: Counter[str] = Counter()
    for name in tensors:
        parts = name.split(".")[: DEPTH + 1]
        counts.update(".".join(parts[:depth]) + "." for depth in range(1, len(parts)))
    many = [prefix for prefix, count in counts.items() if count > LEAST_SHARE * len(tensors)]
    return ["", *sorted(many, key=lambda prefix: not is_average(prefix.split(".")))]


def fit_to(net: nn.Module, tensors: Mapping[str, Tensor], layout: str | None = None) -> Fit:
    """The tensors of a file under a net's names and layouts, by whatever names and prefix the file has them.

    Args:
        net: of which they shall be.
        tensors: of the file.
        layout: a key of `LAYOUTS`; the one by which most tensors fit unless given.

    Raises:
        UsageError: there is no such layout.
        WeightsError: they are of no net like it.
    """
    if layout is not None:
        layout_named(layout)
    own = shapes_of(net)
    first = next((name for name, shape in own.items() if len(shape) == 4), "")
    best: tuple[int, str, str, dict[str, Tensor]] | None = None
    for prefix, name, converted in _readings(tensors, layout, net):
        hits = sum(name in converted and tuple(converted[name].shape) == shape for name, shape in own.items())
        if best is None or hits > best[0]:
            best = hits, prefix, name, converted
    if best is None or not best[0]:
        got = list_names(f"{name} ({'x'.join(map(str, t.shape))})" for name, t in tensors.items())
        raise WeightsError(f"weights: expected tensors of the network, such as {next(iter(own))}; got {got}.")
    _, prefix, name, converted = best
    inside = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    rescaled = tensors_for(net, inside, name)
    known = set(net.state_dict())
    outside = [each for each in tensors if not each.startswith(prefix)]
    extra = [each for each in rescaled if each not in known and not each.endswith(COUNTER)]
    fitting = {k: t for k, t in rescaled.items() if k in known}
    channels = fitting[first].shape[1] if first in fitting and fitting[first].ndim == 4 else 0
    head = fitting.get(f"{(*heads_of(net), '')[0]}.weight")
    classes = head.shape[0] if head is not None and head.ndim else 0
    return Fit(fitting, name, prefix, (*outside, *extra), channels, classes)


def take(net: nn.Module, fit: Fit) -> tuple[str, ...]:
    """Copies fitted tensors into a net; a head that the file lacks keeps its initial values.

    Returns:
        A sentence for each head that kept its initial values, and one about what was left out.

    Raises:
        WeightsError: tensors of its stages are missing or misshapen, or hold NaN or infinity.
    """
    own, stages = net.state_dict(), tuple(f"{stage}." for stage in getattr(net, "stages", ()))
    heads = [name for name in own if stages and not name.startswith(stages)]
    absent = [name for name in heads if name not in fit.tensors and not name.endswith(COUNTER)]
    said = list(load_into(net, {**{name: own[name] for name in absent}, **fit.tensors}))
    if is_average(fit.prefix.split(".")):
        said.append(f"The tensors under {fit.prefix.rstrip('.')}, a moving average of the weights, are taken.")
    if absent:
        keep = "which keeps its" if len(absent) == 1 else "which keep their"
        said.append(f"The file has no {list_names(absent)}, {keep} initial values.")
    if fit.left_out:
        said.append(left_out(fit.left_out))
    return tuple(said)


def net_of(path: Path, tensors: Mapping[str, Tensor], layout: str | None = None) -> tuple[str, str]:
    """The one net of the catalogue that these tensors are of, and the sentence that says how it was found.

    Args:
        path: of the file, for messages.
        tensors: of the file.
        layout: as in `fit_to`.

    Raises:
        UsageError: they are of no net of the catalogue, or of several that differ in what tensors do not show.
    """
    names = identify(tensors, layout)
    if len(names) == 1:
        return names[0], f"{path.name} is taken for {names[0]}, by the names and shapes of its tensors."
    got = list_names(f"{name} ({'x'.join(map(str, t.shape))})" for name, t in tensors.items())
    if not names:
        raise UsageError(
            f"{path}: expected weights of a net of the catalogue, or a model file; got {len(tensors)} tensors: {got}. "
            "Try --model with the network that they are of."
        )
    raise UsageError(
        f"{path}: expected weights of one net; got some that may be of {list_names(names)}, whose tensors are alike. "
        "Try --model with one of these."
    )
