"""Tensors of files: safetensors always, a pickle only where the user asks for it by name."""

import struct
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from striate.errors import WeightsError

WRAPPERS = ("state_dict", "model_state_dict", "model_ema", "model")  # under which checkpoints keep their tensors
FOREIGN = (  # what the unpickler raises for bytes that are not torch.save's
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    UnpicklingError,
    struct.error,
)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        WeightsError: the file is not there, or no safetensors file that is whole.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: expected a file of weights; got nothing there.") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: expected a safetensors file that is whole; {error}. "
            "If it is PyTorch's, try `striate weights convert FILE OUT.safetensors`."
        ) from error


def read_pickle(path: Path) -> dict[str, Tensor]:
    """All tensors of a file that `torch.save` wrote: a dict of them, or a checkpoint that holds one.

    Only tensors and plain values are unpickled (`weights_only=True`): no code of the file runs.

    Raises:
        WeightsError: the file is not there, holds objects of other kinds, or no dict of tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: expected a file of weights; got nothing there.") from error
    except FOREIGN as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise WeightsError(f"{path}: expected a file of torch.save with tensors only; {reason}.") from error
    found = _tensors_in(content)
    if found is None:
        keys = f"a dict of {', '.join(map(str, content)) or 'nothing'}" if isinstance(content, Mapping) else ""
        got = keys or type(content).__name__
        raise WeightsError(f"{path}: expected a dict of tensors, or one under {', '.join(WRAPPERS)}; got {got}.")
    return found


def _tensors_in(content: object) -> dict[str, Tensor] | None:
    if not isinstance(content, Mapping):
        return None
    if content and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        return {name: tensor.detach().clone().contiguous() for name, tensor in content.items()}
    return next((found for key in WRAPPERS if (found := _tensors_in(content.get(key))) is not None), None)
