"""What the machine does at its best: matrix products, convolutions, memory."""

import math
import mmap
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import nn
from torch.nn.functional import conv2d

from striate.device import Machine
from striate.machine.timing import Rate, Work, rates, seconds

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SIDES = (1024, 2048)  # rows and columns of the matrices
FEWEST_ROWS = 32
LONG_S = 0.25  # a work that lasts longer is done on fewer rows or images
CONVOLUTIONS = ((64, 56), (128, 28), (256, 14), (256, 28), (512, 14))  # channels, H = W; 3x3, as in ResNet and VGG
IMAGES = 32  # at most
LARGER = 4  # times the side of matrices, and the number of images, that keep a GPU busy
COPIED = 1 << 28  # bytes: more than any cache holds


def products(machine: Machine, rounds: int, least_s: float) -> dict[str, Rate]:
    """Operations a second of the best matrix product, by precision; a product and a sum are two."""
    works: dict[str, Work] = {}
    for name, dtype in DTYPES.items():
        for side in (side * _scale(machine) for side in SIDES):
            works[f"{name} {side}"] = _enough(partial(_product, machine, dtype, side), FEWEST_ROWS, side)
    return _best(works, rounds, least_s)


def convolutions(machine: Machine, rounds: int, least_s: float) -> dict[str, Rate]:
    """Operations a second of the best 3x3 convolution, by precision and by `forward` or `forward and back`."""
    works: dict[str, Work] = {}
    for name, dtype in DTYPES.items():
        for channels, size in CONVOLUTIONS:
            for way in ("forward", "forward and back"):
                of = partial(_convolution, machine, dtype, channels, size, back=way == "forward and back")
                works[f"{name}, {way} {channels}x{size}"] = _enough(of, 1, IMAGES * _scale(machine))
    return _best(works, rounds, least_s)


def memory(machine: Machine, rounds: int, least_s: float) -> dict[str, Rate]:
    """Bytes a second that are written: to memory that is there (`copied`), and to memory `fresh` from the kernel.

    Where networks run on a GPU, its own memory too (`copied on` it).
    """
    source = torch.ones(COPIED, dtype=torch.uint8)

    def fresh() -> float:
        with mmap.mmap(-1, COPIED) as new:
            torch.frombuffer(new, dtype=torch.uint8).copy_(source)
        return COPIED

    works: dict[str, Work] = {"copied": _copy(source), "fresh": fresh}
    if machine.device.type != "cpu":
        works[f"copied on {machine.device.type}"] = _copy(source.to(machine.device))
    return rates(works, rounds, least_s)


def _copy(source: torch.Tensor) -> Work:
    target = torch.zeros_like(source)

    def work() -> float:
        target.copy_(source)
        return source.nbytes

    return work


def _scale(machine: Machine) -> int:
    return 1 if machine.device.type == "cpu" else LARGER


def _enough(work_on: Callable[[int], Work], fewest: int, most: int) -> Work:
    """The work on as many rows or images as last `LONG_S` seconds, as the fewest say: the slow is measured on few."""
    count = fewest * math.ceil(LONG_S / seconds(work_on(fewest)))
    return work_on(min(count, most))


def _best(works: dict[str, Work], rounds: int, least_s: float) -> dict[str, Rate]:
    """The best rate among works whose names are equal up to the last word, which says the size."""
    best: dict[str, Rate] = {}
    for name, rate in rates(works, rounds, least_s).items():
        kind = name.rpartition(" ")[0]
        if kind not in best or rate.median > best[kind].median:
            best[kind] = rate
    return best


def _product(machine: Machine, dtype: torch.dtype, side: int, rows: int) -> Work:
    a, b = (torch.randn(count, side).to(machine.device, dtype) for count in (rows, side))

    def work() -> float:
        torch.mm(a, b)
        return 2 * rows * side**2

    return work


def _convolution(machine: Machine, dtype: torch.dtype, channels: int, size: int, count: int, *, back: bool) -> Work:
    placed = replace(machine, memory_format="channels_last")
    images = placed.images(torch.randn(count, channels, size, size)).to(dtype).requires_grad_(back)
    layer = placed.place(nn.Conv2d(channels, channels, 3, padding=1, bias=False))
    weight = layer.weight.detach().to(dtype).requires_grad_(back)
    operations = 2 * 9 * channels**2 * size**2 * count
    gradient = torch.ones_like(images)  # of the output, which has the shape of the input

    def work() -> float:
        output = conv2d(images, weight, padding=1)
        if not back:
            return operations
        torch.autograd.grad(output, (images, weight), gradient)  # given back, not added up as `backward` does
        return 3 * operations  # forward, and the gradients of images and weights

    return work
