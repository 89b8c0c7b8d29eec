import os

import pytest
import torch

from striate.machine.conditions import conditions
from striate.processors import cores


def test_what_is_so_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 0.0, 0.0), raising=False)
    now = conditions()
    assert (now.cores, now.threads, now.load) == (cores(), torch.get_num_threads(), 1.5)
    assert 1 <= now.physical_cores <= now.cores


def test_a_system_that_counts_no_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert conditions().load is None


def test_a_processor_of_which_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert conditions().physical_cores == cores()
