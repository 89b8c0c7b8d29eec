"""Networks that have learned before: published weights by name, checkpoints of other programs, and model files."""

import copy
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from striate import model as models
from striate.data import CROP_PCT, Preprocessing, mean_and_std
from striate.device import Machine, choose
from striate.errors import ModelFileError, UsageError, WeightsError
from striate.files import fit_to_print
from striate.graph.meta import build
from striate.model import Model
from striate.nets import create, default_of
from striate.nets.headed import ENCODER, OWN, Headed
from striate.recipe import TransferRecipe
from striate.tasks import task_from_dict
from striate.tasks.ensemble import NAME as ENSEMBLE
from striate.tensors import metadata
from striate.weights import (
    LAYOUTS,
    Fit,
    Manifest,
    digest_with_parts,
    encoder_of,
    file_in,
    fit_to,
    identify,
    load_into,
    named,
    net_of,
    published,
    read_checkpoint,
    recognised,
    take,
    tensors_for,
    tensors_of,
    unknown_name,
)

COLOURS = 3  # red, green and blue
BLUE_FIRST = (
    "Its first layer is taken to see blue, green and red, as Keras prepares images for this network, "
    "and is turned to red, green and blue."
)
NAMING = {"name": "classify", "several_labels": False}  # what published weights do
ALIKE = {  # nets whose tensors do not show which of two they are, and the sentence that says which was taken
    "efficientnet_lite0": "Padding and epsilon are taken to be TensorFlow's, as of timm's tf_efficientnet_lite0; "
    "timm's own efficientnet_lite0, with tensors of the same names, is `--model timm/efficientnet_lite0`."
}
BILINEAR = "bilinear"  # the one interpolation that images are resized by


@dataclass(frozen=True)
class Pretrained:
    """A network with weights that have learned before."""

    net: nn.Module
    """In evaluation mode, with its own head."""

    name: str
    arguments: dict[str, Any]
    """The arguments of the net, without classes and channels."""

    preprocessing: Preprocessing

    classes: tuple[str, ...] = ()
    """The names of its head's classes, where they are known."""

    outputs: int = 0
    """How many classes its head has, where it came with one."""

    said: tuple[str, ...] = ()
    """What was assumed, chosen or left out, a sentence each."""

    about: dict[str, str] = field(default_factory=dict)
    """Of the weights: name, file, sha256, source and licence, as far as they are known."""

    def model(self, machine: Machine) -> Model:
        """A model of it, which answers in its own classes.

        Raises:
            WeightsError: their names are not known, or not as many.
        """
        named_classes, file = len(self.classes), self.about["file"]
        if named_classes != self.outputs or not named_classes:
            expected = f"a name for each of its {self.outputs:,} classes"
            raise WeightsError(f"{file}: expected {expected}; got {named_classes:,}.")
        arguments = {**self.arguments, "num_classes": len(self.classes), "in_channels": self.preprocessing.channels}
        return Model(
            machine.place(self.net).eval(),
            self.name,
            arguments,
            task_from_dict(self.classes, NAMING),
            self.preprocessing,
            about={"weights": self.about},
            machine=machine,
        )

    def for_channels(self, channels: int | None) -> "Pretrained":
        """The same network for images of other channels; itself where they are None or its own.

        The first convolution is repeated over the channels and scaled, so that where all channels show the same, it
        answers the same: `w[:, i % C] * C / channels` of weights for C channels; the sum of all for one channel. Mean
        and deviation are repeated likewise.
        """
        own = self.preprocessing.channels
        if channels is None or channels == own:
            return self
        net = copy.deepcopy(self.net)
        for layer in self._first_layers(channels):
            first, weight = net.get_submodule(layer), net.get_parameter(f"{layer}.weight").detach()
            repeated = weight[:, torch.arange(channels) % own] * (own / channels)
            first.weight = nn.Parameter(weight.sum(1, keepdim=True) if channels == 1 else repeated)
            first.in_channels = channels  # type: ignore[assignment]
        shown = self.preprocessing
        mean, std = (tuple(values[i % own] for i in range(channels)) for values in (shown.mean, shown.std))
        record = replace(shown, input_size=(channels, *shown.input_size[1:]), mean=mean, std=std)
        told = f"repeated over {channels} and scaled by {own}/{channels}" if channels > 1 else "summed into one"
        said = f"the weights are for {own} channels: those of the first convolution are {told}."
        return replace(self, net=net, preprocessing=record, said=(*self.said, said))

    def _first_layers(self, channels: int) -> list[str]:
        """The layers that see the images: those whose weights have another shape in a net of other channels."""
        own, other = (
            build(partial(create, self.name, **self.arguments, in_channels=count)).state_dict()
            for count in (self.preprocessing.channels, channels)
        )
        return [name.removesuffix(".weight") for name, values in own.items() if values.shape != other[name].shape]

    def headed(self, transfer: TransferRecipe) -> "Pretrained":
        """The same network, with the head that is asked for where its own is another.

        Raises:
            UsageError: it has no feature maps, or not so many.
        """
        name, arguments, net = self.name, self.arguments, self.net
        kind = {"softmax": "linear", "ridge": "linear"}.get(transfer.head, transfer.head)
        if isinstance(net, Headed):
            name, net = arguments.get("encoder", ENCODER), net.encoder
            arguments = {k: v for k, v in arguments.items() if k not in OWN}
        elif (kind, transfer.depths) == ("linear", 1):
            return self
        wanted = {"encoder": name, "depths": transfer.depths, "head": kind, **arguments}
        if kind == "mlp":
            wanted["hidden"] = transfer.hidden
        channels = self.preprocessing.channels
        other = create("headed", **wanted, in_channels=channels).eval()
        other.get_submodule("encoder").load_state_dict(net.state_dict(), strict=False)  # all but its head
        return replace(self, net=other, name="headed", arguments=wanted)


