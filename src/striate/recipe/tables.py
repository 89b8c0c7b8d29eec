"""A recipe: everything that decides what a training run computes.

The dataclasses below are the one definition. Their fields are the keys of the TOML file (a table a class) and the flags
of `striate train`; their defaults are the defaults of both; the text under a field is its `--help`. A field's type says
its range too, by `msgspec.Meta`: file and flag are held to it alike.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from msgspec import Meta

from striate.recipe.augment import AugmentRecipe
from striate.recipe.layout_names import LayoutName
from striate.recipe.ranges import (
    MAX_PIXELS,
    MOST_CHANNELS,
    MOST_FILE_PIXELS,
    Amount,
    Channels,
    Count,
    Mean,
    PixelRange,
    Positive,
    Share,
    ShareAboveZero,
    ShareBelowOne,
    Std,
)
from striate.recipe.require import require, require_in_order
from striate.recipe.size import height_and_width
from striate.records import require_ranges

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
Runtime = Literal["auto", "torch", "openvino"]
ClassWeights = Literal["none", "balanced"]

DEFAULT_MODEL, DEFAULT_LR, DEFAULT_BATCH_SIZE = "resnet18", 1e-3, 64
AUTO_WEIGHTS, NO_WEIGHTS = "auto", "none"
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
MaxPixels = Annotated[int, Meta(ge=1, le=MOST_FILE_PIXELS)]


@Parameter(name="*", group=Group("Network", sort_key=1))
@dataclass(frozen=True)
class NetworkRecipe:
    """Which network learns."""

    model: Annotated[str | None, Parameter(alias="-m")] = None
    """Network, by its name in the catalogue; unless given, that of the weights, or without any resnet20_cifar for
    images of less than 64 pixels, and resnet18 for others."""

    model_args: dict[str, bool | int | float | str] = field(default_factory=dict)
    """Arguments of the network, such as `--model-args.activation relu`."""

    task: str = "auto"
    """What the network is asked: classify, locate, or segment; auto asks what the data are annotated for."""

    task_args: dict[str, bool | int | float | str] = field(default_factory=dict)
    """Options of the task, such as `--task-args.box-loss giou`."""

    whiten: bool = False
    """Let the first convolution whiten the patches of the training images, and keep its weights so."""

    @property
    def name(self) -> str:
        """The name of the network in the catalogue."""
        return self.model or DEFAULT_MODEL


DATA_GROUP = Group("Data", sort_key=2)


@Parameter(name="*", group=DATA_GROUP)
@dataclass(frozen=True)
class ReadRecipe:
    """What the data means, where that is not plain: the flags of every verb that reads labelled images."""

    layout: LayoutName = "auto"
    """What the data is read as, where it could be read in two ways; `auto`: what all of it says."""

    path_column: str = "path"
    """With a table: the column of the images' paths; common synonyms are known."""

    label_column: str = "label"
    """With a table or Parquet: the column of the labels, or columns of 0 and 1 such as `cat,dog`; common synonyms are
    known."""

    label_separator: str = ""
    """What parts the labels of one image in a table, such as `;`, or `none` where each text is one label; what the
    labels tell unless given."""

    label_pattern: str = ""
    """Regular expression whose group in parentheses is the label in the name of an image's file."""

    weight_column: str = "weight"
    """With a table and `--sampling weighted`: the column of how often an image is drawn, in proportion."""

    image_root: str = ""
    """Folder that the paths of a table, a list or an index start from; found beside the file unless given."""

    mask_classes: dict[str, str] = field(default_factory=dict)
    """Class of each value in masks, such as `--mask-classes.0 road --mask-classes.#ff0000 car`; read from them unless
    given."""


