"""A recipe: everything that decides what a training run computes.

The dataclasses below are the one definition. Their fields are the keys of the TOML file (a table a class) and the flags
of `striate train`; their defaults are the defaults of both; the text under a field is its `--help`.
"""

import dataclasses
import math
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
import tomli_w
from cyclopts import Group, Parameter

from striate.errors import UsageError, nearest

DEFAULT_MODEL, DEFAULT_LR = "resnet18", 1e-3
PILLOWS_LIMIT = 2 * 89_478_485  # pixels, above which Pillow refuses a picture itself


def _require(condition: bool, name: str, expected: str, got: object) -> None:
    if not condition:
        raise UsageError(f"`{name}`: expected {expected}; got {got}.")


def _require_pair(pair: tuple[float, float] | None, name: str, limit: float = sys.float_info.max) -> None:
    """Of a least and a largest value, where they are given."""
    expected = "0 < least <= largest" + (f" <= {limit}" if limit < sys.float_info.max else "")
    _require(pair is None or 0 < pair[0] <= pair[1] <= limit, name, expected, pair)


@Parameter(name="*", group=Group("Network", sort_key=1))
@dataclass(frozen=True)
class NetworkRecipe:
    """Which network learns."""

    model: Annotated[str | None, Parameter(alias="-m")] = None
    """Network, by its name in the catalogue; that of `--weights`, else resnet18, unless given."""

    model_args: dict[str, bool | int | float | str] = field(default_factory=dict)
    """Arguments of the network, such as `--model-args.activation relu`."""

    task: str = "classify"
    """What the network is asked, by the task's name."""

    whiten: bool = False
    """Let the first convolution whiten the patches of the training pictures, and keep its weights so."""

    @property
    def name(self) -> str:
        """Of the network, in the catalogue."""
        return self.model or DEFAULT_MODEL


@Parameter(name="*", group=Group("Data", sort_key=2))
@dataclass(frozen=True)
class DataRecipe:
    """How pictures are found, split and brought to size."""

    img_size: int | None = None
    """Height and width that the network sees, in pixels; its published size unless given."""

    in_channels: Literal[1, 3] | None = None
    """1 for grey, 3 for RGB; what the network was published for unless given."""

    crop_pct: float | None = None
    """Share of a picture's shorter side that evaluation looks at, around the centre; that of `--weights`, else 0.875,
    unless given."""

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

    weight_column: str = "weight"
    """With a CSV and `--sampling weighted`: the column of how often a picture is drawn, in proportion."""

    mask_classes: dict[str, str] = field(default_factory=dict)
    """Class of each value in masks, such as `--mask-classes.0 road --mask-classes.#ff0000 car`; read from them unless
    given."""

    max_bad: float = 0.01
    """Share of unreadable pictures above which nothing is trained (exit code 3)."""

    max_pixels: int = 89_478_485
    """A picture of more pixels is refused before it is decoded."""

    pixel_cache: Literal["auto", "on", "off"] = "auto"
    """Whether pictures are decoded once, to twice the size that the network sees, and kept on disk; `auto`: where they
    are much larger than that."""

    cache_budget: float = 8.0
    """Most gigabytes that kept pixels may take; beyond it as JPEG, and where even that is too much, not at all."""

    def __post_init__(self) -> None:
        _require(self.img_size is None or self.img_size >= 1, "img_size", "at least 1 pixel", self.img_size)
        _require(self.crop_pct is None or 0 < self.crop_pct <= 1, "crop_pct", "a share above 0, up to 1", self.crop_pct)
        for name in ("val_fraction", "test_fraction"):
            value = getattr(self, name)
            _require(0 <= value < 1, name, "a share from 0, below 1", value)
        held_out = self.val_fraction + self.test_fraction
        _require(held_out < 1, "val_fraction + test_fraction", "less than 1, or nothing is left to train on", held_out)
        _require(0 <= self.max_bad <= 1, "max_bad", "a share from 0 to 1", self.max_bad)
        _require(1 <= self.max_pixels <= PILLOWS_LIMIT, "max_pixels", f"1 to {PILLOWS_LIMIT}", self.max_pixels)
        _require(0 < self.cache_budget < math.inf, "cache_budget", "a number of gigabytes above 0", self.cache_budget)
        for name in ("mean", "std"):
            values = getattr(self, name)
            _require(values is None or len(values) > 0, name, "one number a channel", values)
        _require(self.std is None or all(value > 0 for value in self.std), "std", "values above 0", self.std)


