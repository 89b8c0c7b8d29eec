import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from striate.device import choose
from striate.errors import DataError, UsageError
from striate.machine import Bench, bench
from striate.machine.loading import worker_counts
from striate.machine.timing import Rate
from striate.processors import cores

WritePictures = Callable[[Path, Mapping[str, int]], Path]
QUICK = {"batch_size": 4, "img_size": 32, "rounds": 2, "least_s": 0.0}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less work than a figure needs: here only its form counts."""
    monkeypatch.setattr("striate.machine.ceilings.SIDES", (32, 64))
    monkeypatch.setattr("striate.machine.ceilings.CONVOLUTIONS", ((8, 8), (16, 4)))
    monkeypatch.setattr("striate.machine.ceilings.COPIED", 1 << 16)


def positive(rate: Rate) -> bool:
    return 0 < rate.low <= rate.median <= rate.high


def test_everything_is_measured_in_both_precisions(two_classes: Path) -> None:
    lines: list[str] = []
    found = bench(choose("cpu"), ["lenet5_notes", "resnet20_cifar"], data=two_classes, log=lines.append, **QUICK)  # type: ignore[arg-type]
    assert lines == ["memory", "loading images", "matrix products", "convolutions", "lenet5_notes", "resnet20_cifar"]
    assert set(found.products) == {"float32", "bfloat16"}
    assert set(found.convolutions) == {
        f"{name}, {way}" for name in ("float32", "bfloat16") for way in ("forward", "forward and back")
    }
    assert set(found.memory) == {"copied", "fresh"}
    assert [(speed.model, speed.precision) for speed in found.speeds] == [
        (model, name) for model in ("lenet5_notes", "resnet20_cifar") for name in ("float32", "bfloat16")
    ]
    assert found.speeds[2].multiplications == 40_550_400 + 640  # He et al.'s 6n + 2 layers, and the linear one
    assert all(speed.peak_bytes is None or speed.peak_bytes >= 0 for speed in found.speeds)
    assert list(found.loading) == [two_classes.name]
    by_source = found.loading[two_classes.name]
    assert {source: list(by_workers) for source, by_workers in by_source.items()} == {
        "files": worker_counts(cores()),
        "cache": worker_counts(cores()),
    }
    measured = [*found.products.values(), *found.convolutions.values(), *found.memory.values()]
    measured += [rate for speed in found.speeds for rate in (speed.training, speed.inference)]
    measured += [rate for by_workers in by_source.values() for rate in by_workers.values()]
    assert all(map(positive, measured))


def test_plain_values_for_json(found: Callable[..., Bench]) -> None:
    bench = found(
        speeds=[("wide", "float32", 100.0), ("wide", "bfloat16", 400.0)],
        loading={"photos": {"files": {1: 400.0}, "cache": {1: 1200.0}}},
    )
    plain = json.loads(json.dumps(bench.to_dict()))
    assert list(plain) == [
        "machine",
        "conditions",
        "products",
        "convolutions",
        "memory",
        "speeds",
        "loading",
        "demands",
    ]
    assert plain["machine"] == {
        "device": "cpu",
        "precision": "bfloat16",
        "memory_format": "channels_last",
        "reason": "as asked",
        "runtime": "torch",
        "threads": None,
    }
    assert plain["conditions"] == {"cores": 2, "physical_cores": 2, "threads": 2, "load": 0.1}
    assert plain["convolutions"]["float32, forward"] == {"median": 1e12, "low": 1e12, "high": 1e12}
    assert plain["speeds"][1]["training_share"] == pytest.approx(6 * 10**9 * 400 / 4e12)
    assert plain["speeds"][1]["inference_share"] == pytest.approx(2 * 10**9 * 1200 / 4e12)
    assert plain["loading"]["photos"]["cache"]["1"]["median"] == 1200
    assert plain["demands"][0] == {
        "model": "wide",
        "images": "photos",
        "source": "files",
        "trained": 400,
        "loaded": 400,
        "workers": 1,
        "lost": 0.5,
    }


@pytest.mark.parametrize(
    ("model", "img_size", "message"),
    [
        ("resnet19", 32, "`resnet19`: expected the name of a net"),
        ("lenet5_notes", 8, r"expected H and W of 32; got the shape \[1, 3, 8, 8\]"),
    ],
)
def test_a_network_that_cannot_be_run_is_named_first(model: str, img_size: int, message: str) -> None:
    lines: list[str] = []
    with pytest.raises(UsageError, match=message):
        bench(choose("cpu"), ["resnet18", model], log=lines.append, **QUICK | {"img_size": img_size})  # type: ignore[arg-type]
    assert lines == []


def test_data_that_is_not_there_is_named_before_networks_run(tmp_path: Path) -> None:
    lines: list[str] = []
    with pytest.raises(DataError, match="missing"):
        bench(choose("cpu"), [], data=tmp_path / "missing", log=lines.append, **QUICK)  # type: ignore[arg-type]
    assert lines == ["memory", "loading images"]
