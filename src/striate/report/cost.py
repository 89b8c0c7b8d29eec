"""What a model costs: exact counts, and speed as measured here."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from striate.errors import UsageError
from striate.graph.meta import META, build
from striate.graph.trace import trace
from striate.model import Model
from striate.nets import create

BATCH = 32  # images at a time, where a network is fast enough
LEAST_S = 0.5  # for which a network that is not fast runs
MOST = 20  # times that it runs


@dataclass(frozen=True)
class Cost:
    """What one image costs, and what a batch costs here."""

    parameters: int
    macs: int | None
    """Multiplications for one image; None where they cannot be counted."""

    at_least: bool
    """Whether there are operations whose multiplications are not known."""

    weight_bytes: int
    """Of parameters and buffers."""

    peak_bytes: int | None
    """The most that the tensors of one image take at once, in float32, beside the weights; None as `macs`."""

    file_bytes: int
    """Of the model's file; 0 where it is not on the disk."""

    batch: int
    """Images at a time, in what follows."""

    images_per_second: float
    """Of the network alone, without decoding."""

    one_image_s: float
    """For one image by itself, without decoding."""


def measure(model: Model, path: Path | None = None) -> Cost:
    """Counts a model, and runs it for about two seconds.

    Args:
        model: which stays as it is.
        path: of its file.
    """
    channels, height, width = model.preprocessing.input_size
    image = torch.zeros(1, height, width, channels, dtype=torch.uint8)
    model.predict_batch(image)  # the first pass of a process makes the others' kernels
    one = _seconds(model, image)
    batch = image.repeat(max(1, min(BATCH, int(LEAST_S / one))), 1, 1, 1)
    macs, at_least, peak = _counted(model)
    return Cost(
        parameters=sum(parameter.numel() for parameter in model.net.parameters()),
        macs=macs,
        at_least=at_least,
        weight_bytes=sum(tensor.nbytes for tensor in (*model.net.parameters(), *model.net.buffers())),
        peak_bytes=peak,
        file_bytes=path.stat().st_size if path is not None and path.is_file() else 0,
        batch=len(batch),
        images_per_second=len(batch) / _seconds(model, batch),
        one_image_s=one,
    )


def _seconds(model: Model, images: torch.Tensor) -> float:
    """The median time of a pass."""
    times: list[float] = []
    started = time.perf_counter()
    while not times or (len(times) < MOST and time.perf_counter() - started < LEAST_S):
        before = time.perf_counter()
        model.predict_batch(images)
        times.append(time.perf_counter() - before)
    return sorted(times)[len(times) // 2]


def _counted(model: Model) -> tuple[int | None, bool, int | None]:
    """Multiplications for one image, whether there are more that are not known, and the bytes that it takes at once."""
    try:
        net = build(lambda: create(model.name, **model.arguments)).to(META)
        found = trace(net, torch.empty((1, *model.preprocessing.input_size), device=META))
    except UsageError:  # a network that looks at the values of tensors
        return None, False, None
    return sum(layer.macs for layer in found.layers), bool(found.uncounted), found.peak
