"""Agreement with published implementations, by the rules of tests/golden/README.md."""

import numpy as np
import pytest
import torch
from golden_tensors import golden, tensor_named
from net_table import NETS

from striate.nets import CATALOGUE, create


def test_each_net_has_one_row() -> None:
    assert sorted(row.name for row in NETS) == sorted(CATALOGUE)


def test_every_entry_is_somebodys() -> None:
    used = {key for row in NETS for key in row.golden} | {"timm.vgg16 at 224", "timm.mobilenetv2_100"}  # test_layouts
    assert used == golden().keys()


@pytest.mark.parametrize(("name", "key"), [(row.name, key) for row in NETS for key in row.golden])
def test_agrees_with_the_published_implementation(name: str, key: str) -> None:
    entry = golden()[key]
    with torch.device("meta"):
        net = create(name).eval()
    assert [[name, list(tensor.shape)] for name, tensor in net.state_dict().items()] == entry["tensors"]

    net.load_state_dict({name: tensor_named(name, shape) for name, shape in entry["tensors"]}, assign=True)
    images = torch.from_numpy(np.random.default_rng(0).standard_normal(entry["input"]).astype(np.float32))
    with torch.inference_mode():
        logits = net(images).double().flatten()
    expected = torch.tensor(entry["logits"], dtype=torch.float64)
    error = float(torch.linalg.vector_norm(logits - expected) / torch.linalg.vector_norm(expected))
    assert error < 1e-4
