"""What a model file says of itself: one record, held to its types and ranges before anything is made of it.

A model file is a safetensors file whose metadata hold JSON under the key `striate`. Whoever opens one comes through
here, so that nothing behind it meets a name that is a number, a size without end or a net that cannot be made.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from torch import nn

from striate.data import Preprocessing
from striate.data.index import LONGEST_CLASS
from striate.errors import ModelFileError
from striate.files import fit_to_print, list_names
from striate.graph.meta import build
from striate.nets import create, default_of
from striate.recipe.ranges import Share, ShareBelowOne
from striate.recipe.tables import MaxPixels, Seed
from striate.records import convert, parse_json

KEY = "striate"  # of the metadata
FORMAT_VERSION = 2  # 1 knew one task, and images shown by their center
REASON_LENGTH = 300  # characters of what another library says
Text = Annotated[str, Meta(max_length=1000)]
ClassName = Annotated[str, Meta(max_length=LONGEST_CLASS)]


class TaskRecord(msgspec.Struct, frozen=True):
    """Which task; what else it keeps is its own to check, in `Task.from_dict`."""

    name: Text


class NetRecord(msgspec.Struct, frozen=True):
    """Which net of the catalogue, and what it was made with; `create` holds each argument to its range."""

    name: Text
    arguments: dict[Text, Any]


class MemberRecord(msgspec.Struct, frozen=True):
    """One model of an ensemble."""

    net: NetRecord
    preprocessing: Preprocessing
    temperature: Annotated[float, Meta(gt=0)]
    metrics: dict[Text, float | None]


class DataRecord(msgspec.Struct, frozen=True):
    """What evaluation takes from the recipe: how the data were checked and split."""

    max_pixels: MaxPixels
    max_bad: Share
    val_fraction: ShareBelowOne
    test_fraction: ShareBelowOne
    keep_leaks: bool = True
    split_seed: Seed | None = None


class TrainingRecord(msgspec.Struct, frozen=True):
    """What a report says of how long it learned, and by what."""

    opt: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    seed: int | None = None


class AugmentRecord(msgspec.Struct, frozen=True):
    """What a report says of augmentation."""

    augment: str | None = None
    mixup: float = 0.0
    cutmix: float = 0.0


class TransferRecord(msgspec.Struct, frozen=True):
    """What a report says of how it began."""

    weights: str | None = None
    freeze: str | None = None


class RecipeRecord(msgspec.Struct, frozen=True):
    """The recipe of the run, of whichever version; only what is used is checked."""

    data: DataRecord | None = None
    training: TrainingRecord | None = None
    augment: AugmentRecord | None = None
    transfer: TransferRecord | None = None


class MachineRecord(msgspec.Struct, frozen=True):
    """What decided the bits of the arithmetic where the model was trained; nothing in an older file."""

    precision: Literal["float32", "bfloat16"] | None = None
    memory_format: Literal["contiguous", "channels_last"] | None = None
    runtime: Literal["torch", "openvino"] | None = None
    threads: Annotated[int, Meta(ge=1, le=1 << 16)] | None = None

    def pinned(self) -> dict[str, str | int]:
        """Those that the file says, for `striate.device.as_pinned`."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of a model file; what it says beside them is kept and not used."""

    task: TaskRecord
    net: NetRecord
    classes: Annotated[tuple[ClassName, ...], Meta(min_length=1)]
    preprocessing: Preprocessing
    metrics: dict[Text, float | None]
    recipe: RecipeRecord = RecipeRecord()
    seed: Seed = 0
    data: str | None = None
    """The fingerprint of the data."""

    machine: MachineRecord = MachineRecord()
    members: Annotated[tuple[MemberRecord, ...], Meta(max_length=15)] = ()
    """Of an ensemble, which has no net of the catalogue."""


def why_unread(path: Path, error: Exception) -> str:
    """The sentence for a path at which there is something, and no safetensors file that is whole."""
    if path.is_dir():
        within = path / "model.safetensors"
        tried = f" Try {within}." if within.is_file() else ""
        return f"{path}: expected a model file; got a folder.{tried}"
    return f"{path}: expected a safetensors file that is whole; {error}."


def parse(path: Path, metadata: dict[str, str]) -> tuple[About, dict[str, Any]]:
    """The checked record, and all that the file says of itself as plain values.

    Args:
        path: of the file, for messages.
        metadata: of safetensors.

    Raises:
        ModelFileError: the metadata are not those of a model that striate wrote, or of another version.
    """
    if KEY not in metadata:
        raise ModelFileError(
            f"{path}: expected a model that striate wrote; got a safetensors file without its metadata."
        )
    try:
        values = parse_json(metadata[KEY])
        if not isinstance(values, dict):
            raise ValueError(f"expected an object; got {fit_to_print(repr(values), REASON_LENGTH)}")
        version = values.get("format_version")
        if version not in range(1, FORMAT_VERSION + 1):
            shown = fit_to_print(str(version), REASON_LENGTH)
            raise ModelFileError(
                f"{path}: expected format version 1 to {FORMAT_VERSION}; got {shown}. Try the striate that wrote it."
            )
        about = convert(values, About)
    except ValueError as error:
        raise ModelFileError(f"{path}: its metadata is not what striate writes: {error}.") from error
    again = [name for name, count in Counter(about.classes).items() if count > 1]
    if again:
        raise ModelFileError(f"{path}: expected names of classes that differ; got {list_names(again)} more than once.")
    return about, values


def make_net(path: Path, record: NetRecord) -> nn.Module:
    """A net that a model file describes, without memory for its weights.

    Raises:
        ModelFileError: there is none of that name, or it does not take these arguments.
    """
    try:
        return build(lambda: create(record.name, **record.arguments))
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, AssertionError, RuntimeError) as error:
        reason = fit_to_print(str(error), REASON_LENGTH)  # of a library, where the net is one of timm
        end = "" if reason.endswith((".", "?")) else "."
        raise ModelFileError(f"{path}: expected a net that can be made; {reason}{end}") from error


def agreeing_net(path: Path, record: NetRecord, preprocessing: Preprocessing, outputs: int) -> nn.Module:
    """As `make_net`, of a net that takes images as they are shown and gives what its task asks for.

    Raises:
        ModelFileError: as `make_net` does, and if the net was made for other channels or outputs.
    """
    net = make_net(path, record)
    for key, what, got in (
        ("num_classes", "outputs of its task", outputs),
        ("in_channels", "channels of preprocessing", preprocessing.channels),
    ):
        expected = record.arguments.get(key, default_of(record.name, key))
        if got != expected:
            raise ModelFileError(f"{path}: expected {expected} {what}, as its net was made for; got {got}.")
    return net
