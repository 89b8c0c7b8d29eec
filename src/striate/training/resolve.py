"""Recipes before a run: everything filled in that depends on the network, and what may change when it goes on."""

import functools
import importlib.util
import os
import shutil
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from striate import recipe as recipes
from striate.augment.presets import written_out
from striate.data import CROP_PCT, mean_and_std
from striate.errors import SizeError, UsageError
from striate.graph.meta import META, Shapes, build
from striate.nets import create, default_of
from striate.recipe import AUTO_WEIGHTS, NO_WEIGHTS, NetworkRecipe, Recipe
from striate.recipe.size import height_and_width, written
from striate.tasks import AUTO, TASKS, task_kind

OF_COLOURS = ("saturation", "hue", "pca_colour")  # what augmentation does to RGB alone
RESUMABLE = {
    "machine": None,
    "training": {"epochs", "skip_bad_steps"},
    "data": {"image_root"},
}  # tables and keys that a resumed run may change; None: all of it


def resolve(recipe: Recipe) -> Recipe:
    """The recipe with everything filled in that depends on the network; weights that nobody has chosen are none.

    Raises:
        UsageError: if the network is unknown, takes other arguments, cannot take images of that size, or does not
            give what its task needs.
    """
    given = recipe.network.model_args.keys() & {"num_classes", "in_channels"}
    if given:
        raise UsageError(
            f"`model_args`: expected no {' or '.join(given)}: classes come from the data. Try --in-channels."
        )
    data, network = recipe.data, recipe.network
    name, arguments, net = _tried(network)
    channels = data.in_channels or default_of(network.name, "in_channels")
    size = height_and_width(data.img_size or int(net.image_size))  # type: ignore[arg-type]
    _require_outputs(recipe, name, {**arguments, "in_channels": channels}, (channels, *size))
    mean, std = mean_and_std(channels)
    data = replace(
        data,
        img_size=written(*size),
        in_channels=channels,
        mean=data.mean or mean,
        std=data.std or std,
        crop_pct=data.crop_pct or CROP_PCT,
    )
    for name, values in (("mean", data.mean), ("std", data.std)):
        if values is not None and len(values) != channels:
            raise UsageError(f"`{name}`: expected {channels} values, one a channel; got {len(values)}: {values}.")
    compiler = os.environ.get("CXX", "g++")
    if recipe.machine.compile and shutil.which(compiler) is None:
        raise UsageError(
            f"`compile`: expected a C++ compiler, named by CXX or g++; got none of the name {compiler}. Try without it."
        )
    if recipe.machine.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise UsageError("`tensorboard`: expected the package tensorboard; got none. Try: pip install 'striate[log]'.")
    network = replace(network, model=network.name)
    training = replace(recipe.training, lr=recipe.training.peak_lr, batch_size=recipe.training.images_a_step)
    transfer = recipe.transfer
    if transfer.weights == AUTO_WEIGHTS:
        transfer = replace(transfer, weights=NO_WEIGHTS)
    augment = written_out(recipe.augment)
    if channels not in (1, 3):  # grey keeps what it was given, of which it draws nothing
        augment = replace(augment, saturation=0.0, hue=0.0, pca_colour=0.0)
    return replace(recipe, network=network, data=data, training=training, augment=augment, transfer=transfer)


def without_colours(asked: Recipe, resolved: Recipe) -> tuple[str, ...]:
    """A sentence where operations on colours are asked for and images have none; empty elsewhere."""
    given = [name for name in OF_COLOURS if getattr(asked.augment, name)]
    if not given or resolved.data.in_channels == 3:
        return ()
    names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
    return (f"augmentation: off, because images of {resolved.data.in_channels} channels have no colours: {names}.",)


def _tried(network: NetworkRecipe) -> tuple[str, dict[str, Any], nn.Module]:
    """The network that the recipe's task builds over the one that is named, with its arguments, without values.

    Where only data decide the task, the first whose network takes the arguments; the simplest task comes first.

    Raises:
        UsageError: no such network takes them.
    """
    kinds = list(reversed(TASKS.values())) if network.task == AUTO else [task_kind(network.task)]
    refusals = []
    for kind in kinds:
        try:
            name, arguments = kind.over(network.name, network.model_args)
            return name, arguments, build(functools.partial(create, name, **arguments))
        except UsageError as error:
            refusals.append(error)
    raise refusals[0]


def _require_outputs(recipe: Recipe, name: str, arguments: dict[str, Any], input_size: tuple[int, int, int]) -> None:
    """Tries the network on images of the right size without computing anything, before any data are read."""
    net = build(lambda: create(name, **arguments)).to(META).eval()
    images = torch.empty(2, *input_size, device=META)
    try:
        with torch.no_grad(), Shapes():
            outputs = net(images)
    except (RuntimeError, SizeError) as error:  # a map that became smaller than the next window
        raise UsageError(
            f"`img_size`: expected one that {name} can take; got {written(*input_size[1:])}: {str(error).rstrip('.')}."
        ) from error
    if recipe.network.task != AUTO:  # which only data decide
        task_kind(recipe.network.task).require_outputs(name, outputs)


def require_resumable(before: Recipe, after: Recipe) -> None:
    """Refuses a recipe that a run which began with `before` cannot go on by.

    Raises:
        UsageError: if a setting changed that decides what is computed.
    """
    old, new = recipes.to_dict(before), recipes.to_dict(after)
    for table, values in new.items():
        allowed = RESUMABLE.get(table, set())
        changed = [key for key in values | old[table] if values.get(key) != old[table].get(key)]
        for key in changed:
            if allowed is not None and key not in allowed:
                raise UsageError(
                    f"resume: expected `{key}` as the run began, {old[table].get(key)}; got {values.get(key)}. "
                    "Only epochs, skip_bad_steps, image_root and the machine's settings can change; "
                    "start a new run for more."
                )
