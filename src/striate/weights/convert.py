"""Foreign names and layouts of tensors as plain functions: a dict of tensors in, a new one out.

Names are `layer.tensor` afterwards, layouts PyTorch's: convolutions OIHW, linear layers (out, in).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import accumulate

import torch
from torch import Tensor

from striate.errors import WeightsError
from striate.files import fit_to_print, list_names

Tensors = Mapping[str, Tensor]
KERAS_EPSILON = 1e-3  # the default of Keras' BatchNormalization


def strip_prefix(tensors: Tensors, prefix: str = "module.") -> dict[str, Tensor]:
    """Names without the prefix that a wrapper (`DataParallel`, for one) has put before each of them.

    Names of which none starts with it are left as they are: a reader may have taken it off.

    Raises:
        WeightsError: some names start with it and others do not.
    """
    others = sorted(name for name in tensors if not name.startswith(prefix))
    if others and len(others) < len(tensors):
        raise WeightsError(f"names: expected each to start with `{prefix}`; got {list_names(others)}.")
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def renamed(tensors: Tensors, layers: Mapping[str, str]) -> dict[str, Tensor]:
    """Tensors `layer.tensor` with the layers' names replaced by a table.

    Raises:
        WeightsError: a layer is not in the table, or two become one.
    """
    foreign = sorted({name for name in tensors if name.rpartition(".")[0] not in layers})
    if foreign:
        raise WeightsError(f"names: expected only layers that the table knows; got also {list_names(foreign)}.")
    new: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        layer, _, leaf = name.rpartition(".")
        target = f"{layers[layer]}.{leaf}"
        if target in new:
            raise WeightsError(
                f"names: expected each tensor under a name of its own; got two for {fit_to_print(target, 80)}."
            )
        new[target] = tensor
    return new


def renamed_known(tensors: Tensors, layers: Mapping[str, str]) -> dict[str, Tensor]:
    """Tensors with the layers' names replaced by a table; those of a head or the like beside them keep their names.

    Raises:
        WeightsError: the table has none of the layers, or two become one.
    """
    theirs = {name: tensor for name, tensor in tensors.items() if name.rpartition(".")[0] in layers}
    if not theirs:
        raise WeightsError(f"names: expected layers such as {next(iter(layers))}; got {list_names(tensors)}.")
    others = {name: tensor for name, tensor in tensors.items() if name not in theirs}
    return others | renamed(theirs, layers)


def with_linear_head(tensors: Tensors, head: str) -> dict[str, Tensor]:
    """Convolutions that read their whole input, in the modules whose names begin with `head`, as linear layers."""
    return {name: t.flatten(1) if name.startswith(head) and t.ndim == 4 else t for name, t in tensors.items()}


def blocks(counts: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    """(number from 0, stage, place in its stage) of each block of stages that hold so many."""
    starts = (0, *accumulate(counts))
    return ((starts[s] + b, s, b) for s, count in enumerate(counts) for b in range(count))


def _conv(kernel: Tensor) -> Tensor:
    """HWIO to OIHW; a dense layer's (in, out) to (out, in)."""
    return kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T


def _depthwise(kernel: Tensor) -> Tensor:
    """HWCM to (C*M)1HW: the M filters of a channel stay together."""
    height, width, channels, multiplier = kernel.shape
    return kernel.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)


def _same(tensor: Tensor) -> Tensor:
    return tensor


KERAS: dict[str, tuple[str, Collection[int], Callable[[Tensor], Tensor]]] = {  # its name: ours, dimensions, layout
    "kernel": ("weight", (2, 4), _conv),
    "depthwise_kernel": ("weight", (4,), _depthwise),
    "bias": ("bias", (1,), _same),
    "gamma": ("weight", (1,), _same),
    "beta": ("bias", (1,), _same),
    "moving_mean": ("running_mean", (1,), _same),
    "moving_variance": ("running_var", (1,), _same),
}


def is_keras(name: str, tensor: Tensor) -> bool:
    """Whether a tensor has a name and a number of dimensions that `from_keras` takes."""
    layer, _, leaf = name.removesuffix(":0").rpartition("/")
    return bool(layer) and leaf in KERAS and tensor.ndim in KERAS[leaf][1]


