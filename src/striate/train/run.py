"""A run from its beginning, or from where it stopped."""

import importlib.util
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from striate import recipe as recipes
from striate.augment.colour import measured
from striate.augment.presets import wants_components, written_out
from striate.data import (
    MEAN_STD,
    Index,
    Preprocessing,
    read,
    require_few_bad,
    require_trainable,
    split,
    write_findings,
)
from striate.data.check import KINDS, Check, Severity, by_kind, examine
from striate.data.pixel_cache import open_pictures
from striate.device import Machine, choose, cores, keep_memory
from striate.errors import UsageError
from striate.model import commit
from striate.nets import create, default_of
from striate.recipe import Recipe
from striate.tasks import Classify
from striate.train import checkpoint, optimizer
from striate.train.checkpoint import Checkpoint
from striate.train.console import Reporter
from striate.train.determinism import slowdown
from striate.train.ema import Ema
from striate.train.folder import RunFolder
from striate.train.loop import fit
from striate.train.state import Run, State
from striate.train.step import least_batch

SAID = 5  # findings of each kind that are told one by one
RESUMABLE = {
    "machine": None,
    "training": {"epochs", "skip_bad_steps"},
}  # tables and keys that a resumed run may change; None: all of it


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
        weight_column=recipe.data.weight_column,
        mask_classes=recipe.data.mask_classes,
    )
    name = data.resolve().name if data.is_dir() else data.resolve().stem
    folder = RunFolder.create(output or Path("runs") / "classify" / f"{name}-{recipe.network.model.replace('/', '-')}")
    reporter = replace(reporter or Reporter(), log=folder.log)
    folder.write_recipe(recipe)
    for note in index.notes:
        reporter.say(f"note: {note}")
    found = _checked(index, recipe, folder, reporter)
    index = split(
        found.index,
        val_fraction=recipe.data.val_fraction,
        test_fraction=recipe.data.test_fraction,
        seed=recipe.training.seed,
        together=[copies.rows for copies in found.copies],
    )
    require_trainable(index)
    if wants_components(recipe.augment):
        recipe = replace(recipe, augment=measured(recipe.augment, found.colours))
        folder.write_recipe(recipe)
    folder.write_index(index)
    return _go(folder, index, recipe, machine, reporter)


def resume(path: Path, recipe: Recipe | None = None, reporter: Reporter | None = None) -> RunFolder:
    """Goes on with a run after the step of its last checkpoint.

    Args:
        path: its folder.
        recipe: the run's own unless given; it may differ from that in what the machine does, in the number of epochs
            and in how many bad steps are skipped.
        reporter: as in `train`.

    Raises:
        UsageError: if `path` is no run folder, or the recipe changes what cannot be changed.
        TrainingError: if none of its checkpoints can be read.
    """
    folder = RunFolder.find(path)
    folder.tidy()
    reporter = replace(reporter or Reporter(), log=folder.log)
    found = checkpoint.last_whole(folder.checkpoint, reporter.say)
    recipe = resolve(recipe or folder.read_recipe())
    _require_resumable(found[1].recipe if found else folder.read_recipe(), recipe)
    machine = choose(recipe.machine.device, recipe.machine.precision, recipe.machine.memory_format)
    folder.write_recipe(recipe)
    return _go(folder, Index.load(folder.index), recipe, machine, reporter, found)


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
    return replace(recipe, data=data, augment=written_out(recipe.augment))


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


def _checked(index: Index, recipe: Recipe, folder: RunFolder, reporter: Reporter) -> Check:
    """Looks at every picture, says what is wrong, and stops where too many cannot be read."""

    @contextmanager
    def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
        with reporter.progress(title, total, "pictures") as advance:
            yield lambda count: advance(count, "")

    found = examine(
        index,
        max_pixels=recipe.data.max_pixels,
        max_bad=recipe.data.max_bad,
        workers=recipe.machine.workers or cores(),
        progress=progress,
    )
    write_findings(found.findings, folder.check)
    for kind, findings in by_kind(found.findings).items():
        severity = KINDS[kind].severity
        if severity is not Severity.INFO:
            for finding in findings[:SAID]:
                reporter.say(f"{severity.value}: {finding.path or KINDS[kind].title}: {finding.reason}")
            if len(findings) > SAID:
                more = f"and {len(findings) - SAID} more {KINDS[kind].title}, in {folder.check}"
                reporter.say(f"{severity.value}: {more}")
    require_few_bad(index, found.index, recipe.data.max_bad)
    return found


