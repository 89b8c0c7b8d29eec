"""A run from its beginning, or from where it stopped."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import torch

from striate import recipe as recipes
from striate.data import (
    MEAN_STD,
    Index,
    Preprocessing,
    check,
    read,
    require_few_bad,
    require_trainable,
    split,
    write_findings,
)
from striate.device import Machine, choose, cores
from striate.errors import UsageError
from striate.model import commit
from striate.nets import create, default_of
from striate.recipe import Recipe
from striate.tasks import Classify
from striate.train import checkpoint, optimizer
from striate.train.checkpoint import State
from striate.train.console import Reporter
from striate.train.ema import Ema
from striate.train.folder import RunFolder
from striate.train.loop import Run, fit

RESUMABLE = {"machine": None, "training": {"epochs"}}  # tables and keys that a resumed run may change; None: all of it


def train(data: Path, recipe: Recipe, output: Path | None = None, reporter: Reporter | None = None) -> RunFolder:
    """Trains a model on the pictures at `data`.

    Args:
        data: see `striate.data.read`.
        recipe: what to do; what it leaves open is filled in.
        output: the run folder to make; runs/classify/DATA-MODEL unless given, numbered where that exists.
        reporter: says how it goes; to the terminal unless given.

    Returns:
        The run folder; its `model` is the best model's file.

    Raises:
        UsageError: if the recipe names what is not there.
        DataError: if the data cannot be trained on, or too much of it is unreadable.
        TrainingError: if the loss is no longer a number.
    """
    recipe = resolve(recipe)
    machine = choose(recipe.machine.device, recipe.machine.precision, recipe.machine.memory_format)
    index = read(
        data,
        path_column=recipe.data.path_column,
        label_column=recipe.data.label_column,
        label_separator=recipe.data.label_separator,
    )
    name = data.resolve().name if data.is_dir() else data.resolve().stem
    folder = RunFolder.create(output or Path("runs") / "classify" / f"{name}-{recipe.network.model.replace('/', '-')}")
    reporter = replace(reporter or Reporter(), log=folder.log)
    folder.write_recipe(recipe)
    index = split(
        index,
        val_fraction=recipe.data.val_fraction,
        test_fraction=recipe.data.test_fraction,
        seed=recipe.training.seed,
    )
    index = _checked(index, recipe, folder, reporter)
    require_trainable(index)
    folder.write_index(index)
    return _go(folder, index, recipe, machine, reporter, None)


def resume(path: Path, recipe: Recipe | None = None, reporter: Reporter | None = None) -> RunFolder:
    """Goes on with a run after its last finished epoch.

    Args:
        path: its folder.
        recipe: the run's own unless given; it may differ from that in what the machine does and in the number of
            epochs.
        reporter: as in `train`.

    Raises:
        UsageError: if `path` is no run folder, or the recipe changes what cannot be changed.
    """
    folder = RunFolder.find(path)
    before = folder.read_recipe()
    recipe = resolve(recipe or before)
    _require_resumable(before, recipe)
    reporter = replace(reporter or Reporter(), log=folder.log)
    machine = choose(recipe.machine.device, recipe.machine.precision, recipe.machine.memory_format)
    folder.write_recipe(recipe)
    return _go(folder, Index.load(folder.index), recipe, machine, reporter, checkpoint.last(folder.checkpoint))


def resolve(recipe: Recipe) -> Recipe:
    """The recipe with everything filled in that depends on the network.

    Raises:
        UsageError: if the network is unknown, takes other arguments, cannot take pictures of that size, or answers
            something else than one row of logits a picture.
    """
    given = recipe.network.model_args.keys() & {"num_classes", "in_channels"}
    if given:
        raise UsageError(
            f"`model_args`: expected no {' or '.join(given)}: classes come from the data. Try --in-channels."
        )
    data, network = recipe.data, recipe.network
    with torch.device("meta"):
        net = create(network.model, **network.model_args)
    channels = data.in_channels or default_of(network.model, "in_channels")
    size = data.img_size or int(net.image_size)  # type: ignore[arg-type]
    _require_logits(recipe, channels, size)
    mean, std = MEAN_STD[channels]
    data = replace(
        data,
        img_size=size,
        in_channels=channels,  # type: ignore[arg-type]  # a net is published for 1 or 3
        mean=data.mean or mean,
        std=data.std or std,
    )
    for name, values in (("mean", data.mean), ("std", data.std)):
        if values is not None and len(values) != channels:
            raise UsageError(f"`{name}`: expected {channels} values, one a channel; got {len(values)}: {values}.")
    if recipe.machine.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise UsageError("`tensorboard`: expected the package tensorboard; got none. Try: pip install 'striate[log]'.")
    return replace(recipe, data=data)


def _require_logits(recipe: Recipe, channels: int, size: int) -> None:
    """Tries the network on pictures of the right size without computing anything, before the data is looked at."""
    network = recipe.network
    try:
        with torch.device("meta"):
            net = create(network.model, in_channels=channels, **network.model_args).to("meta").eval()
            logits = net(torch.empty(2, channels, size, size))
    except RuntimeError as error:  # a map that became smaller than the next window
        raise UsageError(f"`img_size`: expected more pixels for {network.model}; got {size}: {error}.") from error
    if logits.ndim != 2:
        raise UsageError(
            f"`model`: expected a network that names a picture; got {network.model}, which names its pixels."
        )


def _checked(index: Index, recipe: Recipe, folder: RunFolder, reporter: Reporter) -> Index:
    """Opens every picture, names the bad ones, and stops where they are too many."""
    with reporter.progress("checking", int(index.usable().sum()), "pictures") as advance:
        after, findings = check(
            index,
            max_pixels=recipe.data.max_pixels,
            workers=recipe.machine.workers or cores(),
            advance=lambda count: advance(count, ""),
        )
    write_findings(findings, folder.check)
    for finding in findings[:20]:
        reporter.say(f"{'odd' if finding.used else 'left out'}: {finding.path}: {finding.reason}")
    if len(findings) > 20:
        reporter.say(f"and {len(findings) - 20} more, in {folder.check}")
    require_few_bad(index, after, recipe.data.max_bad)
    return after


def _require_resumable(before: Recipe, after: Recipe) -> None:
    old, new = recipes.to_dict(before), recipes.to_dict(after)
    for table, values in new.items():
        allowed = RESUMABLE.get(table, set())
        changed = [key for key in values | old[table] if values.get(key) != old[table].get(key)]
        for key in changed:
            if allowed is not None and key not in allowed:
                raise UsageError(
                    f"resume: expected `{key}` as the run began, {old[table].get(key)}; got {values.get(key)}. "
                    "Only epochs and the machine's settings can change; start a new run for anything else."
                )


def _go(
    folder: RunFolder, index: Index, recipe: Recipe, machine: Machine, reporter: Reporter, at: Path | None
) -> RunFolder:
    """Builds the network and all around it, restores the checkpoint `at` if there is one, and trains."""
    task = Classify(index.classes, index.several_labels)
    data, training = recipe.data, recipe.training
    channels, size = data.in_channels or 3, data.img_size or 224
    mean, std = data.mean or MEAN_STD[channels][0], data.std or MEAN_STD[channels][1]
    preprocessing = Preprocessing((channels, size, size), mean, std, data.crop_pct)
    arguments = {**recipe.network.model_args, "num_classes": task.outputs, "in_channels": channels}

    torch.manual_seed(training.seed)
    net = machine.place(create(recipe.network.model, **arguments))
    counts = index.counts("train")
    pictures = len(index.rows("train"))
    weight = task.balanced_weight(list(counts.values()), pictures) if training.class_weights == "balanced" else None
    objective = machine.place(task.objective(net, training.label_smoothing, weight))
    ema = Ema(net, training.ema_decay) if training.ema_decay else None
    state = State(net, optimizer.build(net, training), ema)
    if at is not None:
        checkpoint.restore(at, state)
        reporter.say(f"resumed from {at}")

    about = {"recipe": recipes.to_dict(recipe), "seed": training.seed, "commit": commit(), "data": index.fingerprint()}
    workers = recipe.machine.workers or cores()
    parameters = sum(p.numel() for p in net.parameters())
    splits = ", ".join(f"{len(index.rows(name)):,} {name}" for name in ("train", "val", "test"))
    reporter.say(f"{recipe.network.model}: {parameters:,} parameters, {task.outputs} classes; pictures: {splits}")
    reporter.say(f"{machine}; {torch.get_num_threads()} threads of arithmetic, {workers} of decoding")
    run = Run(recipe, index, task, preprocessing, machine, workers, folder, reporter, about, arguments)
    fit(run, objective, state)
    reporter.say(f"model: {folder.model}")
    return folder