@Parameter(name="*", group=Group("Augmentation", sort_key=3))
@dataclass(frozen=True)
class AugmentRecipe:
    """What training does to a picture each time that it is seen; what is not given is as the preset `augment` says."""

    augment: Literal["none", "light", "medium", "heavy"] = "light"
    """Preset that gives every value below that is not given itself."""

    trivial: bool = False
    """One operation a picture, drawn at random, at a random strength, besides crop and mirror (TrivialAugment)."""

    crop_scale: tuple[float, float] | None = None
    """Least and largest share of the picture's area that a random crop covers; `1 1` for what evaluation sees."""

    crop_ratio: tuple[float, float] | None = None
    """Least and largest width of a crop over its height."""

    mirror: float | None = None
    """Probability of a left-right mirror."""

    mirror_alternating: bool = False
    """Mirror, or do not, in the first epoch, and change that in every later one: each view is seen equally often."""

    mirror_top_bottom: float | None = None
    """Probability of a top-bottom mirror."""

    rotation: float | None = None
    """Largest turn to either side, in degrees."""

    shear: float | None = None
    """Largest slant to either side, in degrees."""

    zoom: tuple[float, float] | None = None
    """Least and largest enlargement; `1 1` for none."""

    translation: float | None = None
    """Largest shift along either axis, as a share of that side; it is of whole pixels."""

    perspective: float | None = None
    """Largest shift of a corner along either axis, as a share of that side."""

    warp: float | None = None
    """Largest shift of a point by a smooth random displacement, as a share of the side."""

    brightness: float | None = None
    """Largest relative change of all values; 0.2 for 0.8 to 1.2 times."""

    contrast: float | None = None
    """Largest relative change of the distance from middle grey."""

    saturation: float | None = None
    """Largest relative change of the distance from the grey of the same luma."""

    hue: float | None = None
    """Largest turn of the hue to either side, in degrees."""

    channel_shift: float | None = None
    """Largest value added to, or taken from, each channel on its own, of values 0 to 1."""

    pca_colour: float | None = None
    """Standard deviation of the steps along the principal components of colour; Krizhevsky's was 0.1."""

    pca_source: Literal["imagenet", "pictures"] = "imagenet"
    """Whose principal components, where they are not given."""

    pca_values: tuple[float, float, float] | None = None
    """Variance along each principal component of colour, of values 0 to 1."""

    pca_vectors: Annotated[tuple[float, ...] | None, Parameter(consume_multiple=True)] = None
    """The three principal components, red, green and blue of the first, then of the next."""

    noise: float | None = None
    """Standard deviation of the noise added to every value, of values 0 to 1."""

    erase: float | None = None
    """Probability that a box of the picture is erased."""

    erase_scale: tuple[float, float] | None = None
    """Least and largest share of the picture's area that an erased box covers."""

    mixup: float | None = None
    """Alpha of the beta distribution of the share at which two pictures are blended; 0 for none."""

    cutmix: float | None = None
    """Alpha of the beta distribution of the share that a pasted box of another picture leaves; 0 for none."""

    def __post_init__(self) -> None:
        _require_pair(self.crop_scale, "crop_scale", 1)
        _require_pair(self.erase_scale, "erase_scale", 1)
        _require_pair(self.crop_ratio, "crop_ratio")
        _require_pair(self.zoom, "zoom")
        for name in ("mirror", "mirror_top_bottom", "erase"):
            self._require_between(name, 1, "a probability from 0 to 1")
        for name in ("brightness", "contrast", "saturation", "channel_shift", "noise", "translation", "warp"):
            self._require_between(name, 1, "from 0 to 1")
        self._require_between("perspective", 0.2, "from 0 to 0.2")  # at 0.25, three corners may lie on a line
        for name, degrees in (("rotation", 180), ("hue", 180), ("shear", 60)):
            self._require_between(name, degrees, f"from 0 to {degrees} degrees")
        for name in ("pca_colour", "mixup", "cutmix"):
            self._require_between(name, sys.float_info.max, "0 or more")
        values, vectors = self.pca_values, self.pca_vectors
        alone = "`pca_vectors` alone" if values is None else "`pca_values` alone"
        _require((values is None) == (vectors is None), "pca_values`, `pca_vectors", "both or neither", alone)
        _require(values is None or all(0 <= v < math.inf for v in values), "pca_values", "0 or more each", values)
        whole = vectors is None or (len(vectors) == 9 and all(map(math.isfinite, vectors)))
        _require(whole, "pca_vectors", "9 numbers, three of each component", vectors)

    def _require_between(self, name: str, largest: float, expected: str) -> None:
        value: float | None = getattr(self, name)
        _require(value is None or 0 <= value <= largest, name, expected, value)


