"""What the machine does at its best: matrix products, convolutions, memory."""

import mmap
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn.functional import conv2d

from striate.bench.timing import Rate, Work, rates
from striate.device import Machine

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SIDES = (1024, 2048)  # of square matrices
CONVOLUTIONS = ((64, 56), (128, 28), (256, 14), (256, 28))  # channels, H = W; 3x3, as in ResNet
PICTURES = 32
COPIED = 1 << 28  # bytes: more than any cache holds


def products(machine: Machine, rounds: int, least_s: float) -> dict[str, Rate]:
    """Operations a second of the best square matrix product, by precision; a product and a sum are two."""
    return _best(
        {f"{name} {side}": _product(machine, dtype, side) for name, dtype in DTYPES.items() for side in SIDES},
        rounds,
        least_s,
    )


def convolutions(machine: Machine, rounds: int, least_s: float) -> dict[str, Rate]:
    """Operations a second of the best 3x3 convolution, by precision and by `forward` or `forward and back`."""
    works: dict[str, Work] = {}
    for name, dtype in DTYPES.items():
        for channels, size in CONVOLUTIONS:
            works[f"{name}, forward {channels}"] = _convolution(machine, dtype, channels, size, back=False)
            works[f"{name}, forward and back {channels}"] = _convolution(machine, dtype, channels, size, back=True)
    return _best(works, rounds, least_s)


def memory(rounds: int, least_s: float) -> dict[str, Rate]:
    """Bytes a second that are written: to memory that is there (`copied`), and to memory new from the kernel."""
    source, target = np.ones(COPIED, np.uint8), np.zeros(COPIED, np.uint8)

    def copied() -> float:
        np.copyto(target, source)
        return COPIED

    def fresh() -> float:
        with mmap.mmap(-1, COPIED) as new:
            new.write(source.data)
        return COPIED

    return rates({"copied": copied, "fresh": fresh}, rounds, least_s)


def _best(works: dict[str, Work], rounds: int, least_s: float) -> dict[str, Rate]:
    """The best rate of those works whose names are equal up to the last word."""
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


def _convolution(machine: Machine, dtype: torch.dtype, channels: int, size: int, *, back: bool) -> Work:
    placed = replace(machine, memory_format="channels_last")
    images = placed.images(torch.randn(PICTURES, channels, size, size)).to(dtype).requires_grad_(back)
    layer = placed.place(nn.Conv2d(channels, channels, 3, padding=1, bias=False))
    weight = layer.weight.detach().to(dtype).requires_grad_(back)
    run: Callable[[], torch.Tensor] = partial(conv2d, images, weight, padding=1)
    operations = 2 * 9 * channels**2 * size**2 * PICTURES
    if not back:
        return lambda: operations * bool(len(run()))
    gradient = torch.ones_like(run())

    def work() -> float:
        run().backward(gradient)
        return 3 * operations  # forward, and the gradients of images and weights

    return work
