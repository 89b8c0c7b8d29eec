"""striate augment: what augmentation makes of one's own pictures, on one sheet."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import App, ArgumentCollection, Parameter
from cyclopts.config import Dict
from cyclopts.validators import Number

from striate.errors import UsageError
from striate.recipe import AugmentRecipe, DataRecipe, load, to_dict


@Parameter(name="*")
@dataclass(frozen=True)
class Settings:
    """The tables of a recipe that say how a picture looks."""

    data: DataRecipe = field(default_factory=DataRecipe)
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)


DEFAULT = Settings()
SIZE = 224  # of most published networks


def values_from_recipe(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Gives the flags that were not typed the values of `--recipe FILE`, of the tables that they are in."""
    typed = [token.value for argument in arguments if argument.name == "--recipe" for token in argument.tokens]
    if typed:
        tables = to_dict(load(Path(typed[0])))
        values = tables["data"] | tables["augment"] | {"seed": tables["training"]["seed"]}
        flags = {key.replace("_", "-"): value for key, value in values.items() if value != {}}
        # under the verb: of keys that are not, Cyclopts drops those that are named as a verb is, such as `augment`
        Dict({"augment": flags}, source=typed[0])(app, commands, arguments)


def augment(
    data: Path,
    /,
    *,
    out: Annotated[Path, Parameter(alias="-o")] = Path("sheet.png"),
    recipe: Path | None = None,
    count: Annotated[int, Parameter(validator=Number(gte=1))] = 8,
    epochs: Annotated[int, Parameter(validator=Number(gte=1))] = 7,
    seed: Annotated[int, Parameter(validator=Number(gte=0, lt=2**63))] = 0,
    settings: Settings = DEFAULT,
) -> None:
    """Draw a sheet of pictures as training would see them, with their boxes and masks on top.

    A row a picture: first what evaluation sees, then what the first epochs of training would. A view is 224 pixels wide
    and high unless --img-size says otherwise.

    Args:
        data: Pictures, as for `striate train`.
        out: PNG file to write.
        recipe: TOML file with values for the flags below; flags that are typed go before it.
        count: Pictures to show, spread over the data.
        epochs: Epochs to show of each picture.
        seed: Of every random draw.
    """
    from striate.data import CROP_PCT, MEAN_STD, Preprocessing, read_with
    from striate.report.sheet import draw_sheet

    table = settings.data
    channels, size = table.in_channels or 3, table.img_size or SIZE
    mean, std = table.mean or MEAN_STD[channels][0], table.std or MEAN_STD[channels][1]
    for name, values in (("mean", mean), ("std", std)):
        if len(values) != channels:
            raise UsageError(f"`--{name}`: expected {channels} numbers, one a channel; got {len(values)}.")
    preprocessing = Preprocessing((channels, size, size), mean, std, table.crop_pct or CROP_PCT)
    index = read_with(data, table)
    if not out.parent.is_dir():
        raise UsageError(f"`--out`: expected a file in a folder that exists; got {out}.")
    skipped = draw_sheet(
        index,
        settings.augment,
        preprocessing,
        out,
        count=count,
        epochs=epochs,
        seed=seed,
        max_pixels=table.max_pixels,
    )
    for line in skipped:
        print(f"left out: {line}")
    print(f"{out}: what evaluation sees, then what training would in epochs 1 to {epochs}.")
