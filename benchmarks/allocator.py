"""The training step with the C library's way of handling memory as it is, and told to keep what is freed.

usage: python benchmarks/allocator.py [ROUNDS]

Each figure is of its own process, because the setting cannot be taken back: A B A B, medians of the rounds.
"""

import resource
import subprocess
import sys
import time
from statistics import median

import torch

from striate.device import choose, keep_memory
from striate.nets import create

NETS = {"resnet18": 64, "resnet50": 32, "mobilenet_v2": 64, "vgg16": 16}  # batch sizes
IMG_SIZE, STEPS = 224, 5


def measure(name: str, kept: bool) -> None:
    """Prints images a second, the median step of a few, and the most memory that this process had, in GB."""
    if kept:
        keep_memory()
    machine = choose("cpu")
    torch.manual_seed(0)
    net = machine.place(create(name, num_classes=10)).train()
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)
    images = machine.images(torch.randn(NETS[name], 3, IMG_SIZE, IMG_SIZE))
    labels = torch.randint(10, (NETS[name],))
    seconds = []
    for _ in range(STEPS + 2):
        started = time.perf_counter()
        with machine.autocast():
            loss = torch.nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(NETS[name] / median(seconds[2:]), peak)


def main() -> None:
    if len(sys.argv) == 4:
        measure(sys.argv[2], sys.argv[3] == "kept")
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"{choose('cpu')}; training step, images a second and peak memory, medians of {rounds}")
    print(f"{'':14}{'default':>10}{'kept':>8}{'ratio':>8}{'GB':>8}{'GB':>7}")
    for name in NETS:
        found: dict[str, list[tuple[float, float]]] = {"default": [], "kept": []}
        for _ in range(rounds):
            for mode, values in found.items():
                command = [sys.executable, __file__, "measure", name, mode]
                rate, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                values.append((float(rate), float(peak)))
        rates = {mode: median(rate for rate, _ in values) for mode, values in found.items()}
        ratio = median(b[0] / a[0] for a, b in zip(found["default"], found["kept"], strict=True))
        peaks = {mode: median(peak for _, peak in values) for mode, values in found.items()}
        print(
            f"{name:14}{rates['default']:10.1f}{rates['kept']:8.1f}{ratio:7.2f}x"
            f"{peaks['default']:8.2f}{peaks['kept']:7.2f}"
        )


if __name__ == "__main__":
    main()
