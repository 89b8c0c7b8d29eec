import importlib.util
import os
import time

import pytest
import torch
from torch import nn

from striate.device import Machine, as_pinned, choose
from striate.errors import UsageError
from striate.processors import cores


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Makes this machine one without GPU and without instructions for bfloat16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False})
    return monkeypatch


def give_cuda(machine: pytest.MonkeyPatch, capability: tuple[int, int]) -> None:
    machine.setattr(torch.cuda, "is_available", lambda: True)
    machine.setattr(torch.cuda, "get_device_name", lambda device: "Card")
    machine.setattr(torch.cuda, "get_device_capability", lambda device: capability)


def choice(machine: Machine) -> tuple[str, str, str]:
    return machine.device.type, machine.precision, machine.memory_format


def test_a_plain_processor_runs_in_float32(bare: pytest.MonkeyPatch) -> None:
    machine = choose()
    assert choice(machine) == ("cpu", "float32", "channels_last")
    assert machine.reason == f"{cores()} cores with no instructions for bfloat16"


@pytest.mark.parametrize(
    ("capability", "instructions"),
    [
        ("amx_bf16", "AMX matrix units"),
        ("avx512_bf16", "AVX-512 instructions"),
        ("bf16", "NEON instructions"),
    ],
)
def test_a_processor_with_instructions_for_bfloat16_uses_them(
    bare: pytest.MonkeyPatch, capability: str, instructions: str
) -> None:
    bare.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False, "avx512_bf16": False} | {capability: True})
    machine = choose()
    assert choice(machine) == ("cpu", "bfloat16", "channels_last")
    assert machine.reason == f"{cores()} cores with {instructions} for bfloat16"


