"""Tensors of files as people have them, found and fitted."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from striate.errors import UsageError, WeightsError
from striate.nets import create
from striate.weights import fit_to, net_of, take
from striate.weights.fit import identify


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
@pytest.mark.parametrize("prefix", ["", "model.", "net.backbone."])
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
    from striate.weights.layouts import mobilenet_v2_layers

    theirs = {ours: name for name, ours in mobilenet_v2_layers().items()}
    tensors = state("mobilenet_v2")
    given = {f"{theirs[k.rpartition('.')[0]]}.{k.rpartition('.')[2]}": t for k, t in tensors.items()}
    assert identify(given) == ["mobilenet_v2"]
    net = create("mobilenet_v2")
    take(net, fit_to(net, given))
    assert equal(net, tensors)


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
