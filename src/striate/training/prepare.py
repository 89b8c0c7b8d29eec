"""Before the network: a run's folder, its recipe, and its data, checked, matched to the task and split."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from striate.augment.colour import measured
from striate.augment.presets import wants_components
from striate.caches import cache_folder, ends_with_process
from striate.console import Reporter
from striate.data import (
    CROP_PCT,
    READ_AS,
    Index,
    Preprocessing,
    mean_and_std,
    read_with,
    require_few_bad,
    require_trainable,
    write_findings,
)
from striate.data.check import KINDS, Check, Finding, Severity, by_kind, examine, leaks, left_out_lines, lines_of
from striate.data.index_file import load_index
from striate.device import Machine, arithmetic_threads, choose, keep_memory
from striate.files import list_names
from striate.processors import cores
from striate.recipe import NO_WEIGHTS, Recipe
from striate.recipe.size import height_and_width
from striate.tasks import AUTO, settled, task_of
from striate.training import checkpoint
from striate.training.checkpoint import Checkpoint
from striate.training.folder import RunFolder
from striate.training.pinning import changes, pinned, possible
from striate.training.process_group import BACKENDS, JoinedProcesses, Processes
from striate.training.resolve import require_resumable, resolve
from striate.training.run import Run

LEFT_OUT = "left-out"  # the kind of images that the index says are not used
TOO_MANY_BAD = "too-many-bad"  # the kind of what stops the run, in a sentence of its own


@dataclass(frozen=True)
class _Opened:
    """What the first process tells the others of a run folder, which it holds."""

    folder: RunFolder
    recipe: Recipe
    index: Index
    checkpoint: Checkpoint | None = None


@contextmanager
def prepare(
    data: Path | Index,
    recipe: Recipe,
    output: Path | None = None,
    reporter: Reporter | None = None,
    said: Sequence[str] = (),
) -> Iterator[Run]:
    """A new run, with a folder that this process holds within the context.

    Args:
        data: what `striate.data.read` takes, or an index.
        recipe: what to do; what it leaves open is filled in.
        output: the run folder to make; runs/TASK/DATA-MODEL unless given, numbered where that exists.
        reporter: says how it goes; to the terminal unless given.
        said: what was decided before, which the log begins with.

    Raises:
        UsageError: if the recipe names what is not there.
        DataError: if the data cannot be trained on, or too much of it is unreadable.
    """
    with JoinedProcesses() as processes, ExitStack() as held:
        resolve(recipe)  # what it names is tried before the data are read, which may take long
        found = processes.from_first(lambda: read_data(data, recipe))
        recipe = resolve(settled(recipe, found))
        output = output or default_output(data, recipe)
        held.enter_context(arithmetic_threads(recipe.machine.threads))
        machine = processes.place(machine_of(recipe))
        recipe = pinned(recipe, machine)
        first_reporter = _for_first(reporter, processes)
        opening = (*_opening(processes, machine), *said)
        opened = processes.from_first(lambda: _new(found, recipe, output, first_reporter, opening, held))
        logging = _logging(first_reporter, opened.folder, processes)
        yield _run(opened, opened.recipe, machine, logging, processes)


@contextmanager
def reopen(path: Path, recipe: Recipe | None = None, reporter: Reporter | None = None) -> Iterator[Run]:
    """A run that stopped, with its folder, which this process holds within the context, and its last checkpoint.

    Args:
        path: the run folder.
        recipe: the run's own unless given; it may differ from that in what the machine does, in the number of epochs
            and in how many bad steps are skipped.
        reporter: as in `prepare`.

    Raises:
        UsageError: if `path` is no run folder, another process trains it, or the recipe changes what cannot be
            changed.
        TrainingError: if none of its checkpoints can be read.
    """
    with JoinedProcesses() as processes, ExitStack() as held:
        first_reporter = _for_first(reporter, processes)
        opened = processes.from_first(lambda: _stopped(path, recipe, first_reporter, held))
        folder = opened.folder
        began, recipe = folder.read_recipe(), possible(opened.recipe)
        held.enter_context(arithmetic_threads(recipe.machine.threads))
        machine = processes.place(machine_of(recipe))
        recipe = pinned(recipe, machine)
        reporter = _logging(first_reporter, folder, processes)
        opening = (*_opening(processes, machine), *changes(began, machine))
        processes.from_first(lambda: folder.write_recipe(recipe))  # once all have read the one before
        for sentence in opening:
            reporter.info(sentence)
        yield _run(opened, recipe, machine, reporter, processes)


def _new(
    index: Index, recipe: Recipe, output: Path, reporter: Reporter, opening: Sequence[str], held: ExitStack
) -> _Opened:
    """A new run folder, held, with the recipe and the checked and split index that the run goes by."""
    index = task_of(index, recipe).match(index)
    folder = RunFolder.create(output)
    held.enter_context(folder.held())
    reporter = replace(reporter, log=folder.log)
    for sentence in (*opening, *_unkept()):
        reporter.info(sentence)
    folder.write_recipe(recipe)
    index, found = checked_and_split(index, recipe, reporter, folder.check)
    recipe = with_pixel_range(recipe, found)
    folder.write_recipe(recipe)
    if wants_components(recipe.augment):
        recipe = replace(recipe, augment=measured(recipe.augment, found.colours))
        folder.write_recipe(recipe)
    folder.write_index(index)
    return _Opened(folder, recipe, index)


def _unkept() -> Iterator[str]:
    """A sentence where the cache ends with this process."""
    lasting = cache_folder("features", lasting=True)
    if ends_with_process(cache_folder("features")):
        why = "there is no home folder" if ends_with_process(lasting) else f"{lasting.parent} cannot be written"
        yield f"cache: {why}, so that nothing is kept; STRIATE_CACHE names another folder."


def read_data(data: Path | Index, recipe: Recipe) -> Index:
    """The index of data, as the recipe says that they are to be read; an index is given back as it is."""
    return data if isinstance(data, Index) else read_with(data, recipe.data, recipe.network.task)


def checked_and_split(
    index: Index, recipe: Recipe, reporter: Reporter, findings: Path | None = None
) -> tuple[Index, Check]:
    """The index without what cannot be read, split as the recipe says, copies of an image together.

    Images of train that are copies of others in val or test, where the data parts them, are left out unless the recipe
    keeps them.

    Args:
        index: as the task's `match` gives it.
        recipe: its limits, fractions and seed.
        reporter: is told what is wrong.
        findings: file to write all findings to.

    Raises:
        DataError: if too much cannot be read, or what is left cannot be trained on.
    """
    for note in index.notes:
        reporter.info(note if note.startswith(READ_AS) else f"note: {note}")
    found = _checked(index, recipe, findings, reporter)
    data = recipe.data
    if sentence := found.depth.sentence(data.pixel_range):
        reporter.info(sentence)
    index = found.split(val_fraction=data.val_fraction, test_fraction=data.test_fraction, seed=recipe.split_seed)
    if leaking := found.leaks(index):
        reporter.info(leaks.sentence(index, leaking, keep=data.keep_leaks))
        if not data.keep_leaks:
            index = leaks.without(index, leaking)
            if findings is not None:
                write_findings([*found.findings, *leaks.findings(index, leaking)], findings)
    require_trainable(index)
    task_of(index, recipe).require_trainable(index)
    if not len(index.rows("val")):
        why = "it takes 3 images of a class that are no copies" if data.val_fraction else "--val-fraction is 0"
        reporter.info(f"warning: val: no image is held out, so that no score is one of new images: {why}.")
        return index, found
    taught = index.counts("train")
    if unseen := [name for name, count in index.counts("val").items() if taught[name] and not count]:
        reporter.info(f"warning: val has no image of {list_names(unseen)}, so that its scores say nothing of that.")
    return index, found


def with_pixel_range(recipe: Recipe, found: Check) -> Recipe:
    """The recipe with what is black and what white in images of more than 8 bits, by the data unless it says so."""
    return replace(recipe, data=replace(recipe.data, pixel_range=recipe.data.pixel_range or found.depth.levels))


def default_output(data: Path | Index, recipe: Recipe) -> Path:
    """The run folder of a run that names none: runs/TASK/DATA-MODEL."""
    if isinstance(data, Index):
        name = data.root.resolve().name or "images"
    else:
        name = data.resolve().name if data.is_dir() else data.resolve().stem
    network = recipe.network.name.replace("/", "-")
    return Path("runs") / recipe.network.task / f"{name}-{network}"


def _checked(index: Index, recipe: Recipe, output: Path | None, reporter: Reporter) -> Check:
    """Reads every image, says what is wrong, and stops where too many cannot be read."""
    found = examine(
        index,
        max_pixels=recipe.data.max_pixels,
        max_bad=recipe.data.max_bad,
        workers=recipe.machine.workers or cores(),
        progress=reporter.counting,
    )
    if output is not None:
        write_findings(found.findings, output)
    leaking = {leak.row for leak in found.leaks(found.index)}  # one sentence tells of them, once all are split
    told = [each for each in found.findings if each.kind != "leak" or leaking.isdisjoint(each.rows)]
    where = f"in {output}" if output is not None else "which `striate check` names"
    for kind, findings in by_kind(told).items():
        if KINDS[kind].severity is not Severity.INFO and kind != TOO_MANY_BAD:
            for line in _lines(kind, findings, where):
                reporter.info(line)
    of_bands = found.of_bands(recipe.data.in_channels)
    if other := int(found.index.usable().sum() - of_bands.index.usable().sum()):
        images = "image that has" if other == 1 else "images that have"
        reporter.info(f"left out: {other:,} {images} not {recipe.data.in_channels} bands")
    require_few_bad(index, of_bands.index, recipe.data.max_bad, where if output is not None else "by `striate check`")
    return of_bands


def _lines(kind: str, findings: Sequence[Finding], where: str) -> Iterator[str]:
    """What the console says of the findings of a kind.

    Images that are left out for what the data say of them, such as those of several objects, have a line a reason.

    Args:
        kind: a key of `KINDS`.
        findings: of this kind.
        where: all of them can be read.
    """
    if kind == LEFT_OUT:
        for line in left_out_lines(finding.reason for finding in findings):
            yield f"{KINDS[kind].severity.value}: {line}, {where}"
        return
    yield from lines_of(kind, findings, f", {where}")


def _stopped(path: Path, recipe: Recipe | None, reporter: Reporter, held: ExitStack) -> _Opened:
    """The folder of a run that stopped, held, with what it goes on by and its last checkpoint."""
    folder = RunFolder.find(path)
    held.enter_context(folder.held())
    folder.tidy()
    last = checkpoint.last_whole(folder.checkpoint, replace(reporter, log=folder.log).info)
    own = folder.read_recipe()
    moved = recipe.data.image_root if recipe and recipe.data.image_root != own.data.image_root else ""
    index = load_index(folder.index, Path(moved) if moved else None)
    before = _decided(last.recipe if last else own, index, "classify")
    recipe = resolve(_decided(recipe or folder.read_recipe(), index, before.network.task))
    require_resumable(before, recipe)
    if moved:
        folder.write_index(index)
    return _Opened(folder, recipe, index, last)


def _decided(recipe: Recipe, index: Index, task: str) -> Recipe:
    """The recipe with what its task fills in; `task` is for one that names none, as older recipes do."""
    if recipe.network.task == AUTO:
        recipe = replace(recipe, network=replace(recipe.network, task=task))
    return settled(recipe, index)


def _run(opened: _Opened, recipe: Recipe, machine: Machine, reporter: Reporter, processes: Processes) -> Run:
    """The run of a folder by a recipe, with what follows from that and the index."""
    task, preprocessing = task_of(opened.index, recipe), preprocessing_of(recipe)
    given = {**recipe.network.model_args, "in_channels": preprocessing.channels}
    network, arguments = task.net(recipe.network.name, given)
    return Run(
        recipe,
        opened.index,
        task,
        preprocessing,
        machine,
        recipe.machine.workers or processes.cores,
        opened.folder,
        reporter,
        network,
        arguments,
        processes,
        opened.checkpoint,
    )


def preprocessing_of(recipe: Recipe) -> Preprocessing:
    """The preprocessing that a resolved recipe asks for."""
    data = recipe.data
    channels, (height, width) = data.in_channels or 3, height_and_width(data.img_size or 224)
    usual = mean_and_std(channels)
    return Preprocessing(
        (channels, height, width),
        data.mean or usual[0],
        data.std or usual[1],
        data.crop_pct or CROP_PCT,
        data.crop_mode or "center",
        pixel_range=data.pixel_range,
    )


def machine_of(recipe: Recipe) -> Machine:
    """The machine that the recipe asks for; where it says so, the process keeps its memory from here on."""
    if recipe.machine.keep_memory:
        keep_memory()
    asked, transfer = recipe.machine, recipe.transfer
    keeps_features = transfer.weights != NO_WEIGHTS and transfer.freeze != "none" and transfer.views != 0
    runtime = asked.runtime if keeps_features or asked.runtime != "auto" else "torch"  # which is all that trains
    return choose(asked.device, asked.precision, asked.memory_format, runtime)


def _opening(processes: Processes, machine: Machine) -> tuple[str, ...]:
    """The first line of a log; none where one process trains."""
    return (f"{processes}, {BACKENDS[machine.device.type]}",) if processes.world > 1 else ()


def _for_first(reporter: Reporter | None, processes: Processes) -> Reporter:
    """The reporter of the first process; the others are silent."""
    return (reporter or Reporter()) if processes.first else Reporter.silent()


def _logging(reporter: Reporter, folder: RunFolder, processes: Processes) -> Reporter:
    return replace(reporter, log=folder.log) if processes.first else reporter
