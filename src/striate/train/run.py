"""A run from its beginning, or from where it stopped."""

import importlib.util
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from striate import recipe as recipes
from striate.augment.colour import measured
from striate.augment.presets import wants_components, written_out
from striate.data import (
    CROP_PCT,
    MEAN_STD,
    Index,
    IndexedImages,
    Loader,
    Order,
    Preprocessing,
    Rows,
    batches,
    read,
    require_few_bad,
    require_trainable,
    split,
    write_findings,
)
from striate.data.check import KINDS, Check, Severity, by_kind, examine
from striate.device import Machine, choose, cores, keep_memory
from striate.errors import SizeError, UsageError
from striate.graph.meta import META, Memory, build
from striate.model import commit
from striate.nets import create, default_of
from striate.recipe import Recipe
from striate.tasks import Task, task_kind, task_of, to_device
from striate.train import checkpoint, optimizer
from striate.train.checkpoint import Checkpoint
from striate.train.console import Reporter
from striate.train.determinism import slowdown
from striate.train.distributed import BACKENDS, Processes, Together
from striate.train.ema import Ema
from striate.train.feed import Feed, PictureFeed
from striate.train.folder import RunFolder
from striate.train.loop import fit
from striate.train.state import Run, State
from striate.train.step import least_batch
from striate.train.sync_batch_norm import synchronise
from striate.train.whiten import whiten

SAMPLE = 500  # pictures by which a first convolution learns to whiten
SAID = 5  # findings of each kind that are told one by one
RESUMABLE = {
    "machine": None,
    "training": {"epochs", "skip_bad_steps"},
}  # tables and keys that a resumed run may change; None: all of it
Found = tuple[Path, Checkpoint]  # where a checkpoint lies, and what it holds


class Start(Protocol):
    """What a network begins with, and what it learns from."""

    def prepare(self, net: nn.Module, run: Run, *, resumed: bool) -> None:
        """Gives a new network its first values, which a checkpoint replaces where a run is resumed."""
        ...

    def freeze(self, net: nn.Module, run: Run) -> None:
        """Lets some of its layers stay as they are."""
        ...

    def feed(self, net: nn.Module, run: Run) -> Feed:
        """What it learns from; the network has the values with which it goes on."""
        ...


class Scratch:
    """Drawn values, and pictures."""

    def prepare(self, net: nn.Module, run: Run, *, resumed: bool) -> None:
        """Lets the first convolution whiten, where that is asked for: a checkpoint has its values, but not that it
        stays as it is.
        """
        if run.recipe.network.whiten:
            whiten(net, _some_images(run))

    def freeze(self, net: nn.Module, run: Run) -> None:
        """Does nothing."""

    def feed(self, net: nn.Module, run: Run) -> Feed:
        """Pictures, from the pixel cache where that is worth it."""
        return PictureFeed.open(run)


def train(
    data: Path,
    recipe: Recipe,
    output: Path | None = None,
    reporter: Reporter | None = None,
    go: Callable[[Run, Found | None], None] | None = None,
) -> RunFolder:
    """Trains a model on the pictures at `data`.

    Args:
        data: see `striate.data.read`.
        recipe: what to do; what it leaves open is filled in.
        output: the run folder to make; runs/TASK/DATA-MODEL unless given, numbered where that exists.
        reporter: says how it goes; to the terminal unless given.
        go: does the work, once all is settled that comes before the network; `learn` unless given.

    Returns:
        The run folder; its `model` is the best model's file.

    Raises:
        UsageError: if the recipe names what is not there.
        DataError: if the data cannot be trained on, or too much of it is unreadable.
        TrainingError: if the loss is no longer a number.
    """
    with Together() as processes, ExitStack() as held:
        recipe = resolve(recipe)
        machine = processes.place(_machine(recipe))
        voice = _voice(reporter, processes)
        opening = _opening(processes, machine)
        folder, recipe, index = processes.from_first(lambda: _prepared(data, recipe, output, voice, opening, held))
        (go or learn)(_run(folder, index, recipe, machine, _logging(voice, folder, processes), processes), None)
        return folder


def _prepared(
    data: Path, recipe: Recipe, output: Path | None, reporter: Reporter, opening: str, held: ExitStack
) -> tuple[RunFolder, Recipe, Index]:
    """A new run folder, held, with the recipe and the checked and split index that the run goes by."""
    index = read(
        data,
        path_column=recipe.data.path_column,
        label_column=recipe.data.label_column,
        label_separator=recipe.data.label_separator,
        weight_column=recipe.data.weight_column,
        mask_classes=recipe.data.mask_classes,
    )
    index = task_of(index, recipe).match(index)
    name = data.resolve().name if data.is_dir() else data.resolve().stem
    network = recipe.network.name.replace("/", "-")
    folder = RunFolder.create(output or Path("runs") / recipe.network.task / f"{name}-{network}")
    held.enter_context(folder.held())
    reporter = replace(reporter, log=folder.log)
    if opening:
        reporter.say(opening)
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
    return folder, recipe, index


