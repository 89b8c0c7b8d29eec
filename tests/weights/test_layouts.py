"""Each layout against a net of ours: names that no net has would be of no use."""

import numpy as np
import pytest
import torch
from golden_tensors import golden, tensor_named

from striate.errors import UsageError
from striate.nets import create
from striate.weights import LAYOUTS, layout_named, load_into, tensors_for
from striate.weights.keras_layouts import mobilenet_v1_layers
from striate.weights.layouts import mobilenet_v2_layers

TIMM = [("timm.vgg16 at 224", "timm_vgg", "vgg16"), ("timm.mobilenetv2_100", "timm_mobilenet_v2", "mobilenet_v2")]


@pytest.mark.parametrize(("key", "layout", "net"), TIMM)
def test_timms_tensors_become_ours(key: str, layout: str, net: str) -> None:
    with torch.device("meta"):
        ours = create(net)
        theirs = {name: torch.zeros(shape) for name, shape in golden()[key]["tensors"]}
    shapes = {name: tensor.shape for name, tensor in ours.state_dict().items()}
    assert {name: tensor.shape for name, tensor in tensors_for(ours, theirs, layout).items()} == shapes


@pytest.mark.parametrize(
    ("key", "layout", "net"), [pytest.param(*TIMM[0], marks=pytest.mark.slow), pytest.param(*TIMM[1])]
)
def test_timms_tensors_give_timms_logits(key: str, layout: str, net: str) -> None:
    entry = golden()[key]
    ours = create(net).eval()
    tensors = {name: tensor_named(name, shape) for name, shape in entry["tensors"]}
    assert load_into(ours, tensors_for(ours, tensors, layout)) == ()
    images = torch.from_numpy(np.random.default_rng(0).standard_normal(entry["input"]).astype(np.float32))
    with torch.inference_mode():
        logits = ours(images).double().flatten()
    expected = torch.tensor(entry["logits"], dtype=torch.float64)
    assert torch.linalg.vector_norm(logits - expected) / torch.linalg.vector_norm(expected) < 1e-4


def test_the_tables_name_every_layer_once() -> None:
    for net, layers in (("mobilenet_v1", mobilenet_v1_layers()), ("mobilenet_v2", mobilenet_v2_layers())):
        with torch.device("meta"):
            state = create(net).state_dict()
        assert sorted(layers.values()) == sorted({name.rpartition(".")[0] for name in state})


def test_the_layout_ours_changes_nothing() -> None:
    tensors = {"fc.weight": torch.zeros(2, 2)}
    converted = layout_named("striate").convert(tensors)
    assert converted["fc.weight"] is tensors["fc.weight"]
    assert converted is not tensors


def test_an_unknown_layout_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        layout_named("kears")
    assert str(caught.value) == (f"`layout`: expected one of {', '.join(LAYOUTS)}; got `kears`. Did you mean `keras`?")
