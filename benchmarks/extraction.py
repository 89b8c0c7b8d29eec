"""What runs frozen layers: PyTorch, folded, beside OpenVINO, where that is installed.

usage: python benchmarks/extraction.py [--core] [NET ...]

Images of 224 pixels, batches of 32, A B A B; with --core by the time of a core, which a busy machine does not lengthen
as much. Then the seconds that OpenVINO takes before its first batch, and how many images it takes to win them back:
fewer than that are as fast without it. Decoding comes on top of both.
"""

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from _timing import race, ratio
from striate.device import choose, keep_memory
from striate.graph import vectors
from striate.graph.runtime import extractor
from striate.nets import create, default_of

Clock = Callable[[], float]  # gives seconds
NETS = ("efficientnet_lite0", "mobilenet_v1_100", "mobilenet_v2", "resnet18", "resnet50", "vgg16")
BATCH_SIZE, SIZE, BATCHES, ROUNDS = 32, 224, 2, 3


def runner(name: str, precision: str, runtime: str, clock: Clock) -> tuple[Callable[[], int], float]:
    """A function that passes some batches, and the seconds until it was ready."""
    torch.manual_seed(0)
    net: Any = create(name).eval()
    size = (default_of(name, "in_channels"), SIZE, SIZE)
    images = torch.randn(BATCH_SIZE, *size)
    prefix = vectors(net, net.stages[-1:], size)
    run = extractor(prefix, choose("cpu", precision, runtime=runtime))
    started = clock()
    run(images[:2])
    ready = clock() - started

    def work() -> int:
        for _ in range(BATCHES):
            run(images)
        return BATCHES * BATCH_SIZE

    return work, ready


def main() -> None:
    keep_memory()
    words = sys.argv[1:]
    core = "--core" in words
    clock: Clock = time.process_time if core else time.perf_counter
    names = [word for word in words if word != "--core"] or NETS
    print(f"frozen layers, images a second{' of a core' if core else ''}, medians of {ROUNDS}")
    print(f"{'net':18}{'precision':>10}{'openvino':>10}{'torch':>8}{'ratio':>8}{'ready after':>13}{'won back by':>14}")
    if importlib.util.find_spec("openvino") is None:
        print("skipped, because openvino is not installed: pip install openvino")
        return
    for name in names:
        for precision in ("bfloat16", "float32"):
            (ours, ready), (reference, _) = (runner(name, precision, each, clock) for each in ("openvino", "torch"))
            rates = race({"openvino": ours, "torch": reference}, ROUNDS, clock)
            a, b = (statistics.median(rates[each]) for each in ("openvino", "torch"))
            back = f"{ready / (1 / b - 1 / a):,.0f} images" if a > b else "never"
            times = ratio(rates, "openvino", "torch")
            print(f"{name:18}{precision:>10}{a:10.0f}{b:8.0f}{times:7.2f}x{ready:11.1f} s{back:>16}", flush=True)


if __name__ == "__main__":
    main()
