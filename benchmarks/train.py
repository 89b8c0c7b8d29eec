"""The training step as striate takes it, beside timm's and torchvision's networks as their users run them.

usage: python benchmarks/train.py [ROUNDS [NET ...]]

Theirs: float32 and the default layout, plain PyTorch; those that are not installed are left out with a word. Ours: what
`striate.device.choose` decides, with memory kept. The same batch, and SGD with momentum, for all. Each figure is of a
process of its own, because the handling of memory cannot be taken back; A B C A B C, medians of the rounds. The share
is of the best rate of a bfloat16 convolution's forward pass, measured in the same run; a step counts as three passes.
"""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from statistics import median

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from striate.device import Machine, choose, keep_memory
from striate.inspect import inspect
from striate.nets import create
from striate.training.weight_gradients import bfloat16_backward

BATCH = {"resnet18": 64, "resnet50": 32, "mobilenet_v2": 64, "vgg16": 16}
THEIR_NAMES = {"timm": {"mobilenet_v2": "mobilenetv2_100"}, "torchvision": {}}
SIZES = (224, 128)
CLASSES, LEAST_S = 10, 4.0
WARM_UP, WARM_UP_S = 4, 10.0  # steps, in which memory that is kept finds its shape; no more after so many seconds
PLAIN = Machine(torch.device("cpu"), "float32", "contiguous", "as it comes by default")
BFLOAT16 = Machine(torch.device("cpu"), "bfloat16", "channels_last", "for the ceiling")
CONVOLUTIONS = ((64, 56), (128, 28), (256, 14), (512, 7), (256, 28))  # channels, H = W


def network(who: str, name: str) -> nn.Module:
    if who == "striate":
        return create(name, num_classes=CLASSES)
    if who == "timm":
        import timm

        net: nn.Module = timm.create_model(THEIR_NAMES["timm"].get(name, name), num_classes=CLASSES)
        return net
    import torchvision

    its: nn.Module = getattr(torchvision.models, name)(num_classes=CLASSES)
    return its


def measure(who: str, name: str, size: int) -> float:
    """Images a second of the median step."""
    machine = choose("cpu") if who == "striate" else PLAIN
    if who == "striate":
        keep_memory()
    torch.manual_seed(0)
    net = machine.place(network(who, name)).train()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, fused=who == "striate" or None)
    images = machine.images(torch.randn(BATCH[name], 3, size, size))
    labels = torch.randint(CLASSES, (BATCH[name],))
    backward = bfloat16_backward(net, machine) if who == "striate" else nullcontext()

    def step() -> None:
        with machine.autocast():
            loss = cross_entropy(net(images), labels)
        with backward:
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return BATCH[name] / _median_seconds(step)


def _median_seconds(work: Callable[[], object]) -> float:
    seconds: list[float] = []
    while len(seconds) < WARM_UP and sum(seconds) < WARM_UP_S:
        seconds.append(_seconds(work))
    seconds.clear()
    while sum(seconds) < LEAST_S or len(seconds) < 2:
        seconds.append(_seconds(work))
    return median(seconds)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@torch.inference_mode()
def ceiling() -> float:
    """Operations a second of the best of some 3x3 convolutions in bfloat16, forward."""
    keep_memory()
    best = 0.0
    for channels, size in CONVOLUTIONS:
        layer = BFLOAT16.place(nn.Conv2d(channels, channels, 3, padding=1, dtype=torch.bfloat16))
        images = BFLOAT16.images(torch.randn(32, channels, size, size, dtype=torch.bfloat16))
        operations = 2 * 9 * channels**2 * size**2 * len(images)
        seconds = min(_seconds(partial(layer, images)) for _ in range(20))
        best = max(best, operations / seconds)
    return best


def figure(*words: str) -> float:
    """What a process of its own prints."""
    done = subprocess.run([sys.executable, __file__, "measure", *words], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    if sys.argv[1:2] == ["measure"]:
        who, *rest = sys.argv[2:]
        print(ceiling() if who == "ceiling" else measure(who, rest[0], int(rest[1])))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    peers = [name for name in THEIR_NAMES if importlib.util.find_spec(name)]
    for name in THEIR_NAMES.keys() - set(peers):
        print(f"{name} is not installed, and left out")
    most = max(figure("ceiling") for _ in range(3))
    print(f"{choose('cpu')}; best convolution {most / 1e12:.2f} tera-operations a second")
    print(f"training step, images a second, medians of {rounds}")
    print(
        f"{'net':14}{'size':>5}{'striate':>10}" + "".join(f"{name:>13}{'ratio':>7}" for name in peers) + f"{'share':>8}"
    )
    for name in sys.argv[2:] or BATCH:
        for size in SIZES:
            rates: dict[str, list[float]] = {who: [] for who in ("striate", *peers)}
            for _ in range(rounds):
                for who, found in rates.items():
                    found.append(figure(who, name, str(size)))
            ours = median(rates["striate"])
            share = 3 * 2 * multiplications(name, size) * ours / most
            line = f"{name:14}{size:5}{ours:10.1f}"
            for peer in peers:
                ratio = median(a / b for a, b in zip(rates["striate"], rates[peer], strict=True))
                line += f"{median(rates[peer]):13.1f}{ratio:6.1f}x"
            print(f"{line}{share:8.0%}", flush=True)


def multiplications(name: str, size: int) -> int:
    """Of one forward pass of one image."""
    with torch.device("meta"):
        net = create(name, num_classes=CLASSES)
    return inspect(net, (3, size, size)).macs


if __name__ == "__main__":
    main()
