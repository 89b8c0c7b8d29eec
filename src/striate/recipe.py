"""A recipe: everything that decides what a training run computes.

The dataclasses below are the one definition. Their fields are the keys of the TOML file (a table a class) and the flags
of `striate train`; their defaults are the defaults of both; the text under a field is its `--help`.
"""

import dataclasses
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
import tomli_w
from cyclopts import Group, Parameter

from striate.errors import UsageError, nearest


def _require(condition: bool, name: str, expected: str, got: object) -> None:
    if not condition:
        raise UsageError(f"`{name}`: expected {expected}; got {got}.")


@Parameter(name="*", group=Group("Network", sort_key=1))
@dataclass(frozen=True)
class NetworkRecipe:
    """Which network learns."""

    model: Annotated[str, Parameter(alias="-m")] = "resnet18"
    """Network, by its name in the catalogue."""

    model_args: dict[str, bool | int | float | str] = field(default_factory=dict)
    """Arguments of the network, such as `--model-args.activation relu`."""


@Parameter(name="*", group=Group("Data", sort_key=2))
@dataclass(frozen=True)
class DataRecipe:
    """How pictures are found, split and brought to size."""

    img_size: int | None = None
    """Height and width that the network sees, in pixels; its published size unless given."""

    in_channels: Literal[1, 3] | None = None
    """1 for grey, 3 for RGB; what the network was published for unless given."""

    crop_pct: float = 0.875
    """Share of a picture's shorter side that evaluation looks at, around the centre."""

    mean: Annotated[tuple[float, ...] | None, Parameter(consume_multiple=True)] = None
    """Subtracted from each channel, of values 0 to 1; ImageNet's for RGB, 0.5 for grey."""

    std: Annotated[tuple[float, ...] | None, Parameter(consume_multiple=True)] = None
    """Each channel is divided by it; ImageNet's for RGB, 0.5 for grey."""

    val_fraction: float = 0.15
    """Share held out to choose the best epoch, where the data has no such split."""

    test_fraction: float = 0.15
    """Share held out for `striate evaluate`, where the data has no split at all."""

    path_column: str = "path"
    """With a CSV: the column of the pictures' paths."""

    label_column: str = "label"
    """With a CSV or Parquet: the column of the labels."""

    label_separator: str = ""
    """What parts the labels of one picture in a CSV, such as `;`; a label a picture unless given."""

    max_bad: float = 0.01
    """Share of unreadable pictures above which nothing is trained (exit code 3)."""

    max_pixels: int = 89_478_485
    """A picture of more pixels is refused before it is decoded."""

    def __post_init__(self) -> None:
        _require(self.img_size is None or self.img_size >= 1, "img_size", "at least 1 pixel", self.img_size)
        _require(0 < self.crop_pct <= 1, "crop_pct", "a share above 0, up to 1", self.crop_pct)
        for name in ("val_fraction", "test_fraction"):
            value = getattr(self, name)
            _require(0 <= value < 1, name, "a share from 0, below 1", value)
        held_out = self.val_fraction + self.test_fraction
        _require(held_out < 1, "val_fraction + test_fraction", "less than 1, or nothing is left to train on", held_out)
        _require(0 <= self.max_bad <= 1, "max_bad", "a share from 0 to 1", self.max_bad)
        _require(self.max_pixels >= 1, "max_pixels", "at least 1", self.max_pixels)
        for name in ("mean", "std"):
            values = getattr(self, name)
            _require(values is None or len(values) > 0, name, "one number a channel", values)
        _require(self.std is None or all(value > 0 for value in self.std), "std", "values above 0", self.std)


