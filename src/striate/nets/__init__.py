"""The catalogue of networks, and what each of them promises.

A net is a plain `nn.Module` with
    forward(images) -> logits       (N, C, H, W) -> (N, num_classes), always one tensor; of a segmentation net
                                    (N, num_classes, H, W)
    features(images) -> [Tensor]    its maps, at falling resolution
    branches(images) -> [Tensor]    only where there are side branches: all logits, the main ones first
    branch_weights                  likewise: the share of each side branch's loss in training; empty without them
    stages                          the names of modules that can be frozen, in the order in which images pass them
    explained_layer                 the name of the module whose output, a map, explains the logits
    image_size                      the H = W that was published for it

What holds parameters and is in no stage is a head: the last linear layer, or a side branch. Stages and heads together
hold every parameter, each once. `features` may be a child that is called, where published names ask for one.
Every net takes `num_classes` and `in_channels`; `tests/contracts` has a row for each.
"""

import functools
import inspect
from collections.abc import Callable

from torch import nn

from striate.errors import UsageError, nearest
from striate.nets import (
    airbench,
    alexnet,
    convnet39,
    efficientnet_lite,
    fcn,
    googlenet,
    headed,
    inception_resnet_v2,
    inception_v3,
    lenet,
    lenet_caffe,
    locator,
    mobilenet_v1,
    mobilenet_v2,
    nin,
    plain,
    resnet,
    resnet_cifar,
    segnet,
    squeezenet,
    timm_nets,
    unet,
    vgg,
)

__all__ = ["CATALOGUE", "create", "default_of", "variant_named"]

CATALOGUE: dict[str, Callable[..., nn.Module]] = {
    **airbench.VARIANTS,
    **alexnet.VARIANTS,
    **convnet39.VARIANTS,
    **efficientnet_lite.VARIANTS,
    **fcn.VARIANTS,
    **googlenet.VARIANTS,
    **headed.VARIANTS,
    **inception_resnet_v2.VARIANTS,
    **inception_v3.VARIANTS,
    **lenet.VARIANTS,
    **lenet_caffe.VARIANTS,
    **locator.VARIANTS,
    **mobilenet_v1.VARIANTS,
    **mobilenet_v2.VARIANTS,
    **nin.VARIANTS,
    **plain.VARIANTS,
    **resnet.VARIANTS,
    **resnet_cifar.VARIANTS,
    **segnet.VARIANTS,
    **squeezenet.VARIANTS,
    **unet.VARIANTS,
    **vgg.VARIANTS,
}


def variant_named(name: str) -> Callable[..., nn.Module]:
    """What makes the net of this name.

    Args:
        name: a key of `CATALOGUE`, timm/NAME, or unet_NAME, where NAME is a net that this function knows.

    Raises:
        UsageError: the name is none of these.
    """
    if name.startswith(timm_nets.PREFIX):
        return functools.partial(timm_nets.TimmNet, name.removeprefix(timm_nets.PREFIX))
    encoder = name.removeprefix(unet.PREFIX)
    if name not in CATALOGUE and name.startswith(unet.PREFIX) and variant_named(encoder):
        return functools.partial(unet.unet_over, encoder)
    if name not in CATALOGUE:
        raise UsageError(f"`{name}`: expected the name of a net. {nearest(name, CATALOGUE)}")
    return CATALOGUE[name]


def default_of(name: str, argument: str) -> int:
    """The value that a net gives to `num_classes` or `in_channels` unless told otherwise."""
    default: int = inspect.signature(variant_named(name)).parameters[argument].default
    return default


def create(name: str, **arguments: object) -> nn.Module:
    """A new net of the catalogue, in training mode, with initial values drawn from PyTorch's global generator.

    Args:
        name: a key of `CATALOGUE`, timm/NAME or unet_NAME.
        arguments: `num_classes` and `in_channels`, both at least 1, and what else the net takes.

    Raises:
        UsageError: the name is not in the catalogue, the net does not take an argument, or a count is below 1.

    >>> create("lenet5", num_classes=7).fc3
    Linear(in_features=84, out_features=7, bias=True)
    """
    variant = variant_named(name)
    parameters = inspect.signature(variant).parameters
    passes_on = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    accepted = set(parameters) | (set(arguments) if passes_on else set())
    if isinstance(variant, functools.partial):
        accepted -= variant.keywords.keys()  # what makes it this variant is not the caller's to change
    for argument, value in arguments.items():
        if argument not in accepted:
            hint = nearest(argument, accepted)
            raise UsageError(f"`{name}`: expected an argument that it takes; got `{argument}`. {hint}")
        if argument in ("num_classes", "in_channels") and not (isinstance(value, int) and value >= 1):
            raise UsageError(f"`{argument}`: expected a whole number of at least 1; got {value!r}.")
    return variant(**arguments)
