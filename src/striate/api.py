"""What a program calls: training and evaluation in one call each, on data from files or from memory."""

import fnmatch
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from striate import recipe as recipes
from striate.console import Reporter
from striate.data import Index, index_of, read_with
from striate.data.crops import Viewing
from striate.data.index_file import load_index
from striate.errors import StriateError, UsageError
from striate.evaluation import Evaluation, summarise
from striate.evaluation import evaluate as evaluate_model
from striate.model import Model
from striate.nets import CATALOGUE
from striate.pretrained import load
from striate.recipe import Recipe
from striate.training import RunFolder
from striate.training.process_group import Processes


def train(
    data: Any,
    recipe: Recipe | Path | str | None = None,
    *,
    output: Path | str | None = None,
    reporter: Reporter | None = None,
    **settings: Any,
) -> RunFolder:
    """Trains a model, as `striate train` does.

    Args:
        data: a folder or file of any layout that `striate.data.read` knows; or a list, dict or table, see
            `striate.data.index_of`; or an index.
        recipe: what to do, or the TOML file that says so; the defaults unless given.
        output: the run folder to make; runs/TASK/DATA-MODEL unless given, numbered where that exists.
        reporter: says how it goes; to the terminal unless given.
        settings: keys of the recipe that differ from it, such as `model="resnet18"`, `epochs=5` or `report=False`.

    Returns:
        The run folder; its `model` is the best model's file, which `striate.load` reads.

    Raises:
        UsageError: if the recipe names what is not there.
        DataError: if the data cannot be trained on, or too much of it is unreadable.
        WeightsError, ModelFileError: if the weights to begin with are not there, or not whole.
        TrainingError: if the loss is no longer a number.
    """
    recipe = _recipe(recipe, settings)
    folder = Path(output) if output is not None else None
    source = Path(data) if isinstance(data, str | Path) else _index(data, recipe)
    from striate import members, transfer

    begin = members.train if recipe.training.members > 1 else transfer.train
    run = begin(source, recipe, folder, reporter)
    if recipe.machine.report:
        _report(run, reporter)
    return run


def resume(
    path: Path | str,
    recipe: Recipe | None = None,
    *,
    reporter: Reporter | None = None,
    **settings: Any,
) -> RunFolder:
    """Goes on with a run after the step of its last checkpoint.

    Args:
        path: the run folder.
        recipe: the run's own unless given; what the machine does may differ from that, and the number of epochs.
        reporter: says how it goes; to the terminal unless given.
        settings: keys of the recipe that differ from it.

    Raises:
        UsageError: if `path` is no run folder, another process trains it, or the recipe changes what cannot be changed.
        TrainingError: if none of its checkpoints can be read.
    """
    folder = RunFolder.find(Path(path))
    if folder.members.is_dir():
        raise UsageError(
            f"resume: expected the folder of one model's run; got that of several, {path}. Go on with one of those in "
            f"{folder.members}, then combine them with `striate ensemble`."
        )
    recipe = recipes.with_values(recipe or folder.read_recipe(), settings)
    from striate import transfer

    run = transfer.resume(folder.path, recipe, reporter)
    if recipe.machine.report:
        _report(run, reporter)
    return run


def _report(run: RunFolder, reporter: Reporter | None) -> None:
    """Ends a run with its report; where that cannot be written, the run is whole without it, and the reason is told."""
    if not Processes.of(os.environ).first:
        return
    from striate.report.write import write_report

    reporter = replace(reporter or Reporter(), log=run.log)
    try:
        machine = run.read_recipe().machine
        model = load(run.model, device=machine.device)
        if run.answered is not None:
            run.answered.lend_net(model)
        index = load_index(run.index)
        write_report(
            model,
            index,
            run.model,
            run,
            page=run.report,
            card=run.card,
            workers=machine.workers,
            progress=reporter.counting,
            answered=run.answered,
        )
    except (StriateError, OSError, RuntimeError, MemoryError) as error:
        reporter.info(f"report: cannot be written: {error} The model is whole; try `striate report {run.path}`.")
    else:
        reporter.info(f"report: {run.report}")


def evaluate(
    model: Model | Path | str,
    data: Any,
    *,
    split: str = "auto",
    batch_size: int = 64,
    workers: int | None = None,
    crops: int = 1,
    mirror: bool = False,
    scales: Sequence[float] = (1.0,),
    window: int | None = None,
    abstain_at: float | None = None,
    group: Sequence[Any] | None = None,
    slice_by: Mapping[str, Sequence[Any]] | None = None,
) -> Evaluation:
    """Scores a model on labelled images, as `striate evaluate` does.

    Args:
        model: a model, or its file.
        data: as in `train`; classes are matched by name.
        split: "train", "val", "test", "all", or "auto" for test, else val, else all.
        batch_size: images at a time.
        workers: threads that decode; one a core unless given.
        crops: windows on each image over which probabilities are averaged; see `striate.data.crops.Viewing`.
        mirror: average over the mirror image of each too.
        scales: how much larger than else the image is seen, each of which is a set of views.
        window: pixels of each image that a model that names pixels sees at a time; see `striate.data.crops.Viewing`.
        abstain_at: wanted accuracy, 0 to 1: find the probability from which on answers are right so often.
        group: a value for each image of the data, such as a patient's: those of one value count as one in intervals.
        slice_by: by name, a value for each image of the data, by which they are looked at in parts.

    Raises:
        DataError: if a class is unknown to the model, or the split has no labelled image.
        ModelFileError: if the model's file is not there, or not whole.
    """
    loaded = model if isinstance(model, Model) else load(model)
    index = _index(data, Recipe())
    scored = evaluate_model(loaded, index, split, batch_size, workers, Viewing(crops, mirror, tuple(scales), window))
    return summarise(
        scored,
        group=scored.column("group", group) if group is not None else None,
        slice_by=[scored.column(name, values) for name, values in (slice_by or {}).items()],
        abstain_at=abstain_at,
    )


def list_models(pattern: str = "*") -> list[str]:
    """The names of networks that `create` and `train` know, in order; with the extra `striate[hub]`, timm/NAME too.

    Args:
        pattern: with `*` for any characters, such as `resnet*`.

    >>> list_models("resnet1*")[:2]
    ['resnet101', 'resnet1202_cifar']
    """
    return sorted(fnmatch.filter(CATALOGUE, pattern))


def _index(data: Any, recipe: Recipe) -> Index:
    """The index of data of any kind."""
    if isinstance(data, Index):
        return data
    options = recipe.data
    if isinstance(data, str | Path):
        return read_with(Path(data), options)
    return index_of(data, path_column=options.path_column, label_column=options.label_column)


def _recipe(recipe: Recipe | Path | str | None, settings: dict[str, Any]) -> Recipe:
    if recipe is not None and not isinstance(recipe, Recipe | Path | str):
        raise UsageError(
            f"`recipe`: expected a Recipe or the path of a TOML file; got {type(recipe).__name__}. "
            "Try settings by name, such as epochs=5."
        )
    base = recipe if isinstance(recipe, Recipe) else Recipe() if recipe is None else recipes.load(Path(recipe))
    return recipes.with_values(base, settings)
