"""What the machine does at its best: matrix products, convolutions, memory."""

import math
import mmap
from dataclasses import replace

import torch
from torch import nn
from torch.nn.functional import conv2d

from striate.device import Machine
from striate.machine.timing import Rate, Work, rates, seconds

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SIDES = (1024, 2048)  # rows and columns of the matrices
CONVOLUTIONS = ((64, 56), (128, 28), (256, 14), (256, 28), (512, 14))  # channels, H = W; 3x3, as in ResNet and VGG
IMAGES = 32  # at most
LARGER = 4  # times the side of matrices, and the number of images, that keep a GPU busy
COPIED = 1 << 28  # bytes: more than any cache holds


def products(machine: Machine, rounds: int, least_s: float) -> dict[str, Rate]:
    """Operations a second of the best square matrix product, by precision; a product and a sum are two."""
    return _best(
        {
            f"{name} {side}": _product(machine, dtype, side * _scale(machine))
            for name, dtype in DTYPES.items()
            for side in SIDES
        },
        rounds,
        least_s,
    )


def convolutions(machine: Machine, rounds: int, least_s: float) -> dict[str, Rate]:
    """Operations a second of the best 3x3 convolution, by precision and by `forward` or `forward and back`."""
    works: dict[str, Work] = {}
    for name, dtype in DTYPES.items():
        for channels, size in CONVOLUTIONS:
            for way in ("forward", "forward and back"):
                back = way == "forward and back"
                one = _convolution(machine, dtype, channels, size, 1, back=back)
                count = _images(machine, one, least_s)
                works[f"{name}, {way} {channels}x{size}"] = _convolution(
                    machine, dtype, channels, size, count, back=back
                )
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


def _best(works: dict[str, Work], rounds: int, least_s: float) -> dict[str, Rate]:
    """The best rate among works whose names are equal up to the last word, which says the size."""
    best: dict[str, Rate] = {}
    for name, rate in rates(works, rounds, least_s).items():
        kind = name.rpartition(" ")[0]
        if kind not in best or rate.median > best[kind].median:
            best[kind] = rate
    return best


def _product(machine: Machine, dtype: torch.dtype, side: int) -> Work:
    a, b = (torch.randn(side, side).to(machine.device, dtype) for _ in range(2))

    def work() -> float:
        torch.mm(a, b)
        return 2 * side**3

    return work


def _images(machine: Machine, one: Work, least_s: float) -> int:
    """The images that last `least_s` seconds, as one says that it lasts: slow arithmetic is measured on few."""
    return max(1, min(math.ceil(least_s / seconds(one)), IMAGES)) * _scale(machine)


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