@Parameter(name="*", group=Group("Training", sort_key=4))
@dataclass(frozen=True)
class TrainingRecipe:
    """How the weights are found."""

    epochs: int = 20
    """Times that each training picture is seen."""

    batch_size: Annotated[int, Parameter(alias="-b")] = 64
    """Pictures a step, at most; an epoch's batches are as equal as can be."""

    sampling: Literal["shuffle", "balanced", "weighted"] = "shuffle"
    """What an epoch draws: every picture once, every class equally often, or by the data's column `weight`."""

    opt: Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon"] = "adamw"
    """Optimiser."""

    lr: float | None = None
    """Learning rate at its highest; 0.001, or with `--weights` a tenth of that, unless given."""

    lr_decay: float = 1.0
    """Share of the learning rate that each stage of the network has of the one after it; the head has all of it."""

    momentum: float = 0.9
    """Momentum of momentum, nesterov, rmsprop and muon; the first beta of adam and adamw."""

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

    sync_batch_norm: bool = False
    """Where several processes train, batch norm takes its statistics over the pictures of all of them."""

    skip_bad_steps: int = 0
    """Steps of a run that are left out, rather than end it, where the loss or the gradient is not finite."""

    seed: int = 0
    """Of the initial weights, the split, the order and every random draw."""

    @property
    def peak_lr(self) -> float:
        """The learning rate at its highest."""
        return DEFAULT_LR if self.lr is None else self.lr

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            _require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name, value in (("lr", self.peak_lr), ("step_epochs", self.step_epochs), ("step_factor", self.step_factor)):
            _require(0 < value < math.inf, name, "a number above 0", value)
        _require(0 < self.lr_decay <= 1, "lr_decay", "a share above 0, up to 1", self.lr_decay)
        for name in ("weight_decay", "warmup_epochs", "clip_grad", "skip_bad_steps"):
            _require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        for name in ("momentum", "label_smoothing", "ema_decay"):
            _require(0 <= getattr(self, name) < 1, name, "from 0, below 1", getattr(self, name))
        _require(self.opt != "nesterov" or self.momentum > 0, "momentum", "above 0 with nesterov", self.momentum)
        _require(0 <= self.seed < 2**63, "seed", "from 0, below 2^63", self.seed)


