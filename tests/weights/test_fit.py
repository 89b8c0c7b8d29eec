"""Tensors of files as people have them, found and fitted."""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from striate.errors import UsageError, WeightsError
from striate.nets import create
from striate.weights import LAYOUTS, fit_to, net_of, take
from striate.weights.fit import identify
from striate.weights.layouts import mobilenet_v2_layers

WIDTHS = (8, 16, 32, 32, 64, 64, *[128] * 6, 256, 256)  # of MobileNet v1 at a quarter of its width
NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def state(name: str, **arguments: Any) -> dict[str, Tensor]:
    torch.manual_seed(0)
    net: nn.Module = create(name, **arguments)
    return {key: torch.randn_like(t) if t.is_floating_point() else t for key, t in net.state_dict().items()}


def equal(net: nn.Module, tensors: dict[str, Tensor], *apart: str) -> bool:
    """Whether the net has these tensors, apart from those whose names begin so."""
    own = net.state_dict()
    return all(torch.equal(own[name], t) for name, t in tensors.items() if not name.startswith(apart or ("?",)))


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v2", "efficientnet_lite0", "lenet5", "vgg11_bn", "squeezenet1_1"]
)
@pytest.mark.parametrize("prefix", ["", "model.", "net.backbone.", "a.b.c.d.e."])
def test_a_net_is_known_by_its_tensors_and_takes_them(name: str, prefix: str) -> None:
    tensors = state(name, num_classes=7)
    given = {f"{prefix}{key}": tensor for key, tensor in tensors.items()}
    assert identify(given) == [name]
    net = create(name, num_classes=7)
    fit = fit_to(net, given)
    assert (fit.layout, fit.prefix, fit.classes, fit.left_out) == ("striate", prefix, 7, ())
    assert take(net, fit) == ()
    assert equal(net, tensors)


def test_other_channels_and_no_counters() -> None:
    tensors = {k: t for k, t in state("resnet18", in_channels=1).items() if not k.endswith("num_batches_tracked")}
    assert identify(tensors) == ["resnet18"]
    assert fit_to(create("resnet18"), tensors).channels == 1


def test_what_stands_beside_the_network_is_left_out_and_said() -> None:
    tensors = state("resnet18")
    given = {f"model.{key}": t for key, t in tensors.items()} | {
        "criterion.weight": torch.ones(5),
        "log_vars": torch.ones(2),
    }
    assert identify(given) == ["resnet18"]
    net = create("resnet18")
    assert take(net, fit_to(net, given)) == (
        "2 tensors that the network lacks were left out: criterion.weight and log_vars.",
    )
    assert equal(net, tensors)
    del given["log_vars"]
    assert take(net, fit_to(net, given)) == ("A tensor that the network lacks was left out: criterion.weight.",)


def test_a_head_of_another_program_is_left_out_and_said() -> None:
    tensors = state("resnet18")
    given = {key: t for key, t in tensors.items() if not key.startswith("fc.")} | {"head.1.weight": torch.ones(3, 512)}
    assert identify(given) == ["resnet18"]
    net = create("resnet18", num_classes=3)
    before = net.state_dict()["fc.weight"].clone()
    assert take(net, fit_to(net, given)) == (
        "The file has no fc.weight and fc.bias, which keep their initial values.",
        "A tensor that the network lacks was left out: head.1.weight.",
    )
    assert equal(net, tensors, "fc.")
    assert torch.equal(net.state_dict()["fc.weight"], before)


@pytest.mark.parametrize(
    ("taken", "beside"), [("encoder_q.", "encoder_k."), ("teacher.", "student."), ("ema_model.", "model.")]
)
def test_of_two_networks_one_is_taken_and_an_average_first(taken: str, beside: str) -> None:
    tensors = state("resnet18")
    pair = {"queue": torch.ones(2, 2)}
    for prefix, shift in ((beside, 1), (taken, 0)) if taken != "encoder_q." else ((taken, 0), (beside, 1)):
        pair |= {f"{prefix}{name}": tensor + shift for name, tensor in tensors.items()}
    assert identify(pair) == ["resnet18"]
    net = create("resnet18")
    said = take(net, fit_to(net, pair))
    assert equal(net, tensors)
    average = f"The tensors under {taken[:-1]}, a moving average of the weights, are taken."
    assert said[:-1] == (() if taken == "encoder_q." else (average,))
    assert said[-1].startswith("123 tensors that the network lacks were left out: ")


