"""The nets that stand alone, and how a net is made by its name.

`striate.nets` adds those that are built over others.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from msgspec import Meta
from torch import nn

from striate.errors import UsageError, nearest
from striate.files import fit_to_print
from striate.nets import (
    airbench,
    alexnet,
    convnet39,
    efficientnet_lite,
    fcn,
    googlenet,
    inception_resnet_v2,
    inception_v3,
    lenet,
    lenet_caffe,
    mobilenet_v1,
    mobilenet_v2,
    nin,
    plain,
    resnet,
    resnet_cifar,
    segnet,
    squeezenet,
    timm_nets,
    vgg,
)
from striate.nets.heads import HIDDEN, replace_head
from striate.records import require_in_range

Variant = Callable[..., nn.Module]
HEAD_ARGUMENTS = {"head": str, "hidden": int}  # which `replace_head` takes, for every net that has none of its own
LARGEST = 1_000_000  # of a number that a net is made with
Number = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
Count = Annotated[int, Meta(ge=1, le=LARGEST)]
RANGES: dict[Any, Any] = {  # of an argument, by the type that a net gives it
    int: Count,
    tuple[int, int, int]: tuple[Count, Count, Count],
    float: Annotated[float, Meta(ge=0, le=1000)],
    str: Annotated[str, Meta(max_length=1000)],
    Any: bool | Number | Annotated[str, Meta(max_length=1000)] | list[Number] | None,  # of a net that timm makes
}

SINGLE: dict[str, Variant] = {
    **airbench.VARIANTS,
    **alexnet.VARIANTS,
    **convnet39.VARIANTS,
    **efficientnet_lite.VARIANTS,
    **fcn.VARIANTS,
    **googlenet.VARIANTS,
    **inception_resnet_v2.VARIANTS,
    **inception_v3.VARIANTS,
    **lenet.VARIANTS,
    **lenet_caffe.VARIANTS,
    **mobilenet_v1.VARIANTS,
    **mobilenet_v2.VARIANTS,
    **nin.VARIANTS,
    **plain.VARIANTS,
    **resnet.VARIANTS,
    **resnet_cifar.VARIANTS,
    **segnet.VARIANTS,
    **squeezenet.VARIANTS,
    **vgg.VARIANTS,
}


def single_variant(name: str, catalogue: Mapping[str, Variant] = SINGLE) -> Variant:
    """What makes the net of this name.

    Args:
        name: a key of the catalogue, or timm/NAME.
        catalogue: where to look.

    Raises:
        UsageError: the name is neither.
    """
    if name.startswith(timm_nets.PREFIX):
        return functools.partial(timm_nets.TimmNet, name.removeprefix(timm_nets.PREFIX))
    if name not in catalogue:
        raise UsageError(f"`{fit_to_print(name, 80)}`: expected the name of a net. {nearest(name, catalogue)}")
    return catalogue[name]


def make(name: str, variant: Variant, arguments: Mapping[str, Any]) -> nn.Module:
    """Calls what makes a net, once its arguments are known to be its own.

    Args:
        name: for the messages.
        variant: that makes it.
        arguments: of the net; `head` and `hidden` are given to `replace_head` where it does not take them itself.

    Raises:
        UsageError: the net does not take an argument, or one is not of its type and range.
    """
    parameters = inspect.signature(variant).parameters
    passes_on = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    accepted = set(parameters) | (arguments.keys() - HEAD_ARGUMENTS.keys() if passes_on else set())
    if isinstance(variant, functools.partial):
        accepted -= variant.keywords.keys()  # what makes it this variant is not the caller's to change
    for argument, value in arguments.items():
        if argument not in accepted and argument not in HEAD_ARGUMENTS:
            hint, got = nearest(argument, accepted), fit_to_print(argument, 80)
            raise UsageError(f"`{name}`: expected an argument that it takes; got `{got}`. {hint}")
        kind = parameters[argument].annotation if argument in parameters else HEAD_ARGUMENTS.get(argument, Any)
        require_in_range(argument, RANGES.get(kind, kind), value)
    own = {key: value for key, value in arguments.items() if key in accepted}
    of_head = {key: value for key, value in arguments.items() if key not in own}
    if of_head.keys() == {"hidden"}:
        raise UsageError(
            f"`{name}`: expected `hidden` beside a `head`; got it alone. Try head mlp, whose units it counts."
        )
    net = variant(**own)
    if of_head:
        num_classes = arguments.get("num_classes", parameters["num_classes"].default)
        replace_head(net, num_classes, of_head["head"], of_head.get("hidden", HIDDEN))
    return net


def create_single(name: str, **arguments: Any) -> nn.Module:
    """A new net that stands alone; see `striate.nets.create`."""
    return make(name, single_variant(name), arguments)
