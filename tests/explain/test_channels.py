from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from striate.data import Batch
from striate.errors import UsageError
from striate.explain import channels, feature_maps, first_filters, layers_with_maps
from striate.model import Model

MakeModel = Callable[..., Model]


def batches(images: Tensor, size: int = 2) -> list[Batch]:
    return [Batch(part, 10 + np.arange(k * size, k * size + len(part))) for k, part in enumerate(images.split(size))]


def test_feature_maps_are_what_the_layer_gives(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    found = feature_maps(model, images, "layer3", batch_size=2)
    assert found.maps.shape == (5, 64, 8, 8)
    logits = torch.from_numpy(found.maps.mean(axis=(2, 3))) @ model.net.get_parameter("linear.weight").T
    assert torch.allclose(logits + model.net.get_parameter("linear.bias"), model.predict_batch(images), atol=1e-4)
    assert len([axis for axis in found.figure(1).axes if axis.images]) == 16
    units = feature_maps(model, images, "linear")
    assert units.maps.shape == (5, 3, 1, 1)


def test_the_images_that_excite_a_channel_most(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    found = channels(model, batches(images), "layer2", most=2)
    maps = feature_maps(model, images, "layer2").maps
    peaks = maps.max(axis=(2, 3))
    assert found.images == 5
    assert np.allclose(found.largest, -np.sort(-peaks.T, axis=1)[:, :2])
    assert np.array_equal(found.rows, 10 + np.argsort(-peaks.T, axis=1, kind="stable")[:, :2])
    for channel in range(32):
        row, (i, j) = found.rows[channel, 0] - 10, found.places[channel, 0]
        assert np.isclose(maps[row, channel, i, j], found.largest[channel, 0])
    assert np.allclose(found.mean, maps.mean(axis=(0, 2, 3)), atol=1e-5)
    assert np.allclose(found.smallest, maps.min(axis=(0, 2, 3)))
    assert found.size == (16, 16)


def test_fewer_images_than_asked_for(make_model: MakeModel, images: Tensor) -> None:
    found = channels(make_model(), batches(images), "layer1", most=9)
    assert np.all(found.rows[:, 5:] == -1)
    assert np.all(found.largest[:, 5:] == -np.inf)


def test_dead_units_are_those_that_never_answer(make_model: MakeModel, images: Tensor) -> None:
    model = make_model("vgg11")
    relu = next(name for name, module in model.net.named_modules() if isinstance(module, torch.nn.ReLU))
    convolution = next(module for module in model.net.modules() if isinstance(module, torch.nn.Conv2d))
    with torch.no_grad():
        convolution.weight[3] = 0
        assert convolution.bias is not None
        convolution.bias[3] = -1
    assert channels(model, batches(images), relu).dead.tolist() == [k == 3 for k in range(64)]


def test_layers_that_have_maps(make_model: MakeModel) -> None:
    model = make_model("lenet5")
    names = layers_with_maps(model)
    assert "conv1" in names
    assert not {"fc1", "fc2", "fc3"} & set(names)
    assert sum(len(module._forward_hooks) for module in model.net.modules()) == 0


def test_misuse(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    with pytest.raises(UsageError, match="expected a module of the network; got layer4"):
        feature_maps(model, images, "layer4")
    with pytest.raises(UsageError, match="`images`: expected at least one; got none"):
        channels(model, [], "layer1")


def test_the_first_filters_are_those_of_the_first_convolution(make_model: MakeModel) -> None:
    net = make_model("vgg11").net
    first = next(module for module in net.modules() if isinstance(module, torch.nn.Conv2d))
    weights = first_filters(net)
    assert weights.shape == (64, 3, 3, 3)
    assert weights[1, 2, 0, 1] == first.weight[1, 1, 2, 0].item()
    with pytest.raises(ValueError, match="`net`: expected a convolution in it; got none in Linear"):
        first_filters(torch.nn.Linear(2, 2))
