"""Flags that several verbs share: the recipe's own names, defaults and help, never retyped."""

import ast
import functools
import inspect
import itertools
import textwrap
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from cyclopts import App, ArgumentCollection, Parameter
from cyclopts.config import Dict

from striate.errors import UsageError
from striate.recipe import KEYS, TABLES, ReadRecipe, Recipe, load, to_dict
from striate.recipe.tables import Device, Precision
from striate.records import unmet

if TYPE_CHECKING:
    from striate.data import Index
    from striate.data.crops import Viewing

DEFAULT = Recipe()
CROPS = (
    "Windows on each image: 5 are the corners and the centre of its middle square; 10 those and their mirror images; "
    "the square of another number a grid over all of it; 144 as GoogLeNet."
)
WINDOW = (
    "Look at windows of so many pixels of each image, which overlap and are blended; for models that name pixels, of "
    "images larger than what the network is shown. All of an image at once unless given."
)
Settings = Annotated[Recipe, Parameter(name="*")]
"""Every flag of a recipe."""
JsonOutput = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for a script.")]


@functools.cache
def _texts(table: type) -> dict[str, str]:
    """The text under each field of a table of the recipe."""
    texts: dict[str, str] = {}
    for base in filter(is_dataclass, reversed(table.__mro__)):
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        body = definition.body if isinstance(definition, ast.ClassDef) else []
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                texts[field.target.id] = inspect.cleandoc(str(ast.literal_eval(text.value))).replace("\n", " ")
    return texts


def as_in_recipe(key: str) -> Parameter:
    """The help, the short form and the range that a key of the recipe has as a flag of `striate train`."""
    table = TABLES[KEYS[key]]
    hint = get_type_hints(table, include_extras=True)[key]
    aliases = [
        alias for each in getattr(hint, "__metadata__", ()) if isinstance(each, Parameter) for alias in each.alias or ()
    ]

    def validate(_: Any, value: Any) -> None:
        if expected := unmet(hint, value):
            raise ValueError(f"Expected {expected}.")

    return Parameter(help=_texts(table)[key], alias=aliases, validator=validate)


Config = Callable[[App, tuple[str, ...], ArgumentCollection], None]


def typed(arguments: ArgumentCollection, name: str) -> str:
    """What was typed after a flag; "" where it was not."""
    return next((token.value for argument in arguments if argument.name == name for token in argument.tokens), "")


def give_values(path: Path, keys: Collection[str], *call: Any) -> None:
    """Gives the flags that were not typed the values of a recipe's file.

    Args:
        path: of the file.
        keys: of the recipe, those that are flags here.
        call: what Cyclopts calls a config with: the app, the verb and its arguments.
    """
    app, commands, arguments = call
    tables = to_dict(load(path)).values()
    values = {key: value for table in tables for key, value in table.items() if key in keys and value != {}}
    flags = {key.replace("_", "-"): value for key, value in values.items()}
    # under the verb: of keys that are not, Cyclopts drops those that are named as a verb is, such as `augment`
    Dict({commands[0]: flags}, source=str(path))(app, commands, arguments)


def values_from_recipe(keys: Collection[str] = KEYS.keys()) -> Config:
    """A source of values for Cyclopts: the file of `--recipe`, for flags that were not typed.

    Args:
        keys: of the recipe, those that are flags of the verb.
    """

    def config(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        if path := typed(arguments, "--recipe"):
            give_values(Path(path), keys, app, commands, arguments)

    return config


@Parameter(name="*")
@dataclass(frozen=True)
class Reading(ReadRecipe):
    """What labelled data means, where that is not plain."""

    def index(self, data: Path) -> "Index":
        """The index of the images at `data`."""
        from striate.data import read_with

        return read_with(data, self)


@Parameter(name="*")
@dataclass(frozen=True)
class Running:
    """How a model runs over images."""

    batch_size: Annotated[int, as_in_recipe("batch_size"), Parameter(help="Images at a time.")] = 64
    workers: Annotated[int | None, as_in_recipe("workers")] = None
    device: Annotated[Device, as_in_recipe("device")] = DEFAULT.machine.device
    precision: Annotated[Precision, as_in_recipe("precision")] = DEFAULT.machine.precision


@Parameter(name="*")
@dataclass(frozen=True)
class Looking:
    """How often each image is looked at; probabilities are averaged over the views."""

    crops: Annotated[int, Parameter(help=CROPS)] = 1
    mirror: Annotated[bool, Parameter(negative="", help="Look at the mirror image of each view too.")] = False
    scales: Annotated[
        tuple[float, ...], Parameter(help="How much larger the image is seen; may be given several times.")
    ] = (1.0,)
    window: Annotated[int | None, Parameter(help=WINDOW)] = None

    @property
    def viewing(self) -> "Viewing":
        """The views of each image.

        Raises:
            UsageError: if these crops or scales are none.
        """
        from striate.data.crops import Viewing

        return Viewing(self.crops, self.mirror, self.scales, self.window)


LOOKING, READING, RUNNING = Looking(), Reading(), Running()


def require_apart(flag: str, output: Path, read: Iterable[Path | None]) -> None:
    """Stops before what a command reads is replaced by what it writes.

    Args:
        flag: that names the output.
        output: a file; or a folder, into which files are written that are named after those that are read.
        read: files, and folders in which any file may be read; None is left out.

    Raises:
        UsageError: if the output is one of the files, or the folder that one of them lies in.
    """
    target = output.resolve()
    is_folder = target.is_dir()
    if not target.exists():
        return
    folders: dict[Path, Path] = {}
    for path in read:
        if path is None:
            continue
        if path.parent not in folders:
            folders[path.parent] = path.parent.resolve()
        place = folders[path.parent] / path.name
        within = not is_folder and place in target.parents
        if within or target in (place, place.resolve(), *([folders[path.parent]] if is_folder else [])):
            raise UsageError(
                f"`{flag}`: expected another place than that of what is read, which would be replaced; got {output}. "
                "Try a name that is not there yet."
            )
