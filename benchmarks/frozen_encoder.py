"""What keeping the maps of a frozen encoder would save a network that segments, and what it would take.

usage: python benchmarks/frozen_encoder.py [SIZE]

Prints, for a U-Net over EfficientNet-Lite0 on images of SIZE pixels (192), 8 at a time: the processor time a step in
which all of the encoder is frozen, that of the encoder within it, which is all that kept maps would save, and the bytes
of these maps, the skips among them, for one view of one image. Each time is the median of `STEPS` steps.
"""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from striate.device import choose
from striate.graph.parts import cut
from striate.nets import create
from striate.training.freeze import freeze

NET, BATCH, STEPS = "unet_efficientnet_lite0", 8, 9


def seconds(work: Callable[[], object]) -> float:
    """The median processor time of one call."""
    work()
    found = []
    for _ in range(STEPS):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return statistics.median(found)


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 192
    torch.set_num_threads(1)
    torch.manual_seed(0)
    machine = choose("cpu")
    net: Any = create(NET, num_classes=2)
    frozen = tuple(name for name in net.stages if name.startswith("encoder."))
    net = machine.place(net)
    freeze(net, frozen)
    images = machine.images(torch.randn(BATCH, 3, size, size))
    labels = torch.zeros(BATCH, size, size, dtype=torch.int64)

    def step() -> None:
        with machine.autocast():
            loss = torch.nn.functional.cross_entropy(net(images).float(), labels)
        loss.backward()

    @torch.no_grad()
    def encode() -> None:
        with machine.autocast():
            net.features(images)

    net.train()
    whole, encoder = seconds(step), seconds(encode)
    shapes = cut(net, frozen, (3, size, size)).shapes
    values = sum(torch.Size(shape).numel() for shape in shapes)
    print(f"{NET}, {size} pixels, batches of {BATCH}, {machine.precision}")
    print(f"a step with the encoder frozen: {1000 * whole:.0f} ms")
    print(f"of which the encoder: {1000 * encoder:.0f} ms, {encoder / whole:.0%}")
    print(f"maps that cross, at two bytes a value: {2 * values / 1e6:.2f} MB for a view of an image")


if __name__ == "__main__":
    main()
