"""Tensors into a net: all of them, or none and an error that lists what does not fit."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from striate.errors import UsageError, WeightsError
from striate.files import list_names
from striate.nets import heads_of
from striate.tensors import not_finite
from striate.weights.checkpoint import COUNTER
from striate.weights.convert import flattened_channels_first, rescaled_epsilon
from striate.weights.layouts import layout_named
from striate.weights.manifest import Manifest, published, unknown_name
from striate.weights.read import read_tensors
from striate.weights.store import find, named, recognised


def tensors_for(net: nn.Module, tensors: Mapping[str, Tensor], layout: str) -> dict[str, Tensor]:
    """Tensors of a file under the net's names and layouts, with its batch norms' epsilon.

    Args:
        net: for which they are.
        tensors: as the file has them.
        layout: a key of `LAYOUTS`.

    Raises:
        UsageError: there is no such layout.
        WeightsError: the tensors are not named as the layout does.
    """
    known = layout_named(layout)
    converted = known.read(tensors, net)
    if known.epsilon is None:  # as all have it but Keras, whose maps have their channels last
        return converted
    converted = flattened_channels_first(converted, flattened_maps(net))
    own = {name: module.eps for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)}
    return rescaled_epsilon(converted, known.epsilon, own)


def flattened_maps(net: nn.Module) -> dict[str, int]:
    """How many maps are flattened into the input of each linear layer that takes them, by its name."""
    found, maps = {}, 0
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            maps = module.out_channels
        elif isinstance(module, nn.Linear):
            if maps and module.in_features > maps and module.in_features % maps == 0:
                found[name] = maps
            maps = 0  # what follows takes its outputs
    return found


def load_into(net: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Copies tensors into a net, which stays as it was where they do not fit.

    A head (the net's `head` or one of its `other_heads`) for another number of classes keeps its initial values.

    Args:
        net: changed in place; the precision of its parameters stays.
        tensors: by the net's own names.

    Returns:
        A sentence for each head that kept its initial values.

    Raises:
        WeightsError: any other tensor is missing, unexpected or misshapen, or one holds NaN or infinity.
    """
    own = net.state_dict()
    tensors = {name: tensor for name, tensor in tensors.items() if not _is_odd_counter(name, tensor)}
    replaced = _other_heads(net, own, tensors)
    initial = {name for name in own if name.rpartition(".")[0] in replaced}
    missing = [f"{name} is missing" for name in own if name not in tensors and not name.endswith(COUNTER)]
    foreign = [f"{name} is unexpected" for name in tensors if name not in own]
    misshapen = [
        f"{name} is {_shape(tensors[name])} instead of {_shape(own[name])}"
        for name in own
        if name in tensors and name not in initial and tensors[name].shape != own[name].shape
    ]
    problems = missing + foreign + misshapen
    if problems:
        raise WeightsError(f"weights: expected exactly the tensors of the net; {list_names(problems, 6)}.")
    problem = not_finite((name, tensor) for name, tensor in tensors.items() if name not in initial)
    if problem:
        raise WeightsError(f"weights: {problem}.")
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name not in initial:
                own[name].copy_(tensor)
    return tuple(
        f"{head}: the file has {theirs:,} classes and the net {ours:,}; it keeps its initial values."
        for head, (theirs, ours) in replaced.items()
    )


def _other_heads(
    net: nn.Module, own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> dict[str, tuple[int, int]]:
    """(classes of the file, classes of the net) of each layer of the net's heads that differs in those alone."""
    parts = tuple(f"{head}." for head in heads_of(net))
    heads: dict[str, tuple[int, int]] = {}
    for layer, module in net.named_modules():
        if not f"{layer}.".startswith(parts):
            continue
        names = [f"{layer}.{leaf}" for leaf, p in module.named_parameters(recurse=False) if p.ndim]
        pairs = [(tensors[name].shape, own[name].shape) for name in names if name in tensors]
        counts = {(theirs[:1], ours[:1]) for theirs, ours in pairs}
        if len(counts) != 1 or any(len(theirs) == 0 or theirs[1:] != ours[1:] for theirs, ours in pairs):
            continue
        [((theirs_count,), (ours_count,))] = counts
        if theirs_count != ours_count:
            heads[layer] = (theirs_count, ours_count)
    return heads


def _is_odd_counter(name: str, tensor: Tensor) -> bool:
    """Whether it counts batches in another shape than PyTorch does; a net keeps its own count then."""
    return name.endswith(COUNTER) and tensor.ndim > 0


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def load(net: nn.Module, source: str | Path, *, layout: str | None = None, more: Path | None = None) -> tuple[str, ...]:
    """Loads published weights, or those of a file, into a net. Never fetches anything.

    Args:
        net: changed in place.
        source: the name of a manifest, or of a net, whose file is found and verified; or a file, which is taken for
            what its sha256 says, else for a file in `layout`.
        layout: of a file that no manifest knows: a key of `LAYOUTS`; "striate" unless given.
        more: a TOML file with further manifests.

    Returns:
        A sentence for each head that was for another number of classes, and keeps its initial values.

    Raises:
        UsageError: `source` is neither, or there is no such layout.
        WeightsError: the file is not there, not as published, or its tensors are not those of the net.
    """
    manifests = published(more)
    manifest: Manifest | None = named(source, manifests) if isinstance(source, str) else None
    if manifest is not None:
        path = find(manifest)
    else:
        path = Path(source)
        if isinstance(source, str) and not path.exists():
            hint = unknown_name(source, manifests)
            raise UsageError(f"`{source}`: expected the name of published weights, or a file. {hint}")
        manifest = recognised(path, manifests.values())
    known = manifest.layout if manifest else layout or "striate"
    return load_into(net, tensors_for(net, read_tensors(path), known))