def pretrained(
    weights: str | Path,
    model: str | None = None,
    model_args: dict[str, Any] | None = None,
    *,
    layout: str | None = None,
    more: Path | None = None,
) -> Pretrained:
    """The network of published weights, of a checkpoint, or of a model file. Nothing is fetched.

    Args:
        weights: the name of published weights, or of a net; or a file: a model file, one that a manifest knows by its
            sha256, or any other that `read_checkpoint` reads; or a folder with one of these.
        model: the net that a checkpoint is of; found by names and shapes unless given.
        model_args: arguments of that net.
        layout: how a checkpoint names and lays out its tensors; whatever fits unless given.
        more: a TOML file with further manifests.

    Raises:
        UsageError, WeightsError, ModelFileError: it is none of these, not here, or not whole.
    """
    path = Path(weights)
    manifests = published(more)
    manifest = named(str(weights), manifests)
    if manifest is not None:
        return _published(manifest)
    if not path.exists():
        hint = unknown_name(str(weights), manifests)
        shown = fit_to_print(str(weights), 200)
        raise UsageError(f"`weights`: expected the name of published weights, or a file; got {shown}. {hint}")
    if path.is_dir():
        inside = file_in(path)
        if inside is None:
            known = "model.safetensors, pytorch_model.bin, last.ckpt or one other checkpoint"
            raise UsageError(f"`weights`: expected a file, or a folder with {known}; got a folder without, {path}.")
        found = pretrained(inside, model, model_args, layout=layout, more=more)
        return replace(found, said=(f"Of the folder {path}, {inside.relative_to(path)} is taken.", *found.said))
    manifest = None if model or layout else recognised(path, manifests.values())
    if manifest is not None:
        return _published(manifest, path)
    if "striate" in metadata(path):
        loaded = models.load(path, device="cpu")
        if loaded.name == ENSEMBLE:
            raise UsageError(f"`weights`: expected one network to begin with; got an ensemble, {path}.")
        arguments = {k: v for k, v in loaded.arguments.items() if k not in ("num_classes", "in_channels")}
        outputs = len(loaded.classes)
        return Pretrained(loaded.net, loaded.name, arguments, loaded.preprocessing, loaded.classes, outputs)
    return _foreign(path, model, model_args or {}, layout)


def _published(manifest: Manifest, path: Path | None = None) -> Pretrained:
    """The net of a manifest, with its weights from a file, or from where they are."""
    preprocessing, said = _preprocessing(manifest)
    tensors = tensors_of(manifest) if path is None else read_checkpoint(path).tensors
    net = _made(manifest.arch, manifest.arguments, preprocessing.channels, len(manifest.class_names))
    said += load_into(net, tensors_for(net, tensors, manifest.layout))
    about = {key: getattr(manifest, key) for key in ("name", "file", "sha256", "source", "licence")}
    outputs = len(manifest.class_names) or default_of(manifest.arch, "num_classes")
    arguments = dict(manifest.arguments)
    return Pretrained(net, manifest.arch, arguments, preprocessing, manifest.class_names, outputs, said, about)


def _made(name: str, arguments: dict[str, Any], channels: int, classes: int) -> Any:
    """A net of the catalogue in evaluation mode; with its own number of classes where that is 0."""
    asked = {**arguments, "in_channels": channels, **({"num_classes": classes} if classes else {})}
    return create(name, **asked).eval()


