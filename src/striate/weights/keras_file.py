"""Files of Keras: the tensors of an HDF5 file, as `layer/kernel` and so on, which `from_keras` takes.

Keras 2's files, which Keras Applications publishes, name every tensor (`conv1/conv1/kernel:0`), and so do those of
Keras 1 (`conv1/conv1_W:0`), such as the first of VGG and ResNet50. Keras 3's `.weights.h5` numbers the tensors of a
layer and names the layer in an attribute; a `.keras` archive holds such a file.

Source: keras/src/legacy/saving/legacy_h5_format.py and keras/src/saving/saving_lib.py of keras-team/keras; a network
read from each format that Keras 3.15 writes gives Keras' logits.
"""

import contextlib
import importlib
import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import torch
from torch import Tensor

from striate.errors import WeightsError
from striate.files import fit_to_print, open_regular
from striate.tensors import MOST_TENSORS, unsound
from striate.weights.checkpoint import Checkpoint
from striate.weights.keras_order import todays_names

HDF5 = b"\x89HDF\r\n\x1a\n"  # at the beginning of a file
IN_ARCHIVE = "model.weights.h5"  # of a .keras archive
CONFIG = "config.json"  # of it too
MOST_CONFIG = 1 << 24  # bytes
OPTIMISER = "optimizer"  # what its groups' names begin with
DEPTH = 12  # of groups within groups
MOST_PARTS = 100  # of a list of names that is parted, each of up to 64 KB
NUMBERED = {  # by the class of a layer, what Keras 3 numbers from 0
    "dense": ("kernel", "bias"),
    "conv2d": ("kernel", "bias"),
    "depthwise_conv2d": ("depthwise_kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}
COUNT = re.compile(r"_\d+$")  # behind the second layer of a class, and on
NO_SCALE = ("beta", "moving_mean", "moving_variance")  # of a batch norm with three tensors
KERAS_1 = {  # running_std held the variance
    "W": "kernel",
    "b": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
}
IN_KERAS_1 = re.compile(rf"({'|'.join(KERAS_1)})(?:_\d+)?")  # behind the name of the layer; a second session counts
DEPTHWISE = ("dw", "depthwise")  # in the names of such layers, whose kernel Keras 3 calls as any other


def hdf5_library(path: Path) -> Any:
    """The module h5py.

    Raises:
        WeightsError: it cannot be imported.
    """
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise WeightsError(
            f"{path}: a file of Keras; expected h5py to be installed; it cannot be imported here "
            f"({fit_to_print(str(error), 80)}). Try `pip install 'striate[keras]'`."
        ) from error


def read_keras(path: Path) -> Checkpoint:
    """The tensors of a file of Keras, by layer: `conv1/kernel`, `conv1_bn/gamma`.

    What a file of HDF5 refers to outside itself is not read.

    Raises:
        WeightsError: h5py is not installed, or the file holds something else than the weights of layers.
    """
    h5py = hdf5_library(path)
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            content, config = _content(file)
            with h5py.File(content, "r") as root:
                config = config or root.attrs.get("model_config", "")
                arrays = list(_datasets(h5py, root, size))
                order = _order(root)  # only now: nothing in the file leads outside
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        reason = fit_to_print(str(error).rstrip("."), 200)
        raise WeightsError(f"{path}: expected weights that Keras saved; {reason}.") from error
    found = _by_layer(arrays, order)
    problem = unsound(found, size)
    if problem or not found:
        raise WeightsError(f"{path}: {problem or 'expected weights that Keras saved; got none'}.")
    if not order:
        return Checkpoint(found, scaling=_scaling(config))
    try:
        return Checkpoint(*todays_names(found), scaling=_scaling(config))
    except ValueError as error:
        raise WeightsError(f"{path}: expected weights that Keras saved; {error}.") from error


def _by_layer(arrays: Iterable[tuple[str, str, Tensor]], order: Sequence[str]) -> dict[str, Tensor]:
    """`layer/kernel` and so on of (path, name, tensor) of arrays, in the order in which the file lists their paths."""
    places = {path: place for place, path in enumerate(order)}
    tensors: dict[str, Tensor] = {}
    for _, name, value in sorted(arrays, key=lambda each: places.get(each[0], len(places))):
        short = "/".join(name.split("/")[-2:])
        tensors[name if short in tensors else short] = value
    return tensors


def _order(root: Any) -> list[str]:
    """The paths of arrays in the order in which Keras 2 lists them; none where a file has no such list."""
    within = "model_weights" if "model_weights" in root else ""
    top = root[within] if within else root
    return [
        "/".join(part for part in (within, layer, name) if part)
        for layer in _listed(top, "layer_names")
        if layer in top and not any(part.startswith(OPTIMISER) for part in layer.split("/"))
        for name in _listed(top[layer], "weight_names")
    ]


def _listed(group: Any, name: str) -> list[str]:
    """A list of names, which Keras parts where it is long."""
    parts = [name] if name in group.attrs else [f"{name}{i}" for i in range(MOST_PARTS) if f"{name}{i}" in group.attrs]
    return [each.decode() if isinstance(each, bytes) else str(each) for part in parts for each in group.attrs[part]]


def _content(file: BinaryIO) -> tuple[BinaryIO, bytes]:
    """The HDF5 file itself, or the one in a .keras archive, with the description of its network."""
    file.seek(0)
    if file.read(len(HDF5)) == HDF5:
        file.seek(0)
        return file, b""
    with zipfile.ZipFile(file) as archive:
        if archive.getinfo(IN_ARCHIVE).compress_type != zipfile.ZIP_STORED:
            raise ValueError("expected an archive without compression, as Keras writes it; got a compressed one")
        about = archive.getinfo(CONFIG) if CONFIG in archive.namelist() else None
        config = archive.read(about) if about is not None and about.file_size <= MOST_CONFIG else b""
        return BytesIO(archive.read(IN_ARCHIVE)), config


def _scaling(config: str | bytes) -> tuple[float, float] | None:
    """(scale, offset) of the layer Rescaling of a network, by its description; None where it has none, or several."""
    found, waiting = [], []
    with contextlib.suppress(msgspec.DecodeError, TypeError):
        waiting = [msgspec.json.decode(config)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if part.get("class_name") == "Rescaling" and isinstance(part.get("config"), dict):
                found.append((part["config"].get("scale"), part["config"].get("offset", 0.0)))
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    if len(found) != 1:
        return None
    [(scale, offset)] = found
    numbers = all(isinstance(each, int | float) and math.isfinite(each) for each in (scale, offset))
    return (float(scale), float(offset)) if numbers and scale > 0 else None


def _datasets(h5py: Any, root: Any, size: int) -> Iterator[tuple[str, str, Tensor]]:
    """(path, `layer/kernel`, tensor) of each array of layers; those of optimisers are left out."""
    count = 0
    waiting = [("", root, 0)]
    while waiting:
        path, group, depth = waiting.pop()
        for name in sorted(group):
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"it refers to something outside of itself: {fit_to_print(name, 80)}")
            item, inner = group[name], f"{path}/{name}".removeprefix("/")
            count += 1
            if count > 4 * MOST_TENSORS or depth > DEPTH:
                raise ValueError("it holds more groups than the weights of a network")
            if isinstance(item, h5py.Group):
                if not (depth == 0 and name.startswith(OPTIMISER)):
                    waiting.append((inner, item, depth + 1))
            elif name != "seed_generator_state":
                yield inner, _named(inner, group), _tensor(item, inner, size)


def _named(path: str, group: Any) -> str:
    """`layer/kernel` of the path of an array."""
    *parts, leaf = path.split("/")
    if leaf.isdecimal() and len(leaf) < 3 and parts and parts[-1] == "vars":  # Keras 3
        kind = COUNT.sub("", parts[-2]) if len(parts) > 1 else ""
        names = NUMBERED.get(kind, ())
        if kind == "batch_normalization" and len(group) == len(NO_SCALE):
            names = NO_SCALE
        layer = str(group.attrs.get("name", parts[-2]))
        return f"{layer}/{names[int(leaf)] if int(leaf) < len(names) else leaf}"
    layer, leaf = parts[-1] if parts else "", leaf.removesuffix(":0")
    former = IN_KERAS_1.fullmatch(leaf.removeprefix(f"{layer}_")) if leaf.startswith(f"{layer}_") else None
    if former is not None:
        leaf = KERAS_1[former[1]]
    if leaf == "kernel" and any(mark in layer.split("_") for mark in DEPTHWISE):
        leaf = "depthwise_kernel"
    return f"{layer}/{leaf}"


def _tensor(dataset: Any, name: str, size: int) -> Tensor:
    """An array of the file, whose bytes lie in it as they are."""
    shown = fit_to_print(name, 80)
    if dataset.external or dataset.is_virtual or dataset.id.get_create_plist().get_nfilters():
        raise ValueError(f"expected an array that lies in the file as it is; got another, {shown}")
    if dataset.dtype.kind not in "fiub" or dataset.nbytes > size:
        raise ValueError(f"expected numbers of no more than the {size:,} bytes of the file; got others, {shown}")
    return torch.from_numpy(np.array(dataset))
