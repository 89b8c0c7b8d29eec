import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from striate.bench import bench
from striate.bench.timing import Rate
from striate.device import choose, cores
from striate.errors import DataError, UsageError

WritePictures = Callable[[Path, Mapping[str, int]], Path]
QUICK = {"batch_size": 4, "img_size": 32, "rounds": 2, "least_s": 0.0}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less work than a figure needs: here only its form counts."""
    monkeypatch.setattr("striate.bench.ceilings.SIDES", (32, 64))
    monkeypatch.setattr("striate.bench.ceilings.CONVOLUTIONS", ((8, 8), (16, 4)))
    monkeypatch.setattr("striate.bench.ceilings.COPIED", 1 << 16)


def positive(rate: Rate) -> bool:
    return 0 < rate.low <= rate.median <= rate.high


def test_everything_is_measured_in_both_precisions(two_classes: Path) -> None:
    said: list[str] = []
    found = bench(choose("cpu"), ["lenet5_notes", "resnet20_cifar"], data=two_classes, say=said.append, **QUICK)  # type: ignore[arg-type]
    assert said == ["memory", "matrix products", "convolutions", "lenet5_notes", "resnet20_cifar", "loading pictures"]
    assert set(found.products) == {"float32", "bfloat16"}
    assert set(found.convolutions) == {
        f"{name}, {way}" for name in ("float32", "bfloat16") for way in ("forward", "forward and back")
    }
    assert set(found.memory) == {"copied", "fresh"}
    assert [(speed.model, speed.precision) for speed in found.speeds] == [
        (model, name) for model in ("lenet5_notes", "resnet20_cifar") for name in ("float32", "bfloat16")
    ]
    assert found.speeds[2].multiplications == 40_550_400 + 640  # He et al.'s 6n + 2 layers, and the linear one
    assert list(found.loading) == [str(two_classes)]
    assert list(found.loading[str(two_classes)]) == list(range(1, cores() + 1))
    measured = [*found.products.values(), *found.convolutions.values(), *found.memory.values()]
    measured += [rate for speed in found.speeds for rate in (speed.training, speed.inference)]
    measured += found.loading[str(two_classes)].values()
    assert all(map(positive, measured))
    plain = json.loads(json.dumps(found.to_dict()))
    first = plain["speeds"][0]
    share = 6 * first["multiplications"] * first["training"]["median"] / found.convolutions["float32, forward"].median
    assert first["training_share"] == pytest.approx(share)
    assert plain["advice"] == found.advice


def test_a_step_of_training_learns(two_classes: Path) -> None:
    """What is timed as training changes the weights, and what is timed as inference does not."""
    import torch

    from striate.bench.networks import _inference, _training
    from striate.nets import create

    machine, images = choose("cpu", "float32"), torch.randn(4, 3, 32, 32)
    net = create("resnet20_cifar")
    before = net.state_dict()["linear.weight"].clone()
    assert _inference(net, machine, images)() == 4
    assert torch.equal(net.state_dict()["linear.weight"], before)
    assert _training(net, machine, images)() == 4
    assert not torch.equal(net.state_dict()["linear.weight"], before)


def test_photos_are_made_where_none_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.bench import loading

    monkeypatch.setattr(loading, "SIZES", {"64x48": ((64, 48), 4), "80x60": ((80, 60), 2)})
    found = loading.loading(None, 32, 2, 0.0)
    assert list(found) == ["64x48", "80x60"]
    assert all(positive(rate) for of_kind in found.values() for rate in of_kind.values())


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(UsageError, match="`resnet19`: expected the name of a net"):
        bench(choose("cpu"), ["resnet19"], say=lambda text: None, **QUICK)  # type: ignore[arg-type]


def test_data_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").touch()
    (tmp_path / "index.csv").write_text("path,label\n../1.png,a\n")
    with pytest.raises(DataError, match="expected at least one usable picture; got none"):
        bench(choose("cpu"), [], data=tmp_path / "index.csv", say=lambda text: None, **QUICK)  # type: ignore[arg-type]
