from pathlib import Path

import pytest
import torch

from striate.machine import peak
from striate.machine.peak import peak_bytes

CPU = torch.device("cpu")
MEGABYTES = 10**6
counted = pytest.mark.skipif(not peak.CLEAR_REFS.exists(), reason="only Linux keeps this count")


@counted
def test_memory_that_was_given_back_counts() -> None:
    def work() -> None:
        torch.ones(100 * MEGABYTES, dtype=torch.uint8)

    for _ in range(2):  # an earlier peak does not hide a later one
        most = peak_bytes(CPU, work)
        assert most is not None
        assert 90 * MEGABYTES < most < 150 * MEGABYTES


@counted
def test_memory_that_was_held_before_does_not_count() -> None:
    held = torch.ones(100 * MEGABYTES, dtype=torch.uint8)
    most = peak_bytes(CPU, lambda: held.add_(1))
    assert most is not None
    assert most < 50 * MEGABYTES


def test_where_nobody_counts_the_work_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peak, "CLEAR_REFS", tmp_path / "no folder" / "clear_refs")
    done: list[bool] = []
    assert peak_bytes(CPU, lambda: done.append(True)) is None
    assert done == [True]