def _machine(recipe: Recipe) -> Machine:
    """As the recipe asks for it; where that says so, the process keeps its memory from here on."""
    if recipe.machine.keep_memory:
        keep_memory()
    asked = recipe.machine
    return choose(asked.device, asked.precision, asked.memory_format, asked.runtime)


def _opening(processes: Processes, machine: Machine) -> str:
    """The first line of a log; "" where one process trains."""
    return f"{processes}, {BACKENDS[machine.device.type]}" if processes.world > 1 else ""


def _voice(reporter: Reporter | None, processes: Processes) -> Reporter:
    """What a process says is heard of the first alone."""
    return (reporter or Reporter()) if processes.first else Reporter.silent()


def _logging(voice: Reporter, folder: RunFolder, processes: Processes) -> Reporter:
    return replace(voice, log=folder.log) if processes.first else voice


def resume(
    path: Path,
    recipe: Recipe | None = None,
    reporter: Reporter | None = None,
    go: Callable[[Run, Found | None], None] | None = None,
) -> RunFolder:
    """Goes on with a run after the step of its last checkpoint.

    Args:
        path: its folder.
        recipe: the run's own unless given; it may differ from that in what the machine does, in the number of epochs
            and in how many bad steps are skipped.
        reporter: as in `train`.
        go: likewise.

    Raises:
        UsageError: if `path` is no run folder, another process trains it, or the recipe changes what cannot be
            changed.
        TrainingError: if none of its checkpoints can be read.
    """
    with Together() as processes, ExitStack() as held:
        voice = _voice(reporter, processes)
        folder, recipe, index, found = processes.from_first(lambda: _stopped(path, recipe, voice, held))
        machine = processes.place(_machine(recipe))
        reporter = _logging(voice, folder, processes)
        if processes.first:
            folder.write_recipe(recipe)
        if opening := _opening(processes, machine):
            reporter.say(opening)
        (go or learn)(_run(folder, index, recipe, machine, reporter, processes), found)
        return folder


