"""What this machine does best: device, precision, memory format and runtime of a network's arithmetic."""

import ctypes
import importlib.util
import platform
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from striate.errors import UsageError
from striate.processors import cores

Module = TypeVar("Module", bound=nn.Module)
Precision = Literal["float32", "bfloat16"]
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
NEVER = 2**31 - 1  # bytes free at the end of the heap, above which they are handed back
BFLOAT16_INSTRUCTIONS = {  # by their names in `torch.cpu.get_capabilities`, the fastest first
    "amx_bf16": "AMX matrix units for bfloat16",
    "avx512_bf16": "AVX-512 instructions for bfloat16",
    "bf16": "NEON instructions for bfloat16",
}
PRECISIONS, RUNTIMES = ("float32", "bfloat16"), ("torch", "openvino")
MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@dataclass(frozen=True)
class Machine:
    """A choice of device, precision, memory format and runtime, with the reason for the precision."""

    device: torch.device
    precision: Precision
    memory_format: Literal["contiguous", "channels_last"]
    reason: str
    runtime: Literal["torch", "openvino"] = "torch"
    """What runs the part of a network that does not learn, where that is kept."""

    threads: int | None = None
    """Of arithmetic with which scores are computed, since another number changes last digits; None: as it comes."""

    def __str__(self) -> str:
        return f"{self.device}, {self.precision}, {self.memory_format}: {self.reason}"

    def pinned(self) -> dict[str, Any]:
        """What decides the bits of its arithmetic on a device of its kind, for a recipe or a model file."""
        return {
            "precision": self.precision,
            "memory_format": self.memory_format,
            "runtime": self.runtime,
            "threads": torch.get_num_threads(),
        }

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


@contextmanager
def arithmetic_threads(count: int | None) -> Iterator[None]:
    """Computes with so many threads inside the context, with as many as before after it; None changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fast_bfloat16(device: torch.device) -> tuple[bool, str]:
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        fast = torch.cuda.get_device_capability(device) >= (8, 0)  # Ampere has the matrix units for it
        return fast, f"{name} {'has' if fast else 'lacks'} bfloat16 matrix units"
    if device.type == "cpu":
        instructions = _bfloat16_instructions()
        return instructions is not None, f"{cores()} cores with {instructions or 'no instructions for bfloat16'}"
    return False, f"{device.type} is run in float32"


def _bfloat16_instructions() -> str | None:
    """The instructions of this processor that multiply in bfloat16 and that PyTorch has kernels for; None if it has
    none. What it can do is asked, not how fast it is: a busy moment would decide otherwise from run to run.
    """
    capabilities = torch.cpu.get_capabilities()
    for name, instructions in BFLOAT16_INSTRUCTIONS.items():
        if capabilities.get(name) and torch.backends.mkldnn.is_available():
            return instructions
    return None


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


def _runtime(device: str, asked: str) -> str:
    """What runs frozen layers on a device."""
    installed = importlib.util.find_spec("openvino") is not None
    if asked == "auto":
        return "openvino" if device == "cpu" and installed else "torch"
    if asked == "openvino" and not (device == "cpu" and installed):
        raise UsageError(
            f"`runtime`: expected openvino where it is installed, on a CPU; got {device}, where it is "
            f"{'' if installed else 'not '}installed. Try pip install openvino, or --runtime torch."
        )
    if asked not in RUNTIMES:
        raise UsageError(f"`runtime`: expected auto, torch or openvino; got {asked}.")
    return asked


def choose(
    device: str = "auto", precision: str = "auto", memory_format: str = "auto", runtime: str = "torch"
) -> Machine:
    """Decides how networks run here; what is not "auto" is obeyed.

    Args:
        device: "auto", "cpu", "cuda" or "mps"; the first GPU, where there is one, for "auto".
        precision: "auto", "float32" or "bfloat16"; bfloat16 where the device has matrix units or instructions for it.
        memory_format: "auto", "contiguous" or "channels_last"; channels_last on a CPU and with bfloat16, where it is
            faster (docs/decisions/precision.md).
        runtime: "auto", "torch" or "openvino"; for "auto" OpenVINO on a CPU where it is installed, for it is faster
            there (docs/decisions/openvino.md).

    Raises:
        UsageError: if the device or the runtime is not there.
    """
    _warm_up()
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present.get(device):
        here = ", ".join(name for name, found in present.items() if found)
        raise UsageError(f"`device`: expected one that this machine has ({here}); got {device}.")
    chosen = torch.device(device)
    reason = f"{precision} as asked"
    if precision == "auto":
        fast, reason = _fast_bfloat16(chosen)
        precision = "bfloat16" if fast else "float32"
    if memory_format == "auto":
        memory_format = "channels_last" if device == "cpu" or precision == "bfloat16" else "contiguous"
    if precision not in PRECISIONS or memory_format not in MEMORY_FORMATS:
        raise UsageError(
            "`precision` and `memory_format`: expected float32 or bfloat16, contiguous or channels_last; "
            f"got {precision}, {memory_format}."
        )
    return Machine(chosen, precision, memory_format, reason, _runtime(device, runtime))  # type: ignore[arg-type]


def as_pinned(pinned: Mapping[str, Any], device: str = "auto", precision: str = "auto") -> Machine:
    """How the network of a model file runs here: as `Machine.pinned` said where it was trained, where that can be.

    Args:
        pinned: `precision`, `memory_format`, `runtime` and `threads`; what is absent is decided as `choose` does, and
            no more threads than there are cores are taken over.
        device: as `choose` takes it.
        precision: likewise; what is not "auto" is obeyed instead of what is pinned.

    Raises:
        UsageError: if the device is not there.
    """
    asked = pinned.get("precision", "auto") if precision == "auto" else precision
    threads = pinned.get("threads")
    machine = choose(device, asked, pinned.get("memory_format", "auto"))
    machine = replace(machine, threads=threads if threads is not None and threads <= cores() else None)
    reason = f"{asked} as in training" if precision == "auto" != asked else machine.reason
    if pinned.get("runtime") == "openvino" and machine.device.type == "cpu":
        if importlib.util.find_spec("openvino") is not None:
            return replace(machine, reason=reason, runtime="openvino")
        reason += ", by PyTorch: OpenVINO, by which its features were computed, is not installed"
    return replace(machine, reason=reason)
