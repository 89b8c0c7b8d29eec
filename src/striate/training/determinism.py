"""The same bits every time: always on a CPU, on a GPU where that is asked for."""

import copy
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.utils.deterministic
from torch import Tensor

from striate.device import Machine
from striate.errors import UsageError
from striate.tasks import Objective, Targets

WARM_UP, COUNTED = 3, 5  # passes


@contextmanager
def deterministic(machine: Machine, asked: bool) -> Iterator[None]:
    """Allows only operations that give the same bits every time; afterwards all is as it was.

    Args:
        machine: on whose CPU this is so in any case.
        asked: whether it is so on its GPU too.
    """
    cudnn, memory = torch.backends.cudnn, torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), cudnn.benchmark, memory.fill_uninitialized_memory  # type: ignore[attr-defined]
    if asked or machine.device.type == "cpu":
        if machine.device.type == "cuda":
            # cuBLAS reads it when the first matrix is multiplied. Source: its manual, "Results reproducibility".
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        _set(algorithms=True, benchmark=False, fill=False)  # no operation here reads what it has not written
    try:
        yield
    finally:
        _set(*before)


def _set(algorithms: bool, benchmark: bool, fill: bool) -> None:
    torch.use_deterministic_algorithms(algorithms)
    torch.backends.cudnn.benchmark = benchmark
    torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


def slowdown(machine: Machine, objective: Objective, images: Tensor, targets: Targets) -> float:
    """How many times as long a pass forward and back takes when only deterministic operations are allowed.

    Args:
        machine: where the objective lies.
        objective: which stays as it is.
        images: (N, C, H, W), as of a step.
        targets: as `objective` takes them.

    Raises:
        UsageError: if the network has an operation without a deterministic form.
    """
    trial = copy.deepcopy(objective).train()
    try:
        with deterministic(machine, asked=True):
            bound = _seconds(machine, trial, images, targets)
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        raise UsageError(f"`deterministic`: expected a network that can be so on {machine.device}; {error}") from error
    with deterministic(machine, asked=False):
        return bound / _seconds(machine, trial, images, targets)


def _seconds(machine: Machine, objective: Objective, images: Tensor, targets: Targets) -> float:
    for number in range(WARM_UP + COUNTED):
        if number == WARM_UP:
            _await(machine)
            started = time.perf_counter()
        with machine.autocast():
            loss, _ = objective(images, targets)
        loss.backward()
        objective.zero_grad()
    _await(machine)
    return time.perf_counter() - started


def _await(machine: Machine) -> None:
    if machine.device.type == "cuda":  # whose work goes on while the processor does the next thing
        torch.cuda.synchronize(machine.device)
