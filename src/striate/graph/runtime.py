"""Runs a frozen part of a net in the fastest way: folded, in the machine's precision, by its runtime."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from striate.device import Machine
from striate.graph.fold import folded
from striate.graph.openvino import ByOpenVino
from striate.graph.parts import Prefix

Extractor = Callable[[Tensor], tuple[Tensor, ...]]


def extractor(prefix: Prefix, machine: Machine) -> Extractor:
    """A function that runs a frozen part of a net on normalised images (N, C, H, W), and gives its values.

    It runs folded, in the machine's precision, by its runtime; by PyTorch also in its memory format.

    Args:
        prefix: the part, which stays as it is.
        machine: where and how it runs.
    """
    runnable = copy.deepcopy(prefix)
    runnable.layers = folded(prefix.layers)
    if machine.runtime == "openvino":
        return ByOpenVino(runnable, machine)
    machine.place(runnable)
    if machine.precision == "bfloat16":
        for module in runnable.modules():  # what autocast would do anew for each batch
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                module.to(torch.bfloat16)

    @torch.inference_mode()
    def run(images: Tensor) -> tuple[Tensor, ...]:
        with machine.autocast():
            values: tuple[Tensor, ...] = runnable(machine.images(images))
        return values

    return run