def _require_resumable(before: Recipe, after: Recipe) -> None:
    old, new = recipes.to_dict(before), recipes.to_dict(after)
    for table, values in new.items():
        allowed = RESUMABLE.get(table, set())
        changed = [key for key in values | old[table] if values.get(key) != old[table].get(key)]
        for key in changed:
            if allowed is not None and key not in allowed:
                raise UsageError(
                    f"resume: expected `{key}` as the run began, {old[table].get(key)}; got {values.get(key)}. "
                    "Only epochs, skip_bad_steps and the machine's settings can change; start a new run for more."
                )


def _go(
    folder: RunFolder,
    index: Index,
    recipe: Recipe,
    machine: Machine,
    reporter: Reporter,
    found: tuple[Path, Checkpoint] | None = None,
) -> RunFolder:
    """Builds the network and all around it, restores the checkpoint that was found, if one was, and trains."""
    task = Classify(index.classes, index.several_labels)
    data, training = recipe.data, recipe.training
    channels, size = data.in_channels or 3, data.img_size or 224
    mean, std = data.mean or MEAN_STD[channels][0], data.std or MEAN_STD[channels][1]
    preprocessing = Preprocessing((channels, size, size), mean, std, data.crop_pct)
    arguments = {**recipe.network.model_args, "num_classes": task.outputs, "in_channels": channels}

    rows = index.rows("train")
    _require_two_a_step(recipe, arguments, task, preprocessing.input_size, len(rows))
    torch.manual_seed(training.seed)
    net = machine.place(create(recipe.network.model, **arguments))
    counts = index.counts("train")
    weight = task.balanced_weight(list(counts.values()), len(rows)) if training.class_weights == "balanced" else None
    objective = machine.place(task.objective(net, training.label_smoothing, weight))
    ema = Ema(net, training.ema_decay) if training.ema_decay else None
    state = State(net, optimizer.build(net, training), ema)
    if found is not None:
        path, restored = found
        checkpoint.restore(restored, state)
        reporter.say(f"resumed from {path}, after {state.progress.step} steps")

    about = {"recipe": recipes.to_dict(recipe), "seed": training.seed, "commit": commit(), "data": index.fingerprint()}
    workers = recipe.machine.workers or cores()
    with reporter.progress("pixel cache", len(rows), "pictures") as advance:
        train_pictures = open_pictures(
            index,
            rows,
            recipe.data,
            img_size=size,
            channels=channels,
            epochs=training.epochs,
            workers=workers,
            say=reporter.say,
            advance=lambda count: advance(count, ""),
        )
    parameters = sum(p.numel() for p in net.parameters())
    splits = ", ".join(f"{len(index.rows(name)):,} {name}" for name in ("train", "val", "test"))
    reporter.say(f"{recipe.network.model}: {parameters:,} parameters, {task.outputs} classes; pictures: {splits}")
    kept = ", freed memory is kept" if recipe.machine.keep_memory and keep_memory() else ""
    reporter.say(f"{machine}; {torch.get_num_threads()} threads of arithmetic, {workers} of decoding{kept}")
    if recipe.machine.deterministic and machine.device.type != "cpu":  # a CPU is so at no cost
        images = machine.images(torch.zeros(min(training.batch_size, len(rows)), *preprocessing.input_size))
        labels = torch.from_numpy(index.labels(rows[: len(images)])).to(machine.device)
        times = slowdown(machine, objective, images, labels)
        reporter.say(f"deterministic: a pass forward and back takes {times:.2f} times as long")
    run = Run(recipe, index, train_pictures, task, preprocessing, machine, workers, folder, reporter, about, arguments)
    fit(run, objective, state)
    reporter.say(f"model: {folder.model}")
    return folder


def _require_two_a_step(
    recipe: Recipe, arguments: dict[str, Any], task: Classify, input_size: tuple[int, int, int], pictures: int
) -> None:
    """Refuses batches of one picture where a batch norm could not learn from them; batches differ by one at most."""
    fewest = pictures // math.ceil(pictures / recipe.training.batch_size)
    name = recipe.network.model
    if fewest < 2 and least_batch(name, arguments, task, input_size) == 2:
        raise UsageError(
            f"`batch_size`: expected 2 pictures a step or more, because {name} has a batch norm over maps of one "
            f"value; got {recipe.training.batch_size}, at which {pictures} pictures make a step of one. Try 3 or more."
        )
