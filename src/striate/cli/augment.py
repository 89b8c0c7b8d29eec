"""striate augment: what augmentation makes of your own images, on one sheet."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import DEFAULT, as_in_recipe, require_apart, values_from_recipe
from striate.console import say
from striate.errors import DataError, UsageError
from striate.recipe import KEYS, AugmentRecipe, DataRecipe, Recipe
from striate.recipe.size import height_and_width

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from striate.data import Index


@Parameter(name="*")
@dataclass(frozen=True)
class Shown:
    """The tables of a recipe that say how an image looks."""

    data: DataRecipe = field(default_factory=DataRecipe)
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)


SHOWN = Shown()
SIZE = 224  # that of most published networks
values_from_tables = values_from_recipe({key for key, table in KEYS.items() if table in vars(SHOWN)} | {"seed"})


def augment(
    data: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias=("-o", "--out"))] = Path("sheet.png"),
    recipe: Path | None = None,
    count: Annotated[int, Parameter(validator=Number(gte=1, lte=100))] = 8,
    epochs: Annotated[int, Parameter(validator=Number(gte=1, lte=50))] = 7,
    seed: Annotated[int, as_in_recipe("seed")] = DEFAULT.training.seed,
    settings: Shown = SHOWN,
) -> None:
    """Draw a sheet of images as training would see them, with their boxes and masks on top.

    Images with one box, or with masks, are shown whole and are not mixed, because that is how their tasks train.

    Each row is one image: first what evaluation sees, then what the first epochs of training would see. A view is 224
    pixels wide and high, and of long photographs in their shape, unless --img-size says otherwise.

    Args:
        data: Images, as for `striate train`.
        output: PNG file to write.
        recipe: TOML file with values for the flags below; flags that are typed go before it.
        count: Images to show, spread over the data.
        epochs: Epochs to show of each image.
    """
    from striate.data import CROP_PCT, Preprocessing, mean_and_std, read_with
    from striate.report.sheet import draw_sheet

    index = read_with(data, settings.data)
    asked, index, boxes = _as_trained(Recipe(data=settings.data, augment=settings.augment), index)
    table = asked.data
    channels, (height, width) = table.in_channels or 3, height_and_width(table.img_size or SIZE)
    usual = mean_and_std(channels)
    mean, std = table.mean or usual[0], table.std or usual[1]
    for name, values in (("mean", mean), ("std", std)):
        if len(values) != channels:
            raise UsageError(f"`--{name}`: expected {channels} numbers, one a channel; got {len(values)}.")
    preprocessing = Preprocessing(
        (channels, height, width),
        mean,
        std,
        table.crop_pct or CROP_PCT,
        table.crop_mode or "center",
        pixel_range=table.pixel_range,
    )
    if not output.parent.is_dir():
        raise UsageError(f"`--output`: expected a file in a folder that exists; got {output}.")
    require_apart("--output", output, [data])
    skipped = draw_sheet(
        index,
        asked.augment,
        preprocessing,
        output,
        count=count,
        epochs=epochs,
        seed=seed,
        max_pixels=table.max_pixels,
        boxes=boxes,
    )
    for line in skipped:
        say(f"left out: {line}")
    say(f"{output}: what evaluation sees, then what training would in epochs 1 to {epochs}.")


def _as_trained(recipe: Recipe, index: "Index") -> "tuple[Recipe, Index, NDArray[np.float32] | None]":
    """What training would make of a recipe and its data: what the task fills in, which images it uses, and their boxes.

    All of it stays as it is where no task suits the data.
    """
    from striate.beginning import beginning
    from striate.data.check import left_out_lines
    from striate.tasks import task_of

    try:
        found = beginning(recipe, index).recipe
        task = task_of(index, found)
        matched = task.match(index)
    except DataError:  # such as images of several objects, whose boxes a sheet can show all the same
        return recipe, index, None
    height, width = height_and_width(found.data.img_size or SIZE)
    of_shape = height != width and max(height, width) >= SIZE  # as long photographs are shown
    size = found.data.img_size if of_shape else recipe.data.img_size
    asked = replace(found, data=replace(found.data, img_size=size))
    if not matched.usable().any():  # such as images without labels, which augmentation does not ask for
        return asked, index, None
    for note in matched.notes:
        if note not in index.notes:
            say(f"note: {note}")
    reasons = zip(matched.table["reason"].to_pylist(), index.usable(), strict=True)
    for line in left_out_lines(reason for reason, was_used in reasons if was_used and reason):
        say(f"note: {line}")
    return asked, matched, task.annotations(matched).get("boxes")