def test_what_observers_leave_in_the_stages_is_left_out() -> None:
    tensors = state("resnet18")
    given = tensors | {"total_ops": torch.zeros(1), "layer1.0.conv1.total_ops": torch.zeros(1)}
    assert identify(given) == ["resnet18"]
    net = create("resnet18")
    said = "2 tensors that the network lacks were left out: total_ops and layer1.0.conv1.total_ops."
    assert take(net, fit_to(net, given)) == (said,)
    assert equal(net, tensors)


@pytest.mark.parametrize(
    ("name", "children", "prefix", "layout"),
    [
        ("resnet18", {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7, "fc": 9}, "", "resnet"),
        ("resnet50", {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}, "encoder.", "resnet"),
        ("vgg11_bn", {"features": 0, "classifier": 2}, "", "features"),
        ("squeezenet1_1", {"features": 0, "classifier": 1}, "net.", "features"),
        ("mobilenet_v2", {"features": 0}, "0.", "features"),
    ],
)
def test_children_by_number(name: str, children: dict[str, int], prefix: str, layout: str) -> None:
    tensors = state(name)
    parts = {key: key.split(".", 1) for key in tensors}
    given = {f"{prefix}{children[a]}.{b}": tensors[key] for key, (a, b) in parts.items() if a in children}
    assert identify(given) == [name]
    net = create(name)
    fit = fit_to(net, given)
    assert (fit.layout, fit.prefix, fit.left_out) == (f"numbered_{layout}", prefix, ())
    take(net, fit)
    assert equal(net, {key: tensor for key, tensor in tensors.items() if parts[key][0] in children})


def test_a_head_of_ones_own_beside_keras_mobilenet_is_left_out() -> None:
    keras = {
        "conv1/kernel": torch.rand(3, 3, 3, 8),
        "dense/kernel": torch.ones(256, 3),
        "normalization/count": torch.ones(1),
    }
    for number, (channels, width) in enumerate(itertools.pairwise(WIDTHS), 1):
        keras[f"conv_dw_{number}/depthwise_kernel"] = torch.rand(3, 3, channels, 1)
        keras[f"conv_pw_{number}/kernel"] = torch.rand(1, 1, channels, width)
    layers = {
        name.rpartition("/")[0]: t.shape[2] if "dw" in name else t.shape[-1] for name, t in keras.items() if t.ndim == 4
    }
    keras |= {f"{layer}_bn/{leaf}": torch.rand(size) for layer, size in layers.items() for leaf in NORM}
    assert identify(keras) == ["mobilenet_v1_025"]
    net = create("mobilenet_v1_025")
    fit = fit_to(net, keras)
    assert (fit.layout, fit.left_out) == ("keras_mobilenet_v1", ("normalization/count", "dense.weight"))
    assert (
        take(net, fit)[0] == "The file has no classifier.weight and classifier.bias, which keep their initial values."
    )


TRANSFORMERS = {  # names of microsoft/resnet-50, and ours
    "resnet.embedder.embedder.convolution.weight": "conv1.weight",
    "resnet.embedder.embedder.normalization.running_var": "bn1.running_var",
    "resnet.encoder.stages.0.layers.0.shortcut.convolution.weight": "layer1.0.downsample.0.weight",
    "resnet.encoder.stages.0.layers.0.shortcut.normalization.bias": "layer1.0.downsample.1.bias",
    "resnet.encoder.stages.3.layers.2.layer.1.convolution.weight": "layer4.2.conv2.weight",
    "resnet.encoder.stages.2.layers.5.layer.2.normalization.weight": "layer3.5.bn3.weight",
    "classifier.1.bias": "fc.bias",
}


