"""Checkpoints: all that a run needs to go on, in one safetensors file that appears whole or not at all."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from striate.errors import TrainingError
from striate.files import write_whole
from striate.train.ema import Ema

KEPT = 2


@dataclass
class Progress:
    """How far a run has come."""

    epoch: int = 0
    """Epochs that are finished."""

    step: int = 0
    """Steps that are finished."""

    best: float = float("-inf")
    """Best score on val so far."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """Metrics of each finished epoch."""


@dataclass
class State:
    """The live objects of a run that a checkpoint freezes and restores."""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    ema: Ema | None
    progress: Progress = field(default_factory=Progress)


def save(folder: Path, state: State) -> None:
    """Writes a checkpoint; afterwards the oldest are removed, so that two are kept."""
    tensors = {f"net.{name}": value for name, value in state.net.state_dict().items()}
    if state.ema is not None:
        tensors |= {f"ema.{name}": value for name, value in state.ema.net.state_dict().items()}
    for number, values in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in values.items() if isinstance(value, Tensor)}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    metadata = {"progress": json.dumps(vars(state.progress))}
    folder.mkdir(exist_ok=True)
    path = folder / f"epoch-{state.progress.epoch:05d}.safetensors"
    write_whole(path, lambda aside: save_file(tensors, aside, metadata))
    for old in sorted(folder.glob("epoch-*.safetensors"))[:-KEPT]:
        old.unlink()


def last(folder: Path) -> Path | None:
    """The newest checkpoint of a run, if it has one."""
    return max(folder.glob("epoch-*.safetensors"), default=None)


def restore(path: Path, state: State) -> None:
    """Brings `state` to where the checkpoint at `path` was made.

    Raises:
        TrainingError: if the file is not whole or not of this network and optimiser.
    """
    try:
        with safe_open(path, "pt") as file:
            progress = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        state.net.load_state_dict(_part(tensors, "net."))
        if state.ema is not None:
            state.ema.net.load_state_dict(_part(tensors, "ema."))
        optimizer: dict[int, dict[str, Tensor]] = {}
        for name, value in _part(tensors, "optimizer.").items():
            number, key = name.split(".", 1)
            optimizer.setdefault(int(number), {})[key] = value
        groups = state.optimizer.state_dict()["param_groups"]
        state.optimizer.load_state_dict({"state": optimizer, "param_groups": groups})
        state.progress = Progress(**progress)
    except (SafetensorError, OSError, KeyError, TypeError, RuntimeError, ValueError) as error:
        raise TrainingError(f"{path}: expected a checkpoint of this run's network and optimiser; {error}.") from error
    _lay_out_as_parameters(state.optimizer)


def _lay_out_as_parameters(optimizer: torch.optim.Optimizer) -> None:
    """Gives the optimiser's maps the memory format of their parameters.

    The fused optimisers walk through both in the order of memory, and a checkpoint holds all tensors contiguous.
    """
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[key] = torch.empty_like(parameter, requires_grad=False).copy_(value)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