def from_keras(tensors: Tensors) -> dict[str, Tensor]:
    """Keras' `layer/kernel`, with or without `:0` behind it, as `layer.weight`, and so on.

    Convolutions HWIO become OIHW, depthwise ones HWCM (C*M)1HW, dense layers are transposed. Batch norms made without
    gamma or beta get ones and zeros. The layers keep their names, and batch norms their epsilon (1e-3 by default).

    Raises:
        WeightsError: a tensor has another name or number of dimensions than Keras gives.
    """
    new: dict[str, Tensor] = {}
    problems = []
    for name, tensor in tensors.items():
        layer, _, leaf = name.removesuffix(":0").rpartition("/")
        if not is_keras(name, tensor):
            problems.append(f"{name} ({'x'.join(map(str, tensor.shape))})")
            continue
        ours, _, layout = KERAS[leaf]
        new[f"{layer}.{ours}"] = layout(tensor).contiguous()
    if problems:
        known, got = ", ".join(KERAS), list_names(sorted(problems))
        raise WeightsError(f"names: expected Keras' `layer/` and one of {known}; got {got}.")
    for name in [name for name in new if name.endswith(".running_var")]:
        layer = name.removesuffix("running_var")
        new.setdefault(f"{layer}weight", torch.ones_like(new[name]))
        new.setdefault(f"{layer}bias", torch.zeros_like(new[name]))
    return new


def unfold_batch_norm(
    tensors: Tensors, norm_of: Mapping[str, str], epsilon: float = KERAS_EPSILON
) -> dict[str, Tensor]:
    """Gives each convolution into whose bias a batch norm was folded that norm back, as one that only adds the bias.

    Weight 1, mean 0 and variance 1 - epsilon: y = (x - 0) / sqrt(1 - epsilon + epsilon) * 1 + bias.

    Args:
        tensors: with the `bias` of every convolution of `norm_of`.
        norm_of: the name of the batch norm of each convolution.
        epsilon: of the batch norms.

    Raises:
        WeightsError: a bias is missing.
    """
    new = dict(tensors)
    missing = [f"{conv}.bias" for conv in norm_of if f"{conv}.bias" not in tensors]
    if missing:
        raise WeightsError(f"names: expected the bias that holds each batch norm; missing are {list_names(missing)}.")
    for conv, norm in norm_of.items():
        bias = new.pop(f"{conv}.bias").float()
        new[f"{norm}.weight"] = torch.ones_like(bias)
        new[f"{norm}.bias"] = bias
        new[f"{norm}.running_mean"] = torch.zeros_like(bias)
        new[f"{norm}.running_var"] = torch.full_like(bias, 1 - epsilon)
    return new


def rescaled_epsilon(tensors: Tensors, epsilon: float, epsilon_of: Mapping[str, float]) -> dict[str, Tensor]:
    """Moves the difference between two epsilons into the running variances, so that their sums stay what they were.

    Args:
        tensors: of which the variances were divided by with `epsilon` added.
        epsilon: of the file.
        epsilon_of: of each batch norm of the net, by its name; others are left alone.
    """
    new = dict(tensors)
    for norm, own in epsilon_of.items():
        name = f"{norm}.running_var"
        if name in new and own != epsilon:
            new[name] = (new[name].double() + (epsilon - own)).float()
    return new


def flattened_channels_first(tensors: Tensors, maps_of: Mapping[str, int]) -> dict[str, Tensor]:
    """Linear layers that take flattened maps (H, W, C), as ones that take them as (C, H, W).

    Args:
        tensors: by our names.
        maps_of: how many maps are flattened, by the names of the layers; others are left alone.
    """
    new = dict(tensors)
    for layer, maps in maps_of.items():
        weight = new.get(f"{layer}.weight")
        if weight is not None and weight.ndim == 2 and weight.shape[1] % maps == 0:
            new[f"{layer}.weight"] = weight.unflatten(1, (-1, maps)).transpose(1, 2).flatten(1)
    return new


def from_caffe(tensors: Tensors) -> dict[str, Tensor]:
    """Caffe's `layer/weight` and `layer/bias` as `layer.weight` and `layer.bias`; its layouts are PyTorch's.

    Raises:
        WeightsError: a tensor has another name.
    """
    others = sorted(name for name in tensors if name.rpartition("/")[2] not in ("weight", "bias") or "/" not in name)
    if others:
        raise WeightsError(f"names: expected `layer/weight` and `layer/bias`; got {list_names(others)}.")
    return {".".join(name.rsplit("/", 1)): tensor for name, tensor in tensors.items()}
