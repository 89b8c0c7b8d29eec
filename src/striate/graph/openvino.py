"""Runs frozen layers by OpenVINO, which is faster on a processor than PyTorch: see docs/decisions/openvino.md."""

import functools
import sys
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from striate.device import Machine
from striate.errors import UsageError
from striate.graph.openvino_operations import UnknownOperationError, network_of
from striate.graph.parts import Prefix, fingerprint

if TYPE_CHECKING:
    from openvino import CompiledModel
    from openvino import Model as OpenVinoNetwork

A_THREAD = 8  # images at a time: as fast as more, and the maps of fewer images take less memory
HINTS = {"float32": "f32", "bfloat16": "bf16"}  # OpenVINO's names


@dataclass(frozen=True)
class _Part:
    """A part of a net, equal to any other with the same operations and values."""

    name: str
    prefix: Prefix = field(compare=False)


class ByOpenVino:
    """Runs the frozen part of a net on normalised images (N, C, H, W), and gives its values in float32.

    Args:
        prefix: the frozen part, with batch norm folded; it stays as it is.
        machine: a processor, with the precision to run in.
    """

    def __init__(self, prefix: Prefix, machine: Machine) -> None:
        self._part = _Part(fingerprint(prefix), prefix)
        self._precision = machine.precision

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        """The values that the frozen part gives.

        Raises:
            UsageError: the part has an operation that OpenVINO does not.
        """
        channels, height, width = images.shape[1:]
        threads = torch.get_num_threads()
        network = _compiled(self._part, self._precision, threads, (channels, height, width))
        parts = []
        for some in images.split(A_THREAD * threads):
            values = network(some.contiguous().numpy(), share_inputs=True)
            parts.append([torch.from_numpy(values[output]) for output in network.outputs])
        return tuple(value[0] if len(value) == 1 else torch.cat(value) for value in zip(*parts, strict=True))


def _keep_silent() -> None:
    """Keeps OpenVINO from reporting its use: striate sends nothing anywhere.

    `import openvino` imports the package openvino_telemetry where it finds it, which makes an identifier in the home
    folder and sends it, with each import and conversion, to its maker, unasked. Where it does not find it, OpenVINO
    takes a stub in its place. Source: `openvino.tools.ovc.telemetry_utils` of OpenVINO 2026.4.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # so that it cannot be imported


@functools.lru_cache(maxsize=2)  # views and splits ask for the same part in turn, a trial for two precisions
def _compiled(part: _Part, precision: str, threads: int, size: tuple[int, int, int]) -> "CompiledModel":
    network = _converted(part, size)
    import openvino

    options = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",  # all threads at one batch
    }
    try:
        return openvino.Core().compile_model(network, "CPU", options)
    except RuntimeError as error:
        raise _cannot_run(error) from error


@functools.lru_cache(maxsize=1)  # for a trial of two precisions, of which only compilation differs
def _converted(part: _Part, size: tuple[int, int, int]) -> "OpenVinoNetwork":
    _keep_silent()
    try:
        return network_of(part.prefix, size)
    except UnknownOperationError:
        return _exported(part.prefix, size)


def _exported(prefix: Prefix, size: tuple[int, int, int]) -> "OpenVinoNetwork":
    """By OpenVINO's own way, which takes seconds and has all operations that it knows."""
    import openvino
    from openvino import frontend

    example = torch.zeros(2, *size)
    try:
        # Warnings are PyTorch's, about how it copies what it exports. A caller's autocast would be exported too.
        with warnings.catch_warnings(action="ignore"), torch.autocast("cpu", enabled=False):
            program = torch.export.export(prefix, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
            return openvino.convert_model(program)
    except (RuntimeError, frontend.GeneralFailure, frontend.OpConversionFailure) as error:
        raise _cannot_run(error) from error


def _cannot_run(error: Exception) -> UsageError:
    return UsageError(
        f"`runtime`: expected a network that OpenVINO can run; got one that it cannot, "
        f"{str(error).splitlines()[0]}. Try --runtime torch."
    )
