"""The catalogue of networks, and what each of them promises.

A net is a plain `nn.Module` with
    forward(images) -> logits       (N, C, H, W) -> (N, num_classes), always one tensor; of a segmentation net
                                    (N, num_classes, H, W)
    features(images) -> [Tensor]    its maps, at falling resolution
    stages                          the names of modules that can be frozen, in the order in which images pass them
    head                            the name of the layer that makes the logits
    explained_layer                 the name of the module whose output, a map, explains the logits
    image_size                      the H = W that was published for it
and, where there are side branches or several layers of scores,
    branches(images) -> [Tensor]    all logits, the main ones first
    branch_weights                  the share of each side branch's loss in training; empty without them
    other_heads                     the names of further layers with one output a class
    former_names                    where modules were renamed: what older model files call them, and what they are now

No stage holds any of the heads. Stages, heads and what else lies in a side branch hold every parameter, each once.
A head that is an `nn.Linear`, a `Perceptron` or a `Cosine` gives the logits as they are: nothing follows it.
`striate.nets.heads.replace_head` puts another head in its place, of any number of classes.
`features` may be a child that is called, where published names ask for one.
Every net takes `num_classes` and `in_channels`; `tests/contracts` has a row for each.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from striate.nets import fcn, headed, locator, segnet, unet
from striate.nets.catalogue import HEAD_ARGUMENTS, SINGLE, make, single_variant
from striate.nets.heads import heads_of, replace_head, takes_vectors

__all__ = [
    "CATALOGUE",
    "arguments_of",
    "create",
    "default_of",
    "encoder_name",
    "gives_pixels",
    "heads_of",
    "replace_head",
    "takes_vectors",
    "variant_named",
]

CATALOGUE: dict[str, Callable[..., nn.Module]] = {
    **SINGLE,
    **headed.VARIANTS,
    **locator.VARIANTS,
    **unet.VARIANTS,
}


def variant_named(name: str) -> Callable[..., nn.Module]:
    """What makes the net of this name.

    Args:
        name: a key of `CATALOGUE`, timm/NAME, or unet_NAME, where NAME is a net that stands alone.

    Raises:
        UsageError: the name is none of these.
    """
    encoder = name.removeprefix(unet.PREFIX)
    if name not in CATALOGUE and name.startswith(unet.PREFIX):
        single_variant(encoder)
        return functools.partial(unet.unet_over, encoder)
    return single_variant(name, CATALOGUE)


def gives_pixels(name: str) -> bool:
    """Whether the net of this name gives logits of each pixel, rather than of the image."""
    return name in (*fcn.VARIANTS, *segnet.VARIANTS, *unet.VARIANTS) or name.startswith(unet.PREFIX)


def encoder_name(name: str) -> str:
    """The name of the net that a U-Net, unet_NAME, is over; that of any other net as it is."""
    return name.removeprefix(unet.PREFIX)


def arguments_of(name: str) -> frozenset[str]:
    """The names of the arguments that a net takes, without those that it passes on to another."""
    return frozenset((*inspect.signature(variant_named(name)).parameters, *HEAD_ARGUMENTS))


def default_of(name: str, argument: str) -> int:
    """The value that a net gives to `num_classes` or `in_channels` unless told otherwise."""
    default: int = inspect.signature(variant_named(name)).parameters[argument].default
    return default


def create(name: str, **arguments: Any) -> nn.Module:
    """A new net of the catalogue, in training mode, with initial values drawn from PyTorch's global generator.

    Args:
        name: a key of `CATALOGUE`, timm/NAME or unet_NAME.
        arguments: `num_classes` and `in_channels`, both at least 1; `head` and `hidden`, as `replace_head` takes them,
            for a head of another kind than the net's own; and what else the net takes.

    Raises:
        UsageError: the name is not in the catalogue, the net does not take an argument, or a count is below 1.

    >>> create("lenet5", num_classes=7).fc3
    Linear(in_features=84, out_features=7, bias=True)
    >>> create("lenet5", num_classes=7, head="mlp", hidden=32).fc3
    Perceptron(
      (0): Linear(in_features=84, out_features=32, bias=True)
      (1): ReLU()
      (2): Linear(in_features=32, out_features=7, bias=True)
    )
    """
    return make(name, variant_named(name), arguments)
