"""Networks that have learnt before: published weights by name or file, or a model file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from striate.data import Preprocessing
from striate.errors import UsageError
from striate.model import load as load_model
from striate.nets import create
from striate.nets.headed import ENCODER, OWN, Headed
from striate.recipe import TransferRecipe
from striate.weights import load, named, published, recognised, unknown_name


@dataclass(frozen=True)
class Pretrained:
    """A network with weights that have learnt before."""

    net: nn.Module
    """In evaluation mode, with its own head."""

    name: str
    arguments: dict[str, Any]
    """The arguments of the net, without classes and channels."""

    preprocessing: Preprocessing

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
        return Pretrained(other, "headed", wanted, self.preprocessing)


def pretrained(weights: str | Path) -> Pretrained:
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
        return Pretrained(model.net, model.name, arguments, model.preprocessing)
    net = create(manifest.arch, **manifest.arguments).eval()
    load(net, str(weights))
    return Pretrained(net, manifest.arch, manifest.arguments, Preprocessing.from_dict(manifest.preprocessing))
