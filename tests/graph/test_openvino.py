import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from net_table import Net
from torch import Tensor, nn

from striate.data import Preprocessing, read
from striate.device import choose
from striate.errors import UsageError
from striate.features import extract
from striate.graph import cut, vectors
from striate.graph.fold import folded
from striate.graph.openvino import _compiled, _converted, _exported, _keep_silent
from striate.graph.openvino_operations import UnknownOperationError, network_of
from striate.graph.parts import Maps
from striate.graph.runtime import extractor, net_runner
from striate.nets import create

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")  # not imported here


@torch.inference_mode()
def test_every_net_gives_the_values_that_pytorch_gives(row: Net, net: Any, images: Tensor) -> None:
    prefix = cut(net, net.stages, row.input).prefix
    found = extractor(prefix, choose("cpu", "float32", runtime="openvino"))(images)
    for actual, expected in zip(found, prefix(images), strict=True):
        assert actual.shape == expected.shape
        assert (actual - expected).norm() <= 1e-3 * expected.norm()


@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-5), ("bfloat16", 0.05)])
def test_batches_of_any_size(precision: str, error: float) -> None:
    torch.manual_seed(0)
    net = create("resnet20_cifar").eval()
    prefix = vectors(net, ("layer1", "layer3"), (3, 16, 16))
    run = extractor(prefix, choose("cpu", precision, runtime="openvino"))
    for count in (5, 1, 2):
        images = torch.randn(count, 3, 16, 16).contiguous(memory_format=torch.channels_last)
        for actual, expected in zip(run(images), prefix(images), strict=True):
            assert (actual - expected).norm() <= error * expected.norm()


def test_maps_of_depths_are_averaged_as_they_lie() -> None:
    """A map that is flattened first is copied into another order of its values."""
    net: Any = create("resnet20_cifar").eval()
    network = network_of(vectors(net, net.stages, (3, 16, 16)), (3, 16, 16))
    found = [operation.get_type_name() for operation in network.get_ops()]
    assert found.count("ReduceMean") == len(net.stages)
    assert "Reshape" not in found


def test_many_images_are_run_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    prefix, images = (
        vectors(create("resnet20_cifar").eval(), ("layer1", "layer3"), (3, 16, 16)),
        torch.rand(7, 3, 16, 16),
    )
    run = extractor(prefix, choose("cpu", "float32", runtime="openvino"))
    whole = run(images)
    monkeypatch.setattr("striate.graph.openvino.A_THREAD", 3)
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    for actual, expected in zip(run(images), whole, strict=True):
        assert actual.shape == expected.shape
        torch.testing.assert_close(actual, expected)
    assert [value.shape[0] for value in run(images[:0])] == [0, 0]


def test_each_runtime_keeps_features_of_its_own(two_classes: Path) -> None:
    net: Any = create("resnet20_cifar").eval()
    prefix, index = vectors(net, net.stages[-1:], (3, 16, 16)), read(two_classes)
    shown = Preprocessing((3, 16, 16), (0.5,) * 3, (0.5,) * 3, crop_pct=1.0)
    found = []
    for runtime in ("torch", "openvino", "torch", "openvino"):
        machine = choose("cpu", "float32", runtime=runtime)
        found.append(extract(index, np.arange(len(index)), prefix, shown, machine))
    assert [features.computed for features in found] == [len(index), len(index), 0, 0]
    torch.testing.assert_close(found[0].vectors(), found[1].vectors(), atol=1e-2, rtol=1e-2)
    assert torch.equal(found[1].vectors(), found[3].vectors())


def test_features_and_answers_of_a_net_share_what_is_compiled() -> None:
    torch.manual_seed(0)
    net: Any = create("resnet20_cifar").eval()
    machine, images = choose("cpu", "float32", runtime="openvino"), torch.rand(2, 3, 16, 16)
    [features] = extractor(vectors(net, net.stages[-1:], (3, 16, 16)), machine)(images)
    before = _compiled.cache_info().misses
    outputs = net_runner(net, (3, 16, 16), machine, ("linear",))(images)
    assert _compiled.cache_info().misses == before
    torch.testing.assert_close(outputs, net.linear(features))