@Parameter(name="*", group=DATA_GROUP)
@dataclass(frozen=True)
class DataRecipe(ReadRecipe):
    """How images are found, split and brought to size."""

    img_size: int | str | None = None
    """Size of the images that the network sees, in pixels: 224, or 224x320, height first; its published size, or
    that of smaller images where no network is given either, unless given."""

    in_channels: Channels | None = None
    """1 for grey, 3 for RGB, else the bands that each image has; what the network was published for unless given, and
    where images have other bands, as many as they have."""

    pixel_range: PixelRange | None = None
    """The values that become black and white in images of more than 8 bits, as `0 4095`; those of the data unless
    given."""

    crop_pct: ShareAboveZero | None = None
    """Share of an image's shorter side that evaluation looks at, around the centre; that of `--weights`, else 0.875,
    or all of images that are shown at their own small size, unless given."""

    crop_mode: Literal["center", "squash", "border"] | None = None
    """What is shown of an image of another shape: its center; all of it, squashed; or all of it with a border of its
    own reflection. The center for classify, else squash, unless given."""

    boxes: Literal["one", "largest"] = "one"
    """With `--task locate`: of images of several objects, use none, or use all by their largest object."""

    mean: Annotated[Mean | None, Parameter(consume_multiple=(0, MOST_CHANNELS))] = None
    """Subtracted from each channel, of values 0 to 1; ImageNet's for RGB, 0.5 for grey."""

    std: Annotated[Std | None, Parameter(consume_multiple=(0, MOST_CHANNELS))] = None
    """Each channel is divided by it; ImageNet's for RGB, 0.5 for grey."""

    val_fraction: ShareBelowOne = 0.15
    """Share held out to choose the best epoch, where the data has no such split."""

    test_fraction: ShareBelowOne = 0.15
    """Share held out for `striate evaluate`, where the data has no split at all."""

    split_seed: Seed | None = None
    """Seed of the split, and of the views in which frozen stages see images; `--seed` unless given."""

    keep_leaks: bool = False
    """Train also on images that are copies, or nearly, of images in val or test, which would count in the scores."""

    max_bad: Share = 0.01
    """Share of unreadable images above which nothing is trained (exit code 3)."""

    max_pixels: MaxPixels = MAX_PIXELS
    """An image of more pixels is refused before it is decoded; a JPEG, which takes a quarter of the memory, of more
    than four times as many. So photos of 200 megapixels from telephones are read unless this is lowered."""

    pixel_cache: Literal["auto", "on", "off"] = "auto"
    """Whether images are decoded once, to twice the size that the network sees, and kept on disk; `auto`: where they
    are much larger than that."""

    cache_budget: Positive = 8.0
    """Most gigabytes that kept pixels may take; beyond it as JPEG, and where even that is too much, not at all."""

    def __post_init__(self) -> None:
        require_ranges(self)
        if self.img_size is not None:
            height_and_width(self.img_size)
        require_in_order(self.pixel_range, "pixel_range")
        held_out = self.val_fraction + self.test_fraction
        require(held_out < 1, "val_fraction + test_fraction", "less than 1, or nothing is left to train on", held_out)


@Parameter(name="*", group=Group("Training", sort_key=4))
@dataclass(frozen=True)
class TrainingRecipe:
    """How the weights are found."""

    epochs: Count = 20
    """Times that each training image is seen."""

    batch_size: Annotated[Count | None, Parameter(alias="-b")] = None
    """Images a step, at most; an epoch's batches are as equal as can be. 64, or 8 with `--task segment`, whose images
    teach with every pixel, unless given."""

    sampling: Literal["shuffle", "balanced", "weighted"] = "shuffle"
    """What an epoch draws: every image once, every class equally often, or by the data's column `weight`."""

    opt: Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon"] = "adamw"
    """Optimiser."""

    lr: Annotated[float, Meta(gt=0, le=1e38)] | None = None
    """Learning rate at its highest; 0.001, or with `--weights` a tenth of that, unless given."""

    lr_decay: ShareAboveZero = 1.0
    """Share of the learning rate that each stage of the network has of the one after it; the head has all of it."""

    momentum: ShareBelowOne = 0.9
    """Momentum of momentum, nesterov, rmsprop and muon; the first beta of adam and adamw."""

    weight_decay: Amount = 0.05
    """Pull of the weights towards zero; never on norms and biases."""

    schedule: Literal["cosine", "onecycle", "step", "constant"] = "cosine"
    """How the learning rate falls over the steps."""

    warmup_epochs: Amount = 1.0
    """Epochs over which the learning rate first rises from near zero; a one-cycle's rising part."""

    step_epochs: Positive = 10.0
    """With `--schedule step`: epochs between two falls."""

    step_factor: Positive = 0.1
    """With `--schedule step`: what each fall multiplies the learning rate by."""

    label_smoothing: ShareBelowOne = 0.1
    """Share of each target that is spread evenly over the classes; of one-label tasks."""

    members: Annotated[int, Meta(ge=1, le=15)] = 1
    """Models to train, which differ in their seed and answer together, with the mean of their probabilities."""

    snapshots: Annotated[int, Meta(ge=1, le=15)] = 1
    """Times that the learning rate falls as a cosine; the models at the end of each fall answer together."""

    class_weights: ClassWeights = "none"
    """`balanced` gives every class the same weight in the loss, however few its images."""

    clip_grad: Amount = 0.0
    """Largest norm that the gradient may have; 0 for no limit."""

    ema_decay: ShareBelowOne = 0.0
    """Decay, a step, of the running average of the weights that is evaluated and kept; 0 for none."""

    sync_batch_norm: bool = False
    """Where several processes train, batch norm takes its statistics over the images of all of them."""

    skip_bad_steps: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """Steps of a run that are left out, rather than end it, where the loss or the gradient is not finite."""

    seed: Seed = 0
    """Seed of the initial weights, the split, the order and every random draw."""

    @property
    def images_a_step(self) -> int:
        """The size of batches, at most."""
        return DEFAULT_BATCH_SIZE if self.batch_size is None else self.batch_size

    @property
    def peak_lr(self) -> float:
        """The learning rate at its highest."""
        return DEFAULT_LR if self.lr is None else self.lr

    def __post_init__(self) -> None:
        require_ranges(self)
        even = self.epochs % self.snapshots == 0 and (self.snapshots == 1 or self.schedule == "cosine")
        require(even, "snapshots", "a divisor of the epochs, with the cosine schedule", self.snapshots)
        require(self.opt != "nesterov" or self.momentum > 0, "momentum", "above 0 with nesterov", self.momentum)


