"""Checkpoints as people have them: a dict of tensors within dicts, under prefixes, beside other things."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from striate.files import list_names

DEPTH = 4  # of dicts within dicts
WRAPPERS = (  # under which checkpoints keep their tensors; a moving average of the weights goes before the weights
    "state_dict_ema",  # timm
    "model_ema",  # torchvision's references, timm
    "ema_state_dict",
    "ema",
    "state_dict",  # Lightning, and most
    "model_state_dict",
    "model_state",
    "model",  # fastai, DeiT, ConvNeXt
    "module",  # DeepSpeed
    "net",
    "weights",
    "params",
)
AVERAGES = ("state_dict_ema", "model_ema", "ema_state_dict", "ema")
PREFIXES = ("module.", "_orig_mod.")  # DistributedDataParallel and AveragedModel; torch.compile


@dataclass(frozen=True)
class Checkpoint:
    """Tensors of a file, by the names of the network that they were saved of."""

    tensors: dict[str, Tensor]

    said: tuple[str, ...] = ()
    """A sentence for each choice that was made, and for what was left out."""


def unwrapped(content: object) -> Checkpoint | None:
    """The tensors of what `torch.save` was given: itself a dict of them, or one that holds such a dict.

    The prefixes of wrappers (`module.`, `_orig_mod.`) are taken off. None where there is no dict of tensors.
    """
    path, found = _find(content, DEPTH)
    if found is None:
        return None
    said = [f"It holds a moving average of the weights (`{path}`), which is taken."] if path in AVERAGES else []
    tensors = {name: tensor for name, tensor in found.items() if isinstance(tensor, Tensor)}
    if len(tensors) > 1:
        tensors.pop("n_averaged", None)  # of AveragedModel, which is no weight
    return Checkpoint(without_prefixes(tensors), tuple(said))


def _find(content: object, depth: int) -> tuple[str, Mapping[str, object] | None]:
    """(key, dict of tensors) within dicts; a dict may hold plain values beside its tensors."""
    if not isinstance(content, Mapping) or depth == 0:
        return "", None
    for key in WRAPPERS:
        inner = content.get(key)
        if isinstance(inner, Mapping):
            path, found = _find(inner, depth - 1)
            if found is not None:
                return path or key, found
    of_tensors = all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items())
    return ("", content) if content and of_tensors else ("", None)


def without_prefixes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors without the prefixes that wrappers have put before every name."""
    new = dict(tensors)
    while True:
        prefix = next((p for p in PREFIXES if new and all(name.startswith(p) for name in new)), None)
        if prefix is None:
            return new
        new = {name.removeprefix(prefix): tensor for name, tensor in new.items()}


def left_out(names: Sequence[str]) -> str:
    """The sentence about tensors of a file that a network does not have."""
    if len(names) == 1:
        return f"A tensor that the network lacks was left out: {list_names(names)}."
    return f"{len(names)} tensors that the network lacks were left out: {list_names(names)}."
