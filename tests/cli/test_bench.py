import json
from collections.abc import Callable
from pathlib import Path

import pytest

Striate = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.bench.ceilings.SIDES", (32,))
    monkeypatch.setattr("striate.bench.ceilings.CONVOLUTIONS", ((8, 8),))
    monkeypatch.setattr("striate.bench.ceilings.COPIED", 1 << 16)


FLAGS = ("--quick", "--models", "lenet5_notes", "--img-size", "32", "--batch-size", "4", "--device", "cpu")


def test_json_for_a_script(striate: Striate, two_classes: Path) -> None:
    code, out, _ = striate("bench", two_classes, "--json", *FLAGS)
    assert code == 0
    found = json.loads(out)
    assert set(found) == {"machine", "products", "convolutions", "memory", "speeds", "loading", "advice"}
    assert [speed["model"] for speed in found["speeds"]] == ["lenet5_notes"] * 2


def test_tables_for_a_person(striate: Striate, two_classes: Path) -> None:
    code, out, _ = striate("bench", two_classes, *FLAGS)
    assert code == 0
    for word in ("matrix product", "3x3 convolution, forward", "new from the kernel", "lenet5_notes", "workers"):
        assert word in out
    assert "- Convolutions run " in out


def test_a_network_that_is_none(striate: Striate) -> None:
    code, _, err = striate("bench", "--quick", "--models", "lenet6")
    assert code == 2
    assert "lenet6" in err
