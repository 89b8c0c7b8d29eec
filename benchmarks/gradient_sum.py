"""One sum of all gradients after the backward pass, against DistributedDataParallel, which adds them up during it.

usage: python benchmarks/gradient_sum.py [ROUNDS]

Two processes on this machine, by gloo, each on half of the threads. A step is forward, backward, the sum and the
update, on images that lie ready; A B A B in the same processes, and the ratio is the median over neighbouring blocks.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from striate.device import choose
from striate.nets import create
from striate.processors import cores
from striate.training.process_group import Processes

NETS = {"resnet18": (32, 64), "mobilenet_v2": (32, 64), "resnet50": (8, 64)}  # images a process, and their size
STEPS = 4  # in a block
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def block(step: Callable[[], None]) -> float:
    """Seconds that a step takes, after one that is not counted."""
    step()
    dist.barrier()
    started = time.perf_counter()
    for _ in range(STEPS):
        step()
    dist.barrier()
    return (time.perf_counter() - started) / STEPS


def ours(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    """A step that ends with one sum, of gradients and of what the processes have to agree on."""
    processes = Processes(dist.get_rank(), 2, dist.get_rank(), 2, dist.new_group())
    parameters, optimizer = list(net.parameters()), torch.optim.SGD(net.parameters(), 1e-3, fused=True)

    def step() -> None:
        cross_entropy(net(images), labels).backward()
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        processes.add_([*gradients, torch.zeros(2, 5)])
        optimizer.step()
        optimizer.zero_grad()

    return step


def theirs(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    """A step of DistributedDataParallel."""
    replica = DistributedDataParallel(net, broadcast_buffers=False)
    optimizer = torch.optim.SGD(net.parameters(), 1e-3, fused=True)

    def step() -> None:
        cross_entropy(replica(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def work(rounds: int) -> None:
    """Measures in one of the two processes; the first prints."""
    dist.init_process_group("gloo")
    torch.set_num_threads(max(1, cores() // 2))
    machine = choose("cpu", "float32")
    for name, (count, size) in NETS.items():
        images, labels = machine.images(torch.randn(count, 3, size, size)), torch.arange(count) % 10
        one, two = (machine.place(create(name, num_classes=10)) for _ in range(2))
        steps = ours(one, images, labels), theirs(two, images, labels)
        times = [[block(step) for step in steps] for _ in range(rounds)]
        if dist.get_rank() == 0:
            mine, other = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
            ratio = statistics.median(b / a for a, b in times)
            megabytes = sum(p.numel() for p in one.parameters()) * 4 / 1e6
            print(
                f"{name:13} {megabytes:6.1f} MB: one sum {mine:7.1f} ms, DDP {other:7.1f} ms a step; {ratio:.2f} times",
                flush=True,
            )
    dist.destroy_process_group()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if "RANK" in os.environ:
        work(rounds)
        return
    print(f"two processes by gloo, {cores()} cores; the steps a second of one sum over those of DDP")
    subprocess.run([*TORCHRUN, __file__, str(rounds)], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
