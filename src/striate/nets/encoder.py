"""A net of the catalogue as the encoder of another: its feature maps, without its head."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from striate.errors import UsageError


@dataclass(frozen=True)
class Encoder:
    """What a net that is built over another needs to know of it."""

    net: Any
    """The net, in which the identity stands for every layer that its `features` do not use."""

    channels: tuple[int, ...]
    """The channels of each map, first to last."""

    stages: tuple[str, ...]
    """The net's stages that still hold parameters, named as in a parent that calls it `encoder`."""

    explained_layer: str
    """The name of the net's explained layer, likewise."""


def encoder_from(net: nn.Module, in_channels: int) -> Encoder:
    """Takes over a net as an encoder.

    Args:
        net: changed in place: each layer with parameters that `features` does not use, such as the head, becomes the
            identity.
        in_channels: those of the net's images.

    Raises:
        UsageError: the net has no `features`.
    """
    wanted: Any = net
    if not callable(getattr(wanted, "features", None)):
        kind = type(net).__name__
        raise UsageError(f"`encoder`: expected a net with `features`; got {kind}. Try one of the catalogue.")
    trial = copy.deepcopy(wanted).to("meta").eval()  # shapes without arithmetic, and no trace in the net itself
    called: set[str] = set()
    for name, module in trial.named_modules():
        module.register_forward_hook(lambda *_, name=name: called.add(name))
    maps = trial.features(torch.empty(1, in_channels, trial.image_size, trial.image_size, device="meta"))
    for name, module in list(net.named_modules()):
        if name and name not in called and any(True for _ in module.parameters(recurse=False)):
            net.set_submodule(name, nn.Identity())
    used = [name for name in wanted.stages if any(True for _ in net.get_submodule(name).parameters())]
    return Encoder(
        net,
        tuple(x.shape[1] for x in maps),
        tuple(f"encoder.{name}" for name in used),
        f"encoder.{getattr(net, 'explained_layer', '')}",
    )
