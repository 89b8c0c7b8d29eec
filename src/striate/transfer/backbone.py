"""A network that has learnt before, and what a recipe takes from it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from striate.data import Preprocessing
from striate.errors import UsageError
from striate.model import load as load_model
from striate.nets import create
from striate.nets.headed import ENCODER, OWN, Headed
from striate.recipe import Recipe, TransferRecipe
from striate.transfer.freeze import frozen_stages, redrawn_stages
from striate.weights import load, named, published, recognised, unknown_name

FINE_TUNING_LR = 1e-4  # a tenth of that for drawn values: weights that have learnt before are kept near where they are


@dataclass(frozen=True)
class Backbone:
    """A network with its published weights."""

    net: nn.Module
    """In evaluation mode, with its own head."""

    name: str
    arguments: dict[str, Any]
    """Of the net, without classes and channels."""

    preprocessing: Preprocessing

    def headed(self, transfer: TransferRecipe) -> "Backbone":
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
        return Backbone(other, "headed", wanted, self.preprocessing)


def backbone(weights: str | Path) -> Backbone:
    """The network of published weights, or of a model file of ours.

    Args:
        weights: the name of a manifest, or of a net; or a file: one that a manifest knows by its sha256, or a model
            file.

    Raises:
        UsageError, WeightsError, ModelFileError: it is none of these, not there, or not whole.
    """
    manifests = published()
    manifest = named(str(weights), manifests)
    path = Path(weights)
    if manifest is None:
        if not path.is_file():
            raise UsageError(
                f"`weights`: expected the name of published weights, or a file; got {weights}. "
                f"{unknown_name(str(weights), manifests)}"
            )
        manifest = recognised(path, manifests.values())
    if manifest is None:
        model = load_model(path, device="cpu")
        arguments = {k: v for k, v in model.arguments.items() if k not in ("num_classes", "in_channels")}
        return Backbone(model.net, model.name, arguments, model.preprocessing)
    net = create(manifest.arch, **manifest.arguments).eval()
    load(net, str(weights))
    return Backbone(net, manifest.arch, manifest.arguments, Preprocessing.from_dict(manifest.preprocessing))


def resolve(recipe: Recipe, base: Backbone) -> Recipe:
    """The recipe with what it leaves open taken from the weights: network, size and normalisation; frozen is all.

    Raises:
        UsageError: it names another network, other channels, or stages that the network lacks.
    """
    network, data, shown = recipe.network, recipe.data, base.preprocessing
    for name, own, given in (
        ("model", base.name, network.model),
        ("model_args", base.arguments, network.model_args),
        ("in_channels", shown.channels, data.in_channels),
    ):
        if given and given != own:
            raise UsageError(f"`{name}`: expected that of `--weights`, {own}; got {given}. Try without it.")
    if network.whiten:
        raise UsageError("`whiten`: expected a network that begins with drawn values; got one of `--weights`.")
    freeze = recipe.transfer.freeze or "all"
    frozen = () if freeze == "auto" else frozen_stages(base.net, freeze)
    redrawn = redrawn_stages(base.net, recipe.transfer.redraw)
    if redrawn and (freeze == "auto" or set(redrawn).intersection(frozen)):
        raise UsageError(
            f"`redraw`: expected a stage after those that --freeze names, so that it learns; got {redrawn[0]} and "
            f"--freeze {freeze}. Try --freeze with the stage before it."
        )
    return replace(
        recipe,
        network=replace(network, model=base.name, model_args=dict(base.arguments)),
        data=replace(
            data,
            img_size=data.img_size or shown.size[0],
            in_channels=shown.channels,  # type: ignore[arg-type]  # a net is published for 1 or 3
            mean=data.mean or shown.mean,
            std=data.std or shown.std,
            crop_pct=data.crop_pct or shown.crop_pct,
        ),
        training=replace(recipe.training, lr=recipe.training.lr or FINE_TUNING_LR),
        transfer=replace(recipe.transfer, freeze=freeze),
    )