def test_a_net_is_converted_once_for_both_precisions() -> None:
    torch.manual_seed(1)
    prefix, images = vectors(create("resnet20_cifar").eval(), ("layer3",), (3, 16, 16)), torch.rand(2, 3, 16, 16)
    before = _converted.cache_info().misses
    [rounded], [exact], [again] = (
        extractor(prefix, choose("cpu", precision, runtime="openvino"))(images)
        for precision in ("bfloat16", "float32", "bfloat16")
    )
    assert _converted.cache_info().misses == before + 1
    [expected] = prefix(images)
    assert (exact - expected).norm() <= 1e-5 * expected.norm()
    assert torch.equal(rounded, again)
    rounds = "AVX512" in torch.backends.cpu.get_cpu_capability()  # without it OpenVINO computes in float32
    assert torch.equal(rounded, exact) is not rounds


def test_it_reports_nothing_to_its_maker(tmp_path: Path) -> None:
    code = """
import sys, torch
from striate.device import choose
from striate.graph import vectors
from striate.graph.parts import Maps
from striate.graph.runtime import extractor
from striate.nets import create

prefix = vectors(create("lenet5").eval(), ("fc1",), (1, 32, 32))
extractor(prefix, choose("cpu", "float32", runtime="openvino"))(torch.rand(2, 1, 32, 32))
print("openvino" in sys.modules, sys.modules.get("openvino_telemetry"))
"""
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "True None\n"
    assert not any(tmp_path.iterdir())  # no identifier either


class Sorted(nn.Module):
    """Has an operation that no other runtime knows."""

    stages = ("conv",)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.linalg.eigvalsh(self.conv(x)).mean(dim=2))
        return logits


def test_a_callers_autocast_is_not_made_part_of_it() -> None:
    torch.manual_seed(0)
    net = create("resnet20_cifar").eval()
    prefix, images = vectors(net, ("layer3",), (3, 16, 16)), torch.randn(2, 3, 16, 16)
    run = extractor(prefix, choose("cpu", "float32", runtime="openvino"))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        [found] = run(images)
    [expected] = prefix(images)
    assert (found - expected).norm() <= 1e-5 * expected.norm()


def test_what_it_cannot_run_is_said() -> None:
    prefix = vectors(Sorted().eval(), ("conv",), (3, 8, 8))
    with pytest.raises(UsageError, match=r"OpenVINO can run; .* Try --runtime torch"):
        extractor(prefix, choose("cpu", "float32", runtime="openvino"))(torch.rand(2, 3, 8, 8))


@pytest.mark.parametrize("name", ["resnet20_cifar", "mobilenet_v2", "efficientnet_lite0", "mobilenet_v1_025"])
def test_operations_taken_down_give_the_bits_of_what_openvino_converts_itself(name: str) -> None:
    _keep_silent()
    torch.manual_seed(0)
    net: Any = create(name).eval()
    part = Maps(folded(cut(net, net.stages, (3, 32, 32)).prefix.layers))
    images = torch.randn(3, 3, 32, 32)
    ways = [run_by_openvino(make(part, (3, 32, 32)), images) for make in (network_of, _exported)]
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*ways, strict=True))


def run_by_openvino(network: Any, images: Tensor) -> list[Tensor]:
    import openvino

    run = openvino.Core().compile_model(network, "CPU", {"INFERENCE_NUM_THREADS": 1})
    values = run(images.numpy())
    return [torch.from_numpy(values[output]).clone() for output in run.outputs]


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x * 2,
        lambda x: x + torch.ones(2, 3, 8, 8),
        lambda x: torch.cat([x, x], dim=0),
        lambda x: x.mean(dim=(0, 2)),
        lambda x: x.relu_(),
        lambda x: torch.conv2d(x, x[:, :, :3, :3]),
        lambda x: torch.nn.functional.pad(x, (0, 0, 0, 0, 0, 0, 1, 0)),
        lambda x: x.view(-1, 8, 8),
        lambda x: x[:1],
    ],
)
def test_what_a_rule_does_not_cover_is_not_taken_down(work: Any) -> None:
    class Part(nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor]:
            return (work(images),)

    _keep_silent()
    with pytest.raises(UnknownOperationError):
        network_of(Part(), (3, 8, 8))  # type: ignore[arg-type]
