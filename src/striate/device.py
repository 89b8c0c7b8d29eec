"""What this machine does best: device, precision and memory format of a network's arithmetic."""

import ctypes
import os
import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from striate.errors import UsageError

Module = TypeVar("Module", bound=nn.Module)
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
NEVER = 2**31 - 1  # bytes free at the end of the heap, above which they are handed back
MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@dataclass(frozen=True)
class Machine:
    """A choice of device, precision and memory format, with its reason."""

    device: torch.device
    precision: Literal["float32", "bfloat16"]
    memory_format: Literal["contiguous", "channels_last"]
    reason: str

    def __str__(self) -> str:
        return f"{self.device}, {self.precision}, {self.memory_format}: {self.reason}"

    def autocast(self) -> AbstractContextManager[None]:
        """Runs convolutions and matrix products in bfloat16 inside the context, where that was chosen."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def place(self, module: Module) -> Module:
        """Moves a module to the device and the memory format, in place."""
        return module.to(self.device).to(memory_format=MEMORY_FORMATS[self.memory_format])  # type: ignore[call-overload,no-any-return]

    def images(self, images: Tensor) -> Tensor:
        """Moves images (N, C, H, W) to the device and the memory format."""
        moved = images.to(self.device, non_blocking=True)
        return moved.contiguous(memory_format=MEMORY_FORMATS[self.memory_format])


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _fast_bfloat16(device: torch.device) -> tuple[bool, str]:
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        fast = torch.cuda.get_device_capability(device) >= (8, 0)  # Ampere has the matrix units for it
        return fast, f"{name} {'has' if fast else 'lacks'} bfloat16 matrix units"
    if device.type == "cpu":
        fast = bool(torch.cpu.get_capabilities().get("amx_bf16"))
        return fast, f"{cores()} cores {'with' if fast else 'without'} AMX matrix units for bfloat16"
    return False, f"{device.type} is run in float32"


def _warm_up() -> None:
    """Calls once, on one thread, the functions that PyTorch hands to MKL.

    Their first call of a process, if made by several threads, may answer with four right digits only, and differently
    each time. Source: PyTorch's issue 188792, open in 2.13; seen here with tanh.
    """
    for dtype in (torch.float32, torch.float64):
        one = torch.ones(1, dtype=dtype)
        for function in (torch.tanh, torch.exp, torch.log, torch.sqrt, torch.rsqrt, torch.sin, torch.cos, torch.asin):
            function(one)


def keep_memory() -> bool:
    """Lets this process keep the memory that it frees, for the next step's feature maps; True where that can be done.

    A feature map takes up to a hundred megabytes. The C library of Linux asks the kernel anew for each one, which gives
    it page by page and filled with zeros, and hands it back at once: docs/decisions/allocator.md has what that costs.
    Source: mallopt(3), M_MMAP_MAX and M_TRIM_THRESHOLD; the GNU C library alone has them.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, NEVER))


def choose(device: str = "auto", precision: str = "auto", memory_format: str = "auto") -> Machine:
    """Decides how networks run here; what is not "auto" is obeyed.

    Args:
        device: "auto", "cpu", "cuda" or "mps"; the first GPU, where there is one, for "auto".
        precision: "auto", "float32" or "bfloat16"; bfloat16 where the device has matrix units for it.
        memory_format: "auto", "contiguous" or "channels_last"; channels_last with bfloat16, which is laid out so.

    Raises:
        UsageError: if the device is not there.
    """
    _warm_up()
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present.get(device):
        here = ", ".join(name for name, found in present.items() if found)
        raise UsageError(f"`device`: expected one that this machine has ({here}); got {device}.")
    chosen = torch.device(device)
    fast, reason = _fast_bfloat16(chosen)
    if precision == "auto":
        precision = "bfloat16" if fast else "float32"
    else:
        reason = f"precision as asked; {reason}"
    if memory_format == "auto":
        memory_format = "channels_last" if precision == "bfloat16" else "contiguous"
    if precision not in ("float32", "bfloat16") or memory_format not in ("contiguous", "channels_last"):
        raise UsageError(
            "`precision` and `memory_format`: expected float32 or bfloat16, contiguous or channels_last; "
            f"got {precision}, {memory_format}."
        )
    return Machine(chosen, precision, memory_format, reason)  # type: ignore[arg-type]
