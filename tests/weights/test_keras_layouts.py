"""Keras' names against nets of ours; `test_keras_itself.py` holds them against Keras."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from striate.errors import WeightsError
from striate.nets import CATALOGUE, create
from striate.pretrained import pretrained
from striate.weights import LAYOUTS, fit_to, take, tensors_for
from striate.weights.fit import LAYOUTS_OF, identify
from striate.weights.keras_layouts import (
    in_order,
    inception_resnet_v2_layers,
    inception_v3_layers,
    mobilenet_v1_layers,
    mobilenet_v2_layers,
    resnet_layers,
    vgg_layers,
)

KERAS_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
NUMBERED = [
    f"{kind}{number}"
    for kind in ("conv2d", "batch_normalization")
    for number in ("", *map("_{}".format, range(1, 300)))
]
VGG16 = [f"block{block}_conv{conv}" for block, depth in enumerate((2, 2, 3, 3, 3), 1) for conv in range(1, depth + 1)]
RESNET50 = [
    f"conv{stage}_block{block}_{number}_{kind}"
    for stage, depth in ((2, 3), (3, 4), (4, 6), (5, 3))
    for block in range(1, depth + 1)
    for number in range(block > 1, 4)
    for kind in ("conv", "bn")
]
TABLES = {
    "mobilenet_v1": mobilenet_v1_layers(),
    "mobilenet_v2_tf_100": mobilenet_v2_layers(),
    "vgg16": vgg_layers(VGG16),
    "resnet50_v1": resnet_layers(RESNET50),
    "inception_v3_tf": inception_v3_layers(NUMBERED),
    "inception_resnet_v2": inception_resnet_v2_layers(NUMBERED),
}


def as_keras(net: nn.Module, layers: dict[str, str]) -> dict[str, Tensor]:
    """The tensors of a net of ours, all drawn, as Keras names and lays them out."""
    torch.manual_seed(0)
    theirs = {ours: name for name, ours in layers.items()}
    made: dict[str, Tensor] = {}
    for name, module in net.named_modules():
        for leaf, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            value = torch.rand_like(tensor) if tensor.is_floating_point() else tensor
            if isinstance(module, nn.BatchNorm2d):
                if leaf != "num_batches_tracked":
                    made[f"{theirs[name]}/{KERAS_NORM[leaf]}"] = value
            elif value.ndim == 4 and value.shape[1] == 1 < module.out_channels:
                made[f"{theirs[name]}/depthwise_kernel"] = value.permute(2, 3, 0, 1)
            elif value.ndim == 4:
                made[f"{theirs[name]}/kernel"] = value.permute(2, 3, 1, 0)
            else:
                made[f"{theirs[name]}/{'kernel' if value.ndim == 2 else 'bias'}"] = (
                    value.T if value.ndim == 2 else value
                )
    return made


@pytest.mark.parametrize("name", TABLES)
def test_a_table_names_every_layer(name: str) -> None:
    arguments = {"side_branches": False} if name == "inception_v3_tf" else {}
    with torch.device("meta"):
        net = create(name, **arguments)
    layers = {key.rpartition(".")[0] for key in net.state_dict()}
    assert set(TABLES[name].values()) == layers


@pytest.mark.parametrize(
    ("name", "layout"), [("mobilenet_v2_tf_100", "keras_mobilenet_v2"), ("resnet50_v1", "keras_resnet")]
)
def test_a_net_of_keras_is_told_from_its_twin(name: str, layout: str) -> None:
    tensors = as_keras(create(name), TABLES[name])
    assert identify(tensors) == [name]
    net = create(name)
    fit = fit_to(net, tensors)
    assert (fit.layout, fit.left_out, take(net, fit)) == (layout, (), ())
    assert identify(net.state_dict()) == [name.replace("_v1", "").replace("_tf_100", "")]


def test_biases_before_norms_and_colours_that_begin_with_blue() -> None:
    net = create("resnet50_v1", num_classes=4).eval()
    keras = as_keras(net, TABLES["resnet50_v1"])
    biases = {
        name.replace("/kernel", "/bias"): torch.rand(t.shape[-1]) for name, t in keras.items() if "_conv/" in name
    }
    take(net, fit_to(net, keras | biases))
    ours = tensors_for(net, keras, "keras_resnet")
    for name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            theirs = next(key for key, value in TABLES["resnet50_v1"].items() if value == name).replace("_bn", "_conv")
            torch.testing.assert_close(module.running_mean, ours[f"{name}.running_mean"] - biases[f"{theirs}/bias"])
    torch.testing.assert_close(
        net.get_parameter("conv1.weight"), keras["conv1_conv/kernel"].permute(3, 2, 0, 1).flip(1)
    )


def test_another_net_of_the_same_tensors_is_refused(tmp_path: Path) -> None:
    keras = as_keras(create("mobilenet_v2_tf_100"), TABLES["mobilenet_v2_tf_100"])
    save_file({name: tensor.contiguous() for name, tensor in keras.items()}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError) as caught:
        pretrained(tmp_path / "a.safetensors", "mobilenet_v2")
    assert str(caught.value) == (
        f"{tmp_path / 'a.safetensors'}: weights: expected the network that they are of, Keras' MobileNet v2; got "
        "mobilenet_v2, which computes something else from the same tensors. Try --model with one of "
        "mobilenet_v2_tf_100, mobilenet_v2_tf_035, mobilenet_v2_tf_050, mobilenet_v2_tf_075, mobilenet_v2_tf_130, "
        "mobilenet_v2_tf_140."
    )
    assert pretrained(tmp_path / "a.safetensors").name == "mobilenet_v2_tf_100"


def test_what_is_assumed_of_images_of_keras_resnet(tmp_path: Path) -> None:
    keras = as_keras(create("resnet50_v1"), TABLES["resnet50_v1"])
    save_file({name: tensor.contiguous() for name, tensor in keras.items()}, tmp_path / "a.safetensors")
    found = pretrained(tmp_path / "a.safetensors")
    assert found.said[-2:] == (
        "Its first layer is taken to see blue, green and red, as Keras prepares images for this network, and is turned "
        "to red, green and blue.",
        "How its images were prepared is not in the file: 224 pixels, mean 0.48502, 0.457957, 0.407604 and deviation "
        "0.00392157, 0.00392157, 0.00392157 are assumed.",
    )


def test_layers_with_the_numbers_of_keras_go_in_their_order() -> None:
    net = create("lenet5")
    own = net.state_dict()
    numbers = {"conv1": "conv2d_9", "conv2": "conv2d_10", "fc1": "dense", "fc2": "dense_1", "fc3": "dense_2"}
    given = {f"{numbers[key.split('.')[0]]}.{key.split('.')[1]}": t for key, t in reversed(own.items())}
    named = in_order(net, given)
    assert named.keys() == own.keys()
    assert all(torch.equal(named[name], own[name]) for name in own)
    with pytest.raises(WeightsError, match="expected no more layers of a class than the network has; got also dense_3"):
        in_order(net, given | {"dense_3.weight": torch.zeros(2, 2)})
    with pytest.raises(WeightsError, match="expected Keras' own, such as conv2d_1 and dense; got stem"):
        in_order(net, given | {"stem.weight": torch.zeros(2, 2)})


def test_the_nets_that_layouts_name_are_in_the_catalogue() -> None:
    assert {name for layout in LAYOUTS.values() for name in layout.nets} | LAYOUTS_OF.keys() <= CATALOGUE.keys()
    assert {layout for layouts in LAYOUTS_OF.values() for layout in layouts} <= LAYOUTS.keys()
