"""Checkpoints: all that a run needs to go on, in one safetensors file that appears whole or not at all.

A checkpoint holds the tensors of the net, its running average and the optimiser, and as JSON the progress and the
recipe. The schedule and the order of images are functions of the recipe and the step, and so is every random draw:
PyTorch's generator is seeded anew at each step. So neither a generator nor the loader has a state to keep.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta
from torch import Tensor, nn

from striate.errors import TrainingError
from striate.files import fit_to_print, write_whole
from striate.recipe import Recipe, from_dict, to_dict
from striate.records import convert
from striate.tensors import read as read_file
from striate.tensors import save_file
from striate.training.state import Progress, State

FORMAT_VERSION = 2
KEPT = 2


class About(msgspec.Struct, frozen=True):
    """What a checkpoint says of itself."""

    format_version: Annotated[int, Meta(ge=1, le=1000)]
    progress: dict[str, Any]
    recipe: dict[str, dict[str, Any]]
    sha256: str


@dataclass(frozen=True)
class Checkpoint:
    """A run between two steps, in memory that no later step changes."""

    progress: Progress
    recipe: Recipe
    tensors: dict[str, Tensor]
    """On the CPU and contiguous."""

    path: Path | None = None
    """Where it was read from."""


def freeze(state: State, recipe: Recipe) -> Checkpoint:
    """Copies what the next steps will change."""
    live = {f"net.{name}": value for name, value in state.net.state_dict().items()}
    if state.ema is not None:
        live |= {f"ema.{name}": value for name, value in state.ema.net.state_dict().items()}
    for number, values in state.optimizer.state_dict()["state"].items():
        live |= {f"optimizer.{number}.{key}": value for key, value in values.items() if isinstance(value, Tensor)}
    tensors = {name: torch.empty(value.shape, dtype=value.dtype).copy_(value.detach()) for name, value in live.items()}
    progress = replace(state.progress, rows=list(state.progress.rows), totals=replace(state.progress.totals))
    return Checkpoint(progress, recipe, tensors)


def write(folder: Path, checkpoint: Checkpoint) -> Path:
    """Writes a checkpoint and then removes all but it and the one before it.

    Raises:
        OSError: if it cannot be written; what was there before is still there.
        TrainingError: if a weight is not finite, for nothing can go on from there.
    """
    step, weights = checkpoint.progress.step, _part(checkpoint.tensors, "net.").values()
    if not all(bool(value.isfinite().all()) for value in weights):
        raise TrainingError(
            f"after step {step - 1}: expected finite weights; got some that are not. "
            "Try a lower --lr, --clip-grad 1 or --precision float32."
        )
    about = {
        "format_version": FORMAT_VERSION,
        "progress": asdict(checkpoint.progress),
        "recipe": to_dict(checkpoint.recipe),
        "sha256": digest(checkpoint.tensors),
    }
    folder.mkdir(exist_ok=True)
    path = folder / f"step-{step:09d}.safetensors"
    write_whole(path, lambda aside: save_file(checkpoint.tensors, aside, {"striate": json.dumps(about)}))
    newest_first = found(folder)
    before = newest_first[newest_first.index(path) + 1 :]
    for old in set(newest_first) - {path, *before[: KEPT - 1]}:  # later ones too: they were broken, or the run is here
        old.unlink()
    return path


def found(folder: Path) -> list[Path]:
    """The checkpoints of a run, the newest first."""
    return sorted(folder.glob("step-*.safetensors"), reverse=True)


def digest(tensors: dict[str, Tensor]) -> str:
    """The sha256 of names and bytes."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        sha256.update(name.encode())
        sha256.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()


def read(path: Path) -> Checkpoint:
    """Reads what `write` wrote.

    Raises:
        TrainingError: if the file is not whole, or not of this format.
    """
    try:
        tensors, metadata = read_file(path)
        about = convert(json.loads(metadata.get("striate", "null")), About)  # it may hold NaN, which is no JSON
        progress = convert(_of_this_version(about.progress, about.format_version), Progress)
        recipe = from_dict(about.recipe, source="its recipe")
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        reason = fit_to_print(str(error).rstrip("."), 300)
        raise TrainingError(f"{path}: expected a checkpoint that is whole; {reason}.") from error
    if about.format_version > FORMAT_VERSION:
        raise TrainingError(
            f"{path}: expected format version {FORMAT_VERSION}; got {about.format_version}. "
            "Try the striate that wrote it."
        )
    if digest(tensors) != about.sha256:
        raise TrainingError(f"{path}: expected a checkpoint that is whole; its tensors are not those that were saved.")
    return Checkpoint(progress, recipe, tensors, path)


def _of_this_version(progress: dict[str, Any], version: int) -> dict[str, Any]:
    """The progress of a checkpoint with the names that it has today."""
    if version > 1:
        return progress
    renamed = {"pictures": "images", "right": "score", "pictures_per_s": "images_per_s"}
    totals, rows = (
        [{renamed.get(name, name): value for name, value in each.items()} for each in some]
        for some in ([progress["tally"]], progress["rows"])
    )
    totals[0]["score"] = float(totals[0]["score"])
    return progress | {"totals": totals[0], "rows": rows}


def last_whole(folder: Path, log: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint of a run that can be read; those that cannot are told. None where it has none.

    Raises:
        TrainingError: if it has some, and none can be read.
    """
    paths = found(folder)
    foreign = sorted(folder.glob("epoch-*.safetensors"))
    if foreign and not paths:
        raise TrainingError(
            f"{foreign[-1]}: expected a checkpoint named step-…; got one of an earlier striate. Start a new run."
        )
    for number, path in enumerate(paths, start=1):
        try:
            return read(path)
        except TrainingError as error:
            if number == len(paths):
                raise
            log(f"{error} The one before it takes its place: {paths[number]}.")
    return None


def restore_net(checkpoint: Checkpoint, net: nn.Module) -> None:
    """Gives a net the values that it had.

    Raises:
        TrainingError: if the checkpoint is not of this network.
    """
    try:
        net.load_state_dict(_part(checkpoint.tensors, "net."))
    except RuntimeError as error:
        raise TrainingError(f"resume: expected a checkpoint of this run's network and optimiser; {error}.") from error


def restore(checkpoint: Checkpoint, state: State) -> None:
    """Brings `state` to where the checkpoint was made.

    Raises:
        TrainingError: if it is not of this network and optimiser.
    """
    tensors = checkpoint.tensors
    optimizer: dict[int, dict[str, Tensor]] = {}
    restore_net(checkpoint, state.net)
    groups = state.optimizer.state_dict()["param_groups"]
    try:
        for name, value in _part(tensors, "optimizer.").items():
            number, _, key = name.partition(".")
            optimizer.setdefault(int(number), {})[key] = value
        if state.ema is not None:
            state.ema.net.load_state_dict(_part(tensors, "ema."))
        state.optimizer.load_state_dict({"state": optimizer, "param_groups": groups})
        _require_shapes(state.optimizer)
    except (KeyError, RuntimeError, ValueError) as error:
        raise TrainingError(f"resume: expected a checkpoint of this run's network and optimiser; {error}.") from error
    state.progress = checkpoint.progress
    _lay_out_as_parameters(state.optimizer)


def _require_shapes(optimizer: torch.optim.Optimizer) -> None:
    """Stops where the optimiser would meet a map of another shape than its parameter's; a number is of none."""
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            if isinstance(value, Tensor) and value.shape not in (parameter.shape, ()):
                raise ValueError(f"{key} is {tuple(value.shape)} where the weight is {tuple(parameter.shape)}")


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