def test_instructions_that_pytorch_has_no_kernels_for_are_not_used(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(torch.cpu, "get_capabilities", lambda: {"bf16": True})
    bare.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert choose().precision == "float32"


def test_a_choice_is_not_a_matter_of_time(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    bare.setattr(time, "perf_counter", lambda: pytest.fail("the clock was asked"))
    assert choose() == choose()


def test_a_processor_of_which_nothing_is_known_runs_in_float32(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(torch.cpu, "get_capabilities", dict)
    assert choice(choose()) == ("cpu", "float32", "channels_last")


@pytest.mark.parametrize(
    ("capability", "precision", "memory_format", "reason"),
    [
        ((7, 5), "float32", "contiguous", "Card lacks bfloat16 matrix units"),
        ((8, 0), "bfloat16", "channels_last", "Card has bfloat16 matrix units"),
        ((9, 0), "bfloat16", "channels_last", "Card has bfloat16 matrix units"),
    ],
)
def test_a_gpu_is_taken_first(
    bare: pytest.MonkeyPatch, capability: tuple[int, int], precision: str, memory_format: str, reason: str
) -> None:
    give_cuda(bare, capability)
    machine = choose()
    assert choice(machine) == ("cuda", precision, memory_format)
    assert machine.reason == reason


def test_an_apple_gpu_runs_in_float32(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(torch.backends.mps, "is_available", lambda: True)
    machine = choose()
    assert choice(machine) == ("mps", "float32", "contiguous")
    assert machine.reason == "mps is run in float32"


@pytest.mark.parametrize("amx", [True, False])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_what_is_asked_for_is_obeyed(bare: pytest.MonkeyPatch, amx: bool, precision: str, memory_format: str) -> None:
    give_cuda(bare, (9, 0))
    bare.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": amx})
    machine = choose("cpu", precision, memory_format)
    assert choice(machine) == ("cpu", precision, memory_format)
    assert machine.reason == f"{precision} as asked"


def test_the_memory_format_follows_the_device_and_the_precision(bare: pytest.MonkeyPatch) -> None:
    assert choose(precision="bfloat16").memory_format == "channels_last"
    bare.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert choose(precision="float32").memory_format == "channels_last"
    give_cuda(bare, (9, 0))
    assert choose(precision="float32").memory_format == "contiguous"
    assert choose(precision="bfloat16").memory_format == "channels_last"


def test_an_absent_device(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as caught:
        choose("cuda")
    assert str(caught.value) == "`device`: expected one that this machine has (cpu); got cuda."


def test_an_unknown_device(bare: pytest.MonkeyPatch) -> None:
    give_cuda(bare, (9, 0))
    with pytest.raises(UsageError) as caught:
        choose("tpu")
    assert str(caught.value) == "`device`: expected one that this machine has (cpu, cuda); got tpu."


@pytest.mark.parametrize(("precision", "memory_format"), [("float16", "auto"), ("auto", "nhwc")])
def test_an_unknown_precision_or_memory_format(bare: pytest.MonkeyPatch, precision: str, memory_format: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose("cpu", precision, memory_format)
    assert str(caught.value).startswith(
        "`precision` and `memory_format`: expected float32 or bfloat16, contiguous or channels_last; got "
    )


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_modules_and_images_take_the_memory_format(memory_format: str) -> None:
    machine = choose("cpu", "float32", memory_format)
    other, own = torch.channels_last, torch.contiguous_format
    if memory_format == "channels_last":
        other, own = own, other
    conv = nn.Conv2d(3, 4, 3).to(memory_format=other)  # type: ignore[call-overload]
    images = torch.rand(2, 3, 5, 5).contiguous(memory_format=other)
    placed, moved = machine.place(conv), machine.images(images)
    assert placed is conv
    assert conv.weight.is_contiguous(memory_format=own)
    assert not conv.weight.is_contiguous(memory_format=other)
    assert moved.is_contiguous(memory_format=own)
    assert not moved.is_contiguous(memory_format=other)
    assert torch.equal(moved, images)


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_autocast(precision: str, dtype: torch.dtype) -> None:
    conv, images = nn.Conv2d(3, 4, 3), torch.rand(2, 3, 5, 5)
    with choose("cpu", precision).autocast():
        assert conv(images).dtype == dtype
    assert conv(images).dtype == torch.float32
    assert conv.weight.dtype == torch.float32


def test_a_machine_tells_its_choice_and_its_reason() -> None:
    machine = Machine(torch.device("cpu"), "bfloat16", "channels_last", "as asked")
    assert str(machine) == "cpu, bfloat16, channels_last: as asked"


def test_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 4, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == 64
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


@pytest.mark.parametrize(("installed", "runtime"), [(True, "openvino"), (False, "torch")])
def test_frozen_layers_run_by_openvino_where_it_is_installed(
    bare: pytest.MonkeyPatch, installed: bool, runtime: str
) -> None:
    bare.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    assert choose(runtime="auto").runtime == runtime
    assert choose(runtime="torch").runtime == "torch"


def test_a_gpu_runs_frozen_layers_itself(bare: pytest.MonkeyPatch) -> None:
    give_cuda(bare, (9, 0))
    bare.setattr(importlib.util, "find_spec", lambda name: object())
    assert choose(runtime="auto").runtime == "torch"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            "openvino",
            "expected openvino where it is installed, on a CPU; got cpu, where it is not installed. "
            "Try pip install openvino, or --runtime torch.",
        ),
        ("onnx", "expected auto, torch or openvino; got onnx."),
    ],
)
def test_a_runtime_that_is_not_there(bare: pytest.MonkeyPatch, asked: str, sentence: str) -> None:
    bare.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        choose("cpu", runtime=asked)
    assert str(caught.value) == f"`runtime`: {sentence}"


def test_threads_are_taken_over_where_there_are_as_many_cores() -> None:
    assert as_pinned({"threads": cores()}, "cpu").threads == cores()
    assert as_pinned({"threads": cores() + 1}, "cpu").threads is None
    assert as_pinned({}, "cpu").threads is None
