"""Files of torch.save that hold objects beside their tensors: none of their code runs."""

import argparse
import collections
import datetime
import enum
import os
import pathlib
import sys
import types
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from striate.errors import WeightsError
from striate.weights import read_pickle

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2)}
MODULE = "other_program"


class Mode(enum.Enum):
    FAST = 1


class Config:
    def __init__(self) -> None:
        self.lr, self.names, self.weights = 0.1, ["a"], torch.zeros(2, 2)


class Slots:
    __slots__ = ("lr",)

    def __init__(self) -> None:
        self.lr = 0.1


class Attributes(dict[str, Any]):
    pass


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(3, 2)


class Asks:
    """What has Python run something when it is unpickled."""

    def __init__(self, run: Any, *arguments: Any) -> None:
        self.run, self.arguments = run, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.run, self.arguments


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Classes of a program that is gone when the file is read."""
    module = types.ModuleType(MODULE)
    monkeypatch.setitem(sys.modules, MODULE, module)
    for kind in (Mode, Config, Slots, Attributes, Network):
        monkeypatch.setattr(kind, "__module__", MODULE)
        setattr(module, kind.__name__, kind)
    yield
    assert MODULE not in sys.modules


def written(content: object, zipped: bool = True) -> bytes:
    file = BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    sys.modules.pop(MODULE, None)
    return file.getvalue()


BESIDE = {
    "namespace": lambda: argparse.Namespace(lr=0.1, data=pathlib.PurePosixPath("/data"), betas=(0.9, 0.99)),
    "number of NumPy": lambda: np.float64(0.5),
    "array": lambda: np.zeros((2, 3)),
    "strings": lambda: np.array(["a", "b"]),
    "defaultdict": lambda: collections.defaultdict(list, {"loss": [1.0]}),
    "deque": lambda: collections.deque([1, 2]),
    "time": lambda: datetime.datetime(2020, 1, 1),
    "enum": lambda: Mode.FAST,
    "enum as a key": lambda: {Mode.FAST: 1},
    "dict of another program": lambda: Attributes(lr=0.1),
    "object": Config,
    "object with slots": Slots,
    "class": lambda: {Config: {"best": 0.5}},
    "network": Network,
}


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("kind", "zipped"),
    [(kind, zipped) for kind in BESIDE for zipped in (True, False) if zipped or kind != "network"],  # which it refuses
)
def test_what_stands_beside_the_tensors_is_not_made(tmp_path: Path, kind: str, zipped: bool) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(written({"epoch": 3, "beside": BESIDE[kind](), "state_dict": TENSORS}, zipped))
    read = read_pickle(path)
    assert read.keys() == TENSORS.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in TENSORS.items())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("run", "name"), [(os.system, f"{os.name}.system"), (eval, "builtins.eval")])
def test_what_asks_python_to_run_something_is_refused(tmp_path: Path, run: Any, name: str, zipped: bool) -> None:
    path, touched = tmp_path / "a.pth", tmp_path / "touched"
    argument = f"touch {touched}" if run is os.system else f"open({str(touched)!r}, 'w')"
    path.write_bytes(written({"state_dict": TENSORS, "beside": Asks(run, argument)}, zipped))
    with pytest.raises(WeightsError) as caught:
        read_pickle(path)
    expected = "expected a file of torch.save with tensors only"
    assert str(caught.value) == f"{path}: {expected}; it asks Python to run {name}."
    assert not touched.exists()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("content", "zipped", "told"),
    [
        (Network, True, f"got an object of {MODULE}.Network, which only its code can make: save its state_dict() "),
        (
            lambda: nn.Linear(1, 1),
            False,
            "it holds a whole network, which only its code can make: save its state_dict() instead.",
        ),
        (lambda: {"model": Network(), "epoch": 3}, True, f"got a dict of model (of {MODULE}.Network), epoch."),
    ],
)
def test_a_whole_network_is_refused(tmp_path: Path, content: Any, zipped: bool, told: str) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(written(content(), zipped))
    with pytest.raises(WeightsError) as caught:
        read_pickle(path)
    assert told in str(caught.value)


def test_another_protocol_is_told_in_the_format_before_pytorch_1_6(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(TENSORS, path, pickle_protocol=4, _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError, match=r"another protocol than torch\.save's own, 2; save it without `pick"):
        read_pickle(path)


def test_archives_of_others_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.zeros(3))
    with pytest.raises(WeightsError, match=r"tensors only; the archive was written by another program\."):
        read_pickle(tmp_path / "a.npz")
