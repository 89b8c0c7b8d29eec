"""striate train: a model from images."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, ArgumentCollection, Parameter
from cyclopts.config import Dict

from striate.errors import UsageError
from striate.recipe import Recipe, load, to_dict


def values_from_file(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Gives the flags that were not typed the values of `--recipe FILE`, or of the run of `--resume RUN`."""
    paths = {name: _typed(arguments, name) for name in ("--recipe", "--resume")}
    if paths["--recipe"] and paths["--resume"]:
        raise UsageError("`--recipe` and `--resume`: expected one of them; a resumed run has its recipe in its folder.")
    if paths["--resume"]:
        path: Path | None = Path(paths["--resume"]) / "recipe.toml"
        if not Path(paths["--resume"], "recipe.toml").exists():
            raise UsageError(
                f"`--resume`: expected the folder of a run; got {paths['--resume']}, which has no recipe.toml."
            )
    else:
        path = Path(paths["--recipe"]) if paths["--recipe"] else None
    if path is not None:
        values = {commands[0]: _flags(load(path))}  # under the verb, because a flag may be called as another verb is
        Dict(values, source=str(path))(app, commands, arguments)


def _typed(arguments: ArgumentCollection, name: str) -> str:
    return next((token.value for argument in arguments if argument.name == name for token in argument.tokens), "")


def _flags(recipe: Recipe) -> dict[str, Any]:
    """The recipe's values by the names of their flags."""
    tables = to_dict(recipe).values()
    return {key.replace("_", "-"): value for table in tables for key, value in table.items() if value != {}}


DEFAULT = Recipe()


def train(
    data: Path | None = None,
    /,
    *,
    recipe: Path | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    resume: Path | None = None,
    settings: Annotated[Recipe, Parameter(name="*")] = DEFAULT,
) -> None:
    """Train a network on images and keep the best as one model file.

    DATA is a folder of class folders (with train, val, test above them, or none), a CSV of path and label, or any other
    layout of docs/data.md: VOC, COCO, boxes in CSV files, idx as of MNIST, Parquet of the Hugging Face Hub, an index
    that `striate check --fix` wrote.

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