@Parameter(name="*", group=Group("Transfer", sort_key=5))
@dataclass(frozen=True)
class TransferRecipe:
    """What is taken from weights that are there already."""

    weights: str = ""
    """Published weights by name, or a file of them, or a model file: what the network begins with, and with it
    `--model`, `--img-size`, `--mean`, `--std` and `--crop-pct`, where these are not given."""

    freeze: str | None = None
    """What of it stays as it is: all (a new head is fitted in seconds), a stage's name (it and all before it), a share
    of the stages from 0 to 1, none, or auto (as `striate plan` recommends); all unless given."""

    views: int | None = None
    """How many views of each picture go through the frozen stages, once, and are kept: the plain one, its mirror image,
    then random ones; 2 for a head that is fitted and 8 for stages that train unless given, 0 to draw and compute anew
    in every epoch."""

    head: Literal["softmax", "ridge", "mlp", "cosine"] = "softmax"
    """What is fitted to what frozen stages give: a linear head, by logistic regression or least squares; a perceptron
    of one hidden layer; or cosines."""

    hidden: int = 128
    """Hidden units of the perceptron."""

    depths: int = 1
    """How many of the network's maps the head sees, from the last back, each averaged over height and width."""

    redraw: str = ""
    """A stage: the weights of it and of all after it are drawn anew, not taken."""

    fit_head: bool = True
    """Fit the new head before the stages that are not frozen begin to learn."""

    batch_norm: Literal["keep", "learn"] = "keep"
    """What batch norm does in stages that learn: keep the statistics of the weights, or learn those of the pictures."""

    def __post_init__(self) -> None:
        if not self.weights:
            for name, unset in (("freeze", None), ("head", "softmax"), ("depths", 1), ("redraw", "")):
                _require(getattr(self, name) == unset, name, "`--weights` beside it", "none")
        _require(self.hidden >= 1, "hidden", "1 or more", self.hidden)
        _require(self.depths >= 1, "depths", "1 or more", self.depths)
        _require(self.views is None or self.views >= 0, "views", "0 or more", self.views)


@Parameter(name="*", group=Group("Machine", sort_key=6))
@dataclass(frozen=True)
class MachineRecipe:
    """What the machine does with it; changes the last digits at most."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where the network runs."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the network's arithmetic; weights are always kept in float32."""

    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    """Order of the values of a feature map in memory."""

    runtime: Literal["auto", "torch", "openvino"] = "auto"
    """Of frozen layers, which run once: OpenVINO on a CPU where it is installed (the extra `striate[openvino]`)."""

    workers: Annotated[int | None, Parameter(alias="-j")] = None
    """Threads that decode pictures; one a core unless given. Never changes a result."""

    keep_memory: bool = True
    """Keep freed memory for the next step instead of handing it back: up to twice as fast on Linux, for some memory."""

    compile: bool = False
    """Let `torch.compile` rewrite the training step: a minute or more before the first one, and then faster or not
    (docs/decisions/compile.md)."""

    checkpoint_every: float = 10.0
    """Minutes between two checkpoints within an epoch; there is one after each epoch too."""

    deterministic: bool = False
    """On a GPU too, use only operations that give the same bits every time; on a CPU that is always so."""

    tensorboard: bool = False
    """Also write TensorBoard events (needs the extra `striate[log]`)."""

    def __post_init__(self) -> None:
        _require(self.workers is None or self.workers >= 1, "workers", "at least 1", self.workers)
        minutes = self.checkpoint_every
        _require(0 < minutes < math.inf, "checkpoint_every", "a number of minutes above 0", minutes)


@dataclass(frozen=True)
class Recipe:
    """A whole recipe, a table a part."""

    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)
    training: TrainingRecipe = field(default_factory=TrainingRecipe)
    machine: MachineRecipe = field(default_factory=MachineRecipe)
    transfer: TransferRecipe = field(default_factory=TransferRecipe)


TABLES: dict[str, type] = {table.name: table.default_factory for table in dataclasses.fields(Recipe)}  # type: ignore[misc]
KEYS = {key.name: table for table, kind in TABLES.items() for key in dataclasses.fields(kind)}


def from_dict(tables: Mapping[str, Any], source: str = "recipe") -> Recipe:
    """The recipe that nested dicts describe; keys that are left out keep their defaults.

    Raises:
        UsageError: for an unknown table or key (the nearest is named), or a value of the wrong type or range.
    """
    for table, values in tables.items():
        if table in KEYS and table not in TABLES:
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
