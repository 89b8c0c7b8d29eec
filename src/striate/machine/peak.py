"""The most memory that a piece of work holds at a time."""

import ctypes
import platform
from collections.abc import Callable
from pathlib import Path

import torch

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_PEAK = "5"  # what the second file takes to set the peak of the first back to what is held now


def peak_bytes(device: torch.device, work: Callable[[], object]) -> int | None:
    """Does some work, and returns the most bytes held meanwhile, beyond those held before.

    Source: on a GPU, PyTorch's own count; on Linux, what the kernel counts for the process (VmRSS and VmHWM in
    proc_pid_status(5)).

    Returns:
        None where neither is there.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    if device.type == "cpu" and _forget_peak():
        before = _of_process("VmRSS")
        work()
        return max(_of_process("VmHWM") - before, 0)
    work()
    return None


def _forget_peak() -> bool:
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)  # what was freed and kept would be used again, and not seen
    try:
        CLEAR_REFS.write_text(FORGET_PEAK, encoding="ascii")
    except OSError:  # not Linux, or not allowed
        return False
    return True


def _of_process(field: str) -> int:
    """A field of the process's status, in bytes."""
    lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024