@Parameter(name="*", group=Group("Transfer", sort_key=5))
@dataclass(frozen=True)
class TransferRecipe:
    """What is taken from weights that are there already."""

    weights: str = AUTO_WEIGHTS
    """What the network begins with, and with it `--model`, `--img-size`, `--mean`, `--std` and `--crop-pct`, where
    these are not given: published weights by name, or a file of them, or a model file; none, for drawn values; auto,
    for photographs those of `--model` where they are here, or of efficientnet_lite0, which the installation brings,
    and none for other images."""

    freeze: str | None = None
    """What of it stays as it is: all (a new head is fitted in seconds), a stage's name (it and all before it), a share
    of the stages from 0 to 1, none, or auto (as `striate plan` recommends). Unless given, auto where the weights are
    auto, and all where they are named; for segment none."""

    views: Annotated[int, Meta(ge=0, le=1000)] | None = None
    """How many views of each image go through the frozen stages, once, and are kept: the plain one, its mirror image,
    then random ones; 2 for a head that is fitted and 8 for stages that train unless given, 0 to draw and compute anew
    in every epoch."""

    head: Literal["softmax", "ridge", "mlp", "cosine"] = "softmax"
    """What is fitted to what frozen stages give: a linear head, by logistic regression or least squares; a perceptron
    of one hidden layer; or cosines."""

    hidden: Annotated[int, Meta(ge=1, le=65_536)] = 128
    """Hidden units of the perceptron."""

    depths: Annotated[int, Meta(ge=1, le=1000)] = 1
    """How many of the network's maps the head sees, from the last back, each averaged over height and width."""

    redraw: str = ""
    """A stage: the weights of it and of all after it are drawn anew, not taken."""

    drawn_lr_scale: Positive = 10.0
    """How many times the learning rate layers have that begin with drawn values: those of `--redraw`, and the decoder
    that `--task segment` puts over the network."""

    fit_head: bool = True
    """Fit the new head before the stages that are not frozen begin to learn."""

    batch_norm: Literal["keep", "learn"] = "keep"
    """What batch norm does in stages that learn: keep the statistics of the weights, or learn those of the images.
    Layers that begin with drawn values always learn theirs."""

    def __post_init__(self) -> None:
        if self.weights == NO_WEIGHTS:
            require(not self.of_weights, ", ".join(self.of_weights), "`--weights` beside it", "none")
        require_ranges(self)

    @property
    def of_weights(self) -> tuple[str, ...]:
        """The keys whose values say what becomes of weights, and have no meaning without any."""
        unset = {"freeze": None, "head": "softmax", "depths": 1, "redraw": ""}
        return tuple(name for name, value in unset.items() if getattr(self, name) != value)


@Parameter(name="*", group=Group("Machine", sort_key=6))
@dataclass(frozen=True)
class MachineRecipe:
    """What the machine does with it; changes the last digits at most."""

    device: Device = "auto"
    """Where the network runs."""

    precision: Precision = "auto"
    """Precision of the network's arithmetic; weights are always kept in float32."""

    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    """Order of the values of a feature map in memory."""

    runtime: Runtime = "auto"
    """What runs frozen layers, which run once: OpenVINO on a CPU where it is installed, as on
    x86."""

    threads: Annotated[int, Meta(ge=1, le=1024)] | None = None
    """Threads of arithmetic; as PyTorch decides unless given. Their number changes the last digits."""

    workers: Annotated[Annotated[int, Meta(ge=1, le=1024)] | None, Parameter(alias="-j")] = None
    """Threads that decode images; one a core unless given. Never changes a result."""

    keep_memory: bool = True
    """Keep freed memory for the next step instead of handing it back: up to twice as fast on Linux, for some memory."""

    compile: bool = False
    """Let `torch.compile` rewrite the training step: a minute or more before the first one, and then faster or not
    (docs/decisions/compile.md)."""

    checkpoint_every: Positive = 10.0
    """Minutes between two checkpoints within an epoch; there is one after each epoch too."""

    deterministic: bool = False
    """On a GPU too, use only operations that give the same bits every time; on a CPU that is always so."""

    tensorboard: bool = False
    """Also write TensorBoard events (needs the extra `striate[log]`)."""

    report: bool = True
    """End with report.html and README.md, a model card, in the run folder: how good the model is, where it fails and
    what would help."""

    def __post_init__(self) -> None:
        require_ranges(self)


@dataclass(frozen=True)
class Recipe:
    """A whole recipe, a table a part."""

    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)
    training: TrainingRecipe = field(default_factory=TrainingRecipe)
    machine: MachineRecipe = field(default_factory=MachineRecipe)
    transfer: TransferRecipe = field(default_factory=TransferRecipe)

    @property
    def split_seed(self) -> int:
        """The seed of the split."""
        return self.training.seed if self.data.split_seed is None else self.data.split_seed