@Parameter(name="*", group=Group("Augmentation", sort_key=3))
@dataclass(frozen=True)
class AugmentRecipe:
    """What training does to a picture each time that it is seen."""

    crop_scale: tuple[float, float] = (0.35, 1.0)
    """Least and largest share of the picture's area that a random crop covers; `1 1` for no crop."""

    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Least and largest width of a crop over its height."""

    mirror: float = 0.5
    """Probability of a left-right mirror."""

    def __post_init__(self) -> None:
        low, high = self.crop_scale
        _require(0 < low <= high <= 1, "crop_scale", "0 < least <= largest <= 1", self.crop_scale)
        low, high = self.crop_ratio
        _require(0 < low <= high, "crop_ratio", "0 < least <= largest", self.crop_ratio)
        _require(0 <= self.mirror <= 1, "mirror", "a probability from 0 to 1", self.mirror)


@Parameter(name="*", group=Group("Training", sort_key=4))
@dataclass(frozen=True)
class TrainingRecipe:
    """How the weights are found."""

    epochs: int = 20
    """Times that each training picture is seen."""

    batch_size: Annotated[int, Parameter(alias="-b")] = 64
    """Pictures a step, at most; an epoch's batches are as equal as can be."""

    opt: Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"] = "adamw"
    """Optimiser."""

    lr: float = 1e-3
    """Learning rate at its highest."""

    momentum: float = 0.9
    """Momentum of momentum, nesterov and rmsprop; the first beta of adam and adamw."""

    weight_decay: float = 0.05
    """Pull of the weights towards zero; never on norms and biases."""

    schedule: Literal["cosine", "onecycle", "step", "constant"] = "cosine"
    """How the learning rate falls over the steps."""

    warmup_epochs: float = 1.0
    """Epochs over which the learning rate first rises from near zero; a one-cycle's rising part."""

    step_epochs: float = 10.0
    """With `--schedule step`: epochs between two falls."""

    step_factor: float = 0.1
    """With `--schedule step`: what each fall multiplies the learning rate by."""

    label_smoothing: float = 0.1
    """Share of each target that is spread evenly over the classes; of one-label tasks."""

    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` gives every class the same weight in the loss, however few its pictures."""

    clip_grad: float = 0.0
    """Largest norm that the gradient may have; 0 for no limit."""

    ema_decay: float = 0.0
    """Decay, a step, of the running average of the weights that is evaluated and kept; 0 for none."""

    seed: int = 0
    """Of the initial weights, the split, the order and every random draw."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            _require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("lr", "step_epochs", "step_factor"):
            _require(0 < getattr(self, name) < math.inf, name, "a number above 0", getattr(self, name))
        for name in ("weight_decay", "warmup_epochs", "clip_grad"):
            _require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        for name in ("momentum", "label_smoothing", "ema_decay"):
            _require(0 <= getattr(self, name) < 1, name, "from 0, below 1", getattr(self, name))
        _require(self.opt != "nesterov" or self.momentum > 0, "momentum", "above 0 with nesterov", self.momentum)
        _require(0 <= self.seed < 2**63, "seed", "from 0, below 2^63", self.seed)


@Parameter(name="*", group=Group("Machine", sort_key=5))
@dataclass(frozen=True)
class MachineRecipe:
    """What the machine does with it; changes the last digits at most."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where the network runs."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the network's arithmetic; weights are always kept in float32."""

    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    """Order of the values of a feature map in memory."""

    workers: Annotated[int | None, Parameter(alias="-j")] = None
    """Threads that decode pictures; one a core unless given. Never changes a result."""

    tensorboard: bool = False
    """Also write TensorBoard events (needs the extra `striate[log]`)."""

    def __post_init__(self) -> None:
        _require(self.workers is None or self.workers >= 1, "workers", "at least 1", self.workers)


@dataclass(frozen=True)
class Recipe:
    """A whole recipe, a table a part."""

    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)
    training: TrainingRecipe = field(default_factory=TrainingRecipe)
    machine: MachineRecipe = field(default_factory=MachineRecipe)


TABLES: dict[str, type] = {table.name: table.default_factory for table in dataclasses.fields(Recipe)}  # type: ignore[misc]
KEYS = {key.name: table for table, kind in TABLES.items() for key in dataclasses.fields(kind)}


def from_dict(tables: Mapping[str, Any], source: str = "recipe") -> Recipe:
    """The recipe that nested dicts describe; keys that are left out keep their defaults.

    Raises:
        UsageError: for an unknown table or key (the nearest is named), or a value of the wrong type or range.
    """
    for table, values in tables.items():
        if table in KEYS:
            raise UsageError(f"{source}: `{table}` stands outside its table. Put it under [{KEYS[table]}].")
        if table not in TABLES:
            raise UsageError(f"{source}: unknown table [{table}]. {nearest(table, TABLES)}")
        if not isinstance(values, Mapping):
            raise UsageError(f"{source}: `{table}`: expected a table; got {values!r}.")
        for key in values:
            if KEYS.get(key) != table:
                hint = f"It belongs under [{KEYS[key]}]." if key in KEYS else nearest(key, KEYS)
                raise UsageError(f"{source}: unknown key `{key}` under [{table}]. {hint}")
    try:
        return msgspec.convert(tables, Recipe)
    except msgspec.ValidationError as error:
        raise UsageError(f"{source}: {_sentence(error, tables)}") from error


def _sentence(error: msgspec.ValidationError, tables: Mapping[str, Any]) -> str:
    if isinstance(error.__cause__, UsageError):  # of a `__post_init__`
        return str(error.__cause__)
    found = re.fullmatch(r"(.+) - at `\$\.(\w+)\.(\w+).*`", str(error))
    if found is None:
        return f"{error}."
    what, table, key = found.groups()
    if what.startswith("Invalid enum value"):
        kinds = get_args(get_type_hints(TABLES[table])[key])
        choices = [choice for kind in kinds for choice in get_args(kind) or [kind] if choice is not type(None)]
        return f"`{key}`: expected one of {', '.join(map(str, choices))}; got {tables[table][key]!r}."
    return f"`{key}`: {what[0].lower()}{what[1:].replace('`', '')}."


def to_dict(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Nested dicts of plain values, without the keys that are None (TOML has no null)."""
    tables: dict[str, dict[str, Any]] = dataclasses.asdict(recipe)  # msgspec leaves out what `convert` left at default
    return {name: {k: v for k, v in table.items() if v is not None} for name, table in tables.items()}


def load(path: Path) -> Recipe:
    """Reads a recipe from a TOML file.

    Raises:
        UsageError: if the file cannot be read, is not TOML, repeats a key, or holds what `from_dict` refuses.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"recipe {path}: cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"recipe {path}: expected TOML; {error}.") from error
    return from_dict(tables, source=f"recipe {path}")


def dumps(recipe: Recipe) -> str:
    """The recipe as TOML; `load` gives it back unchanged."""
    return tomli_w.dumps(to_dict(recipe))