def test_the_resnet_of_transformers() -> None:
    convert = LAYOUTS["transformers_resnet"].convert
    one = torch.zeros(1)
    assert [*convert(dict.fromkeys(TRANSFORMERS, one))] == [*TRANSFORMERS.values()]
    without = dict.fromkeys((name.removeprefix("resnet.") for name in TRANSFORMERS), one)
    assert [*convert(without)] == [*TRANSFORMERS.values()]


def test_fastais_resnet() -> None:
    tensors = state("resnet18")
    numbers = {"conv1": "0.0", "bn1": "0.1", "layer1": "0.4", "layer2": "0.5", "layer3": "0.6", "layer4": "0.7"}
    given = {"1.8.weight": torch.ones(2, 512), "1.4.weight": torch.ones(512, 1024)}
    for key, tensor in tensors.items():
        part, _, rest = key.partition(".")
        if part != "fc":
            given[f"{numbers[part]}.{rest}"] = tensor
    assert identify(given) == ["resnet18"]
    net = create("resnet18", num_classes=2)
    fit = fit_to(net, given)
    assert (fit.layout, fit.classes) == ("fastai_resnet", 0)
    assert take(net, fit)[0] == "The file has no fc.weight and fc.bias, which keep their initial values."
    assert equal(net, tensors, "fc.")


def test_timms_mobilenet_becomes_torchvisions() -> None:
    theirs = {ours: name for name, ours in mobilenet_v2_layers().items()}
    tensors = state("mobilenet_v2")
    given = {f"{theirs[k.rpartition('.')[0]]}.{k.rpartition('.')[2]}": t for k, t in tensors.items()}
    assert identify(given) == ["mobilenet_v2"]
    net = create("mobilenet_v2")
    take(net, fit_to(net, given))
    assert equal(net, tensors)
    said = take(net, fit_to(net, given | {"total_ops": torch.ones(1)}))
    assert said == ("A tensor that the network lacks was left out: total_ops.",)


def test_a_layout_that_is_named_is_the_one() -> None:
    tensors = state("lenet5")
    with pytest.raises(
        WeightsError, match=r"weights: expected tensors of the network, such as conv1\.weight; got conv1"
    ):
        fit_to(create("lenet5"), tensors, "caffe_lenet")
    with pytest.raises(UsageError, match="Did you mean `keras`"):
        fit_to(create("lenet5"), tensors, "kears")


def test_tensors_of_another_net_name_what_is_missing() -> None:
    net = create("resnet34")
    fit = fit_to(net, state("resnet18"))
    with pytest.raises(WeightsError, match=r"expected exactly the tensors of the net; layer1\.2\.conv1\.weight is"):
        take(net, fit)


def test_one_net_is_named_with_a_sentence(tmp_path: Path) -> None:
    assert net_of(tmp_path / "a.pth", state("resnet18")) == (
        "resnet18",
        "a.pth is taken for resnet18, by the names and shapes of its tensors.",
    )


def test_nets_with_the_same_tensors_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        net_of(tmp_path / "a.pth", state("resnet20_cifar"))
    assert str(caught.value) == (
        f"{tmp_path / 'a.pth'}: expected weights of one net; got some that may be of plain20_cifar and resnet20_cifar, "
        "whose tensors are alike. Try --model with one of these."
    )


def test_the_heads_tell_nets_apart_whose_stages_are_alike() -> None:
    assert identify(state("fcn16s")) == ["fcn16s", "fcn8s"] or identify(state("fcn16s")) == ["fcn16s"]
    assert identify(state("fcn32s")) == ["fcn32s"]


def test_tensors_of_no_net(tmp_path: Path) -> None:
    tensors = {f"\x1b[31m{i}": torch.zeros(2, 3) for i in range(100)}
    with pytest.raises(UsageError) as caught:
        net_of(tmp_path / "a.pth", tensors)
    assert re.fullmatch(
        r".*a\.pth: expected weights of a net of the catalogue, or a model file; got 100 tensors: .* and 92 more\. "
        r"Try --model with the network that they are of\.",
        str(caught.value),
    )
    assert str(caught.value).isprintable()
    save_file({"a": torch.zeros(1)}, tmp_path / "b.safetensors")
    with pytest.raises(UsageError, match="got 1 tensors"):
        net_of(tmp_path / "b.safetensors", {"a": torch.zeros(1)})