def _preprocessing(manifest: Manifest) -> tuple[Preprocessing, tuple[str, ...]]:
    """What a manifest says of it, and a sentence where that is done in another way."""
    try:
        record = Preprocessing.from_dict(manifest.preprocessing)
    except ValueError as error:
        raise UsageError(f"{manifest.name}: `preprocessing`: {fit_to_print(str(error), 200).rstrip('.')}.") from error
    if record.crop_mode != "center":
        raise UsageError(
            f"{manifest.name}: `preprocessing`: expected crop_mode center, which striate does; got {record.crop_mode}."
        )
    if record.interpolation == BILINEAR:
        return record, ()
    told = f"{manifest.name} was published for {record.interpolation} resizing; images are resized bilinearly."
    return replace(record, interpolation=BILINEAR), (told,)


def _foreign(path: Path, model: str | None, arguments: dict[str, Any], layout: str | None) -> Pretrained:
    """The net of a checkpoint that nobody described."""
    checkpoint = read_checkpoint(path)
    said = list(checkpoint.said)
    encoder = None
    if model is None and not identify(checkpoint.tensors, layout):
        encoder = encoder_of(checkpoint.tensors, layout)
    if encoder is not None:
        model = encoder
        said.append(
            f"{path.name} is taken for {encoder} without its dense layers; a new one on its last maps is the head."
        )
    if model is None:
        model, how = net_of(path, checkpoint.tensors, layout)
        said.append(how)
    try:
        fit = fit_to(build(partial(create, model, **arguments)).eval(), checkpoint.tensors, layout)
        _require_net(model, fit.layout)
        channels = fit.channels or default_of(model, "in_channels")
        mean, std = _assumed_mean_and_std(model, fit)
        scaled = checkpoint.scaling if not LAYOUTS[fit.layout].blue_first else None
        if scaled is not None:
            scale, offset = scaled
            mean, std = (0.0 - offset / (255 * scale),) * channels, (1 / (255 * scale),) * channels
        if encoder is not None:
            model, arguments = "headed", {"encoder": encoder}
            fit = replace(fit, tensors={f"encoder.{name}": tensor for name, tensor in fit.tensors.items()})
        net = _made(model, arguments, channels, fit.classes)
        said += take(net, fit)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    if fit.layout == "striate" and model in ALIKE:
        said.append(ALIKE[model])
    if LAYOUTS[fit.layout].blue_first and channels == COLOURS:
        said.append(BLUE_FIRST)
    size = int(net.image_size)
    prepared = f"mean {_numbers(mean)} and deviation {_numbers(std)}"
    if scaled is None:
        said.append(f"How its images were prepared is not in the file: {size} pixels, {prepared} are assumed.")
    else:
        said.append(f"The file scales its images itself, from which follow {prepared}; {size} pixels are assumed.")
    record = Preprocessing((channels, size, size), mean, std, CROP_PCT)
    about = {"file": path.name, "sha256": digest_with_parts(path)}
    return Pretrained(net, model, arguments, record, outputs=fit.classes, said=tuple(said), about=about)


def _require_net(model: str, layout: str) -> None:
    """Does nothing where tensors of this layout give in this net what they gave where they are from.

    Raises:
        WeightsError: the net computes something else from them.
    """
    known = LAYOUTS[layout]
    if known.nets and model not in known.nets:
        raise WeightsError(
            f"weights: expected the network that they are of, {known.what}; got {model}, which computes something else "
            f"from the same tensors. Try --model with one of {', '.join(known.nets)}."
        )


def _assumed_mean_and_std(model: str, fit: Fit) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Those of the files of its layout; else of the first published weights of the net; else ImageNet's."""
    usual = next((each.preprocessing for each in published().values() if each.arch == model), {})
    mean, std = LAYOUTS[fit.layout].mean_and_std or (usual.get("mean", ()), usual.get("std", ()))
    channels = fit.channels or default_of(model, "in_channels")
    mean, std = (tuple(values) * (channels if len(values) == 1 else 1) for values in (mean, std))
    return (mean, std) if len(mean) == len(std) == channels else mean_and_std(channels)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def load(source: Path | str, *, device: str = "auto", precision: str = "auto") -> Model:
    """A model, from its file or by the name of published weights.

    Args:
        source: a file that `Model.save` or `striate train` wrote; or the name of published weights that are here, or
            of a net with such weights, such as "efficientnet_lite0".
        device: where it shall run; see `striate.device.choose`.
        precision: of its arithmetic; likewise.

    Raises:
        ModelFileError: if the file is not there, not whole, of a later format, or its tensors are not those of its net.
        WeightsError: if published weights of that name are known, and are not here or not as published.
    """
    manifests = published()
    manifest = None if Path(source).exists() else named(str(source), manifests)
    if manifest is None and not Path(source).exists() and Path(source).suffix != ".safetensors":
        shown, hint = fit_to_print(str(source), 200), unknown_name(str(source), manifests)
        raise ModelFileError(f"{shown}: expected a model file, or the name of published weights; got neither. {hint}")
    if manifest is None:
        return models.load(Path(source), device=device, precision=precision)
    return _published(manifest).model(choose(device, precision))
