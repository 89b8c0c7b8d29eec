"""Finds the network that a user names: in the catalogue, in a model file, in timm, or anywhere that can be imported."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from torch import nn

from striate.errors import ModelFileError, UsageError, nearest
from striate.graph.meta import META, build
from striate.nets import create
from striate.tensors import read

DEFAULT_SIZE = 224
DEFAULT_CHANNELS = 3


@dataclass(frozen=True)
class Target:
    """A network on the meta device, and the image that it takes unless told otherwise."""

    name: str
    net: nn.Module
    input_shape: tuple[int, int, int]


def find(
    name: str,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    img_size: tuple[int, int] | None = None,
) -> Target:
    """The network that a name means, with no memory for its weights.

    Args:
        name: of the catalogue, or timm/NAME; or the path of a model file that ends in .safetensors; or
            package.module:factory, where calling the factory gives an `nn.Module`.
        num_classes, in_channels: passed to the network where they are not None.
        img_size: (H, W); the network's own unless given.

    Raises:
        UsageError: nothing has this name, or it does not take these arguments.
        ModelFileError: the file is not a model that striate wrote.
    """
    given = {"num_classes": num_classes, "in_channels": in_channels}
    arguments = {key: value for key, value in given.items() if value is not None}
    shape: tuple[int, int, int] | None = None
    if name.endswith(".safetensors"):
        if arguments:
            raise UsageError(f"{name}: expected no --{next(iter(arguments)).replace('_', '-')} with a model file.")
        net, shape = _from_file(Path(name))
    elif ":" in name:
        net = _from_factory(name, arguments)
    else:
        net = build(lambda: create(name, **arguments)).to(META)
    channels, height, width = shape or _image_of(net)
    return Target(name, net, (in_channels or channels, *(img_size or (height, width))))


def _image_of(net: nn.Module) -> tuple[int, int, int]:
    size = getattr(net, "image_size", DEFAULT_SIZE)
    height, width = size if isinstance(size, tuple) else (size, size)
    counts = (getattr(module, "in_channels", None) for module in net.modules())
    channels = next((count for count in counts if isinstance(count, int)), DEFAULT_CHANNELS)
    return channels, height, width


def _from_file(path: Path) -> tuple[nn.Module, tuple[int, int, int]]:
    from striate import model_file

    try:
        _, metadata = read(path)
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: expected a model file; got nothing there.") from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: expected a safetensors file that is whole; {error}.") from error
    about, _ = model_file.parse(path, metadata)
    if about.members:
        raise UsageError(
            f"{path}: expected one network; got an ensemble of {len(about.members)}. Try one of its models."
        )
    return model_file.make_net(path, about.net), about.preprocessing.input_size


def _from_factory(name: str, arguments: dict[str, int]) -> nn.Module:
    module_name, _, path = name.partition(":")
    factory = _imported(name, module_name, path)
    if isinstance(factory, nn.Module):
        return factory.to("meta")
    if not callable(factory):
        raise UsageError(f"{name}: expected a function or class that makes an nn.Module; got {type(factory).__name__}.")
    taken = signature(factory).parameters
    for argument in arguments:
        if argument not in taken:
            raise UsageError(
                f"{name}: expected an argument that it takes; got `{argument}`. {nearest(argument, taken)}"
            )
    net = _called(name, factory, arguments)
    if not isinstance(net, nn.Module):
        raise UsageError(f"{name}: expected it to return an nn.Module; got {type(net).__name__}.")
    return net


def _imported(name: str, module_name: str, path: str) -> Any:
    """What `module:path` names; the working folder comes first, as with `python -m`."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{name}: expected a module that can be imported; {error}. Try it in this folder.") from error
    except AttributeError as error:
        raise UsageError(f"{name}: expected something in that module; {error}.") from error
    finally:
        sys.path.remove(str(Path.cwd()))
    return found


def _called(name: str, factory: Callable[..., Any], arguments: dict[str, int]) -> Any:
    try:
        return build(lambda: factory(**arguments))
    except TypeError as error:
        raise UsageError(f"{name}: expected a call that needs no other argument; {error}.") from error
