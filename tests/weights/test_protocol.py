"""Files that torch.save was told to pickle by a later protocol than its own."""

import argparse
import collections
import datetime
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from striate.errors import WeightsError
from striate.weights import read_pickle
from striate.weights.protocol import older

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2)}
BESIDE = {
    "args": argparse.Namespace(lr=0.1, out=Path("x")),
    "best": np.float64(0.5),
    "history": np.arange(3),
    "set": {1, 2},
    "frozen": frozenset((1,)),
    "when": datetime.datetime(2024, 1, 2),
    "bytes": b"abc",
    "bytearray": bytearray(b"abc"),
    "ordered": collections.OrderedDict(a=1),
    "deque": collections.deque([1]),
    "large": 2**70,
    "type": torch.float32,
}


class Asks:
    """What has Python run something when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("beside", BESIDE)
def test_tensors_are_read_beside_whatever_there_is(tmp_path: Path, protocol: int, beside: str) -> None:
    content = {"state_dict": TENSORS, "again": [*TENSORS], beside: BESIDE[beside]}
    torch.save(content, tmp_path / "a.pth", pickle_protocol=protocol)
    tensors = read_pickle(tmp_path / "a.pth")
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nothing_is_run(tmp_path: Path, protocol: int) -> None:
    torch.save({**TENSORS, "a": Asks(tmp_path / "made")}, tmp_path / "a.pth", pickle_protocol=protocol)
    with pytest.raises(WeightsError, match=r"it asks Python to run (posix|nt)\.mkdir\.$"):
        read_pickle(tmp_path / "a.pth")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize(
    "value",
    [
        {"a": ["b", "b", "é" * 300], "c": {"a": (1, 2.5, None, True)}, "n": -(2**70)},
        ["x" * 10] * 3 + ["\ud800", ""],
        {f"k{i}": f"v{i % 7}" for i in range(1000)},
        [b"\x00\xff" * 200, b""],
        collections.OrderedDict(a=collections.Counter("aab")),
    ],
)
def test_an_older_pickle_means_the_same(value: object, protocol: int) -> None:
    converted = older(pickle.dumps(value, protocol))
    assert converted[:2] == b"\x80\x02"
    assert pickle.loads(converted) == value


def test_a_class_that_is_named_by_no_strings_is_refused() -> None:
    for content in (b"\x80\x04\x93.", b"\x80\x04K\x01K\x02\x93.", b"\x80\x04\x8c\x01a\x8c\x03b\nc\x93."):
        with pytest.raises(ValueError, match="a class is named by something else than two strings"):
            older(content)


def test_strings_that_are_asked_for_without_end_are_refused() -> None:
    text = b"X" + (1 << 20).to_bytes(4, "little") + b"a" * (1 << 20)
    with pytest.raises(ValueError, match="expected at most 16,777,216 letters"):
        older(b"\x80\x04" + text + b"\x94" + b"h\x00" * 1000 + b".")
