"""What published implementations answer, and the tensors they were given: the rules are in tests/golden/README.md."""

import functools
import gzip
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).parents[1] / "golden" / "nets.json.gz"


@functools.cache
def golden() -> Mapping[str, Any]:
    """Every entry by its key."""
    entries: dict[str, Any] = json.loads(gzip.decompress(GOLDEN.read_bytes()))
    return entries


def tensor_named(name: str, shape: Iterable[int]) -> Tensor:
    """The value that the reference gave to the tensor `name`."""
    shape = tuple(shape)
    z = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        value = 0.5 + np.abs(z)
    elif name.endswith(("running_mean", "bias")):
        value = 0.1 * z
    elif len(shape) <= 1:
        value = 1 + 0.1 * z
    else:
        value = z * np.sqrt(2 / np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(value, dtype=np.float32))
