"""striate train: a model from images."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, ArgumentCollection, Parameter

from striate.cli.flags import DEFAULT, Settings, give_values, typed
from striate.errors import UsageError
from striate.recipe import KEYS


def values_from_file(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Gives the flags that were not typed the values of `--recipe FILE`, or of the run of `--resume RUN`."""
    recipe, run = typed(arguments, "--recipe"), typed(arguments, "--resume")
    if recipe and run:
        raise UsageError("`--recipe` and `--resume`: expected one of them; a resumed run has its recipe in its folder.")
    path = Path(run) / "recipe.toml" if run else Path(recipe)
    if run and not path.exists():
        raise UsageError(f"`--resume`: expected the folder of a run; got {run}, which has no recipe.toml.")
    if run or recipe:
        give_values(path, KEYS, app, commands, arguments)


def train(
    data: Path | None = None,
    /,
    *,
    recipe: Path | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    resume: Path | None = None,
    settings: Settings = DEFAULT,
) -> None:
    """Train a network on images and keep the best as one model file.

    DATA is a folder of class folders (with train, val, test above them, or none), a CSV of path and label, or any other
    layout of docs/data.md: VOC, COCO, boxes in CSV files, idx as of MNIST, Parquet of the Hugging Face Hub, an index
    that `striate check --fix` wrote.

    Photographs begin with published weights that the installation brings, other images with drawn values: `--weights`.

    Args:
        data: Images to learn from.
        recipe: TOML file with values for the flags below; flags that are typed go before it.
        output: Run folder to make; runs/TASK/DATA-MODEL unless given. An existing one is never overwritten: the new
            one is numbered.
        resume: Run folder of an earlier run that goes on after its last checkpoint, with its own data and recipe.
    """
    from striate import api

    if resume is not None:
        if data is not None or output is not None:
            raise UsageError("`--resume`: expected no DATA and no --output beside it; both are the run's own.")
        api.resume(resume, settings)
    elif data is None:
        raise UsageError(
            "DATA: expected a folder, CSV, JSON or Parquet file to train on; got none. See `striate train --help`."
        )
    else:
        api.train(data, settings, output=output)