def _stopped(
    path: Path, recipe: Recipe | None, reporter: Reporter, held: ExitStack
) -> tuple[RunFolder, Recipe, Index, Found | None]:
    """The folder of a run that stopped, held, with what it goes on by and its last checkpoint."""
    folder = RunFolder.find(path)
    held.enter_context(folder.held())
    folder.tidy()
    found = checkpoint.last_whole(folder.checkpoint, replace(reporter, log=folder.log).say)
    recipe = resolve(recipe or folder.read_recipe())
    _require_resumable(found[1].recipe if found else folder.read_recipe(), recipe)
    return folder, recipe, Index.load(folder.index), found


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
    net = build(lambda: create(network.name, **network.model_args))
    channels = data.in_channels or default_of(network.name, "in_channels")
    size = data.img_size or int(net.image_size)  # type: ignore[arg-type]
    _require_logits(recipe, channels, size)
    mean, std = MEAN_STD[channels]
    data = replace(
        data,
        img_size=size,
        in_channels=channels,  # type: ignore[arg-type]  # a net is published for 1 or 3
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
    training = replace(recipe.training, lr=recipe.training.peak_lr)
    return replace(recipe, network=network, data=data, training=training, augment=written_out(recipe.augment))


def _require_logits(recipe: Recipe, channels: int, size: int) -> None:
    """Tries the network on pictures of the right size without computing anything, before the data is looked at."""
    network = recipe.network
    net = build(lambda: create(network.name, in_channels=channels, **network.model_args)).to(META).eval()
    images = torch.empty(2, channels, size, size, device=META)
    try:
        with torch.no_grad(), Memory(net, images):
            logits = net(images)
    except (RuntimeError, SizeError) as error:  # a map that became smaller than the next window
        raise UsageError(
            f"`img_size`: expected one that {network.name} can take; got {size}: {str(error).rstrip('.')}."
        ) from error
    task_kind(network.task).require_outputs(network.name, logits)


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


def _run(
    folder: RunFolder, index: Index, recipe: Recipe, machine: Machine, reporter: Reporter, processes: Processes
) -> Run:
    """What stays the same, with what follows from it."""
    task, data = task_of(index, recipe), recipe.data
    channels, size = data.in_channels or 3, data.img_size or 224
    mean, std = data.mean or MEAN_STD[channels][0], data.std or MEAN_STD[channels][1]
    network, arguments = task.net(recipe.network.name, {**recipe.network.model_args, "in_channels": channels})
    return Run(
        recipe,
        index,
        task,
        Preprocessing((channels, size, size), mean, std, data.crop_pct or CROP_PCT),
        machine,
        recipe.machine.workers or processes.cores,
        folder,
        reporter,
        about_run(recipe, index),
        network,
        arguments,
        processes,
    )


def about_run(recipe: Recipe, index: Index) -> dict[str, Any]:
    """What the model file says of a run."""
    return {
        "recipe": recipes.to_dict(recipe),
        "seed": recipe.training.seed,
        "commit": commit(),
        "data": index.fingerprint(),
    }


def learn(run: Run, found: Found | None, start: Start | None = None) -> None:
    """Builds the network and all around it, restores the checkpoint that was found, if one was, and trains.

    Args:
        run: in a folder of its own.
        found: the run's last checkpoint.
        start: `Scratch` unless given.
    """
    start = start or Scratch()
    recipe, task, machine, processes = run.recipe, run.task, run.machine, run.processes
    training, rows, reporter = recipe.training, run.index.rows("train"), run.reporter
    _require_two_a_step(recipe, run.network, run.arguments, task, run.preprocessing.input_size, rows, processes)
    torch.manual_seed(training.seed)
    net = create(run.network, **run.arguments)
    start.prepare(net, run, resumed=found is not None)
    net = machine.place(net)
    processes.share(net)
    if training.sync_batch_norm and processes.world > 1:
        synchronise(net, processes)
    start.freeze(net, run)
    ema = Ema(net, training.ema_decay) if training.ema_decay else None
    state = State(net, optimizer.build(net, training), ema)
    if found is not None:
        path, restored = found
        checkpoint.restore(restored, state)
        reporter.say(f"resumed from {path}, after {state.progress.step} steps")
    feed = start.feed(net, run)
    objective = machine.place(task.objective(feed.learner(net), recipe, run.index))

    say_what_learns(run, net)
    if recipe.machine.compile:
        objective.compile(dynamic=False, options={"fallback_random": True})  # dropout draws as it does without
        reporter.say("compiled: the first step of each batch size takes a minute or more")
    if recipe.machine.deterministic and machine.device.type != "cpu":  # a CPU is so at no cost
        blank = feed.blank(min(training.batch_size, len(rows)))
        targets = to_device(task.blank_targets(len(blank), run.preprocessing.input_size), machine.device)
        times = slowdown(machine, objective, blank, targets)
        reporter.say(f"deterministic: a pass forward and back takes {times:.2f} times as long")
    fit(run, feed, objective, state)
    reporter.say(f"model: {run.folder.model}")


def say_what_learns(run: Run, net: nn.Module) -> None:
    """Network, pictures and machine, in two lines."""
    parameters, learning = (
        sum(p.numel() for p in some) for some in (net.parameters(), filter(lambda p: p.requires_grad, net.parameters()))
    )
    some = f", of which {learning:,} learn" if learning < parameters else ""
    splits = ", ".join(f"{len(run.index.rows(name)):,} {name}" for name in ("train", "val", "test"))
    name, classes = run.network, len(run.task.classes)
    run.reporter.say(f"{name}: {parameters:,} parameters{some}, {classes} classes; pictures: {splits}")
    kept = ", freed memory is kept" if run.recipe.machine.keep_memory and keep_memory() else ""
    threads = f"{torch.get_num_threads()} threads of arithmetic, {run.workers} of decoding"
    run.reporter.say(f"{run.machine}; {threads}{kept}")


def _some_images(run: Run) -> Iterator[Tensor]:
    """A sample of the training pictures, spread evenly, as evaluation sees them: small batches (N, C, H, W)."""
    rows = run.index.rows("train")
    some = rows[:: math.ceil(len(rows) / SAMPLE)]
    pictures = IndexedImages(run.index, run.recipe.data.max_pixels)
    for batch in Loader(pictures, batches(some, 8), run.preprocessing):
        yield run.preprocessing.normalise(batch.images)


def _require_two_a_step(
    recipe: Recipe,
    name: str,
    arguments: dict[str, Any],
    task: Task,
    input_size: tuple[int, int, int],
    rows: Rows,
    processes: Processes,
) -> None:
    """Refuses batches of one picture where a batch norm could not learn from them; batches differ by one at most."""
    training, world = recipe.training, processes.world
    steps = len(Order(rows, training.seed, 0, training.batch_size, rank=processes.rank, world=world))
    fewest = len(rows) // steps
    if fewest < 2 * world and least_batch(name, arguments, task, input_size) == 2:
        each = f", 2 for each of {world} processes," if world > 1 else ","
        raise UsageError(
            f"`batch_size`: expected {2 * world} pictures a step or more{each} because {name} has a batch norm over "
            f"maps of one value; got {training.batch_size}, at which {len(rows)} pictures make a step of "
            f"{fewest if world > 1 else 'one'}. Try {2 * world + 1} or more."
        )
