import json
from collections.abc import Callable
from pathlib import Path

import pytest

Striate = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.machine.ceilings.SIDES", (32,))
    monkeypatch.setattr("striate.machine.ceilings.CONVOLUTIONS", ((8, 8),))
    monkeypatch.setattr("striate.machine.ceilings.COPIED", 1 << 16)


FLAGS = ("--quick", "--models", "lenet5_notes", "--img-size", "32", "--batch-size", "4", "--device", "cpu")


def test_json_for_a_script(striate: Striate, two_classes: Path) -> None:
    code, out, _ = striate("bench", two_classes, "--json", *FLAGS)
    assert code == 0
    found = json.loads(out)
    assert {"machine", "speeds", "demands", "advice"} < set(found)
    assert [speed["model"] for speed in found["speeds"]] == ["lenet5_notes"] * 2


def test_tables_for_a_person(striate: Striate, two_classes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    code, out, _ = striate("bench", two_classes, *FLAGS)
    assert code == 0
    for word in ("matrix product", "3x3 convolution, forward", "new from the kernel", "GB", "±", "from cache", "costs"):
        assert word in out
    assert "lenet5_notes" in out
    assert "- Convolutions run " in out
    assert "No GPU" not in out  # none was asked for


def test_a_gpu_that_is_not_there_gets_a_word(
    striate: Striate, two_classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    code, out, _ = striate("bench", two_classes, *FLAGS[:-2])
    assert code == 0
    assert "No GPU was found, and none was measured." in out


@pytest.mark.parametrize(
    ("words", "models", "batch_size"),
    [
        ((), ("resnet18", "resnet50", "mobilenet_v2"), 32),
        (("--quick",), ("resnet18",), 8),
        (("--quick", "--models", "vgg16", "-b", "2"), ("vgg16",), 2),
    ],
)
def test_a_quick_run_does_less(
    striate: Striate,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    models: tuple[str, ...],
    batch_size: int,
) -> None:
    asked: list[object] = []

    def measure(machine: object, models: tuple[str, ...], *, batch_size: int, **_rest: object) -> None:
        asked.extend((models, batch_size))
        raise KeyboardInterrupt

    monkeypatch.setattr("striate.machine.bench", measure)
    code, _, _ = striate("bench", *words)
    assert code == 130
    assert asked == [models, batch_size]


def test_a_network_that_is_none(striate: Striate) -> None:
    code, _, err = striate("bench", "--quick", "--models", "lenet6")
    assert code == 2
    assert "lenet6" in err
