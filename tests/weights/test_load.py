from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from striate.errors import UsageError, WeightsError
from striate.nets import create
from striate.weights import digest, fit_to, load, load_into, take, tensors_for
from striate.weights.load import flattened_maps


class Tiny(nn.Module):
    """A stage with a batch norm, and two heads."""

    stages = ("conv", "bn")
    head = "fc"
    other_heads = ("side",)

    def __init__(self, num_classes: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.bn = nn.BatchNorm2d(4, eps=epsilon)
        self.fc = nn.Linear(4, num_classes)
        self.side = nn.Conv2d(4, num_classes, 1)


def state_of(net: nn.Module) -> dict[str, Tensor]:
    return {name: torch.randn_like(t) if t.ndim else t.clone() for name, t in net.state_dict().items()}


def test_all_tensors_arrive_and_keep_the_nets_precision() -> None:
    net = Tiny(5)
    given = {name: t.half() if t.is_floating_point() else t for name, t in state_of(net).items()}
    assert load_into(net, given) == ()
    for name, tensor in net.state_dict().items():
        assert tensor.dtype != torch.float16
        torch.testing.assert_close(tensor, given[name].to(tensor.dtype))


def test_the_counter_of_batches_may_be_absent() -> None:
    net = Tiny(5)
    given = state_of(net)
    del given["bn.num_batches_tracked"]
    assert load_into(net, given) == ()


def test_a_counter_of_another_shape_is_passed_over() -> None:
    net, tensors = create("resnet20_cifar"), create("resnet20_cifar").state_dict()
    tensors["bn1.num_batches_tracked"] = torch.tensor([7])
    load_into(net, tensors)
    assert net.state_dict()["bn1.num_batches_tracked"] == 0


def test_heads_of_another_size_keep_their_initial_values_and_are_named() -> None:
    net, given = Tiny(5), state_of(Tiny(7))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    assert load_into(net, given) == (
        "fc: the file has 7 classes and the net 5; it keeps its initial values.",
        "side: the file has 7 classes and the net 5; it keeps its initial values.",
    )
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name] if name.startswith(("fc.", "side.")) else given[name])


@pytest.mark.parametrize(
    ("name", "arguments", "layers"),
    [
        ("googlenet", {}, ["aux1.fc2", "aux2.fc2", "fc"]),
        ("squeezenet1_1", {}, ["classifier.1"]),
        ("segnet", {}, ["classifier"]),
        ("headed", {"encoder": "resnet20_cifar", "head": "cosine"}, ["classifier"]),
        ("headed", {"encoder": "resnet20_cifar", "head": "mlp"}, ["classifier.2"]),
    ],
)
def test_every_head_that_a_net_names_may_be_of_another_size(
    name: str, arguments: dict[str, Any], layers: list[str]
) -> None:
    with torch.device("meta"):
        net = create(name, num_classes=3, **arguments).to_empty(device="cpu")
        given = create(name, num_classes=5, **arguments).state_dict()
    given = {name: torch.zeros_like(tensor, device="cpu") for name, tensor in given.items()}
    assert [sentence.partition(":")[0] for sentence in load_into(net, given)] == layers


def test_every_tensor_that_does_not_fit_is_listed_and_nothing_is_changed() -> None:
    net, given = Tiny(5), state_of(Tiny(5))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    del given["bn.running_var"], given["fc.bias"]
    given |= {"conv.weight": torch.zeros(4, 1, 3, 3), "top.weight": torch.zeros(1), "fc.weight": torch.zeros(5, 9)}
    with pytest.raises(WeightsError) as caught:
        load_into(net, given)
    assert str(caught.value) == (
        "weights: expected exactly the tensors of the net; bn.running_var is missing, fc.bias is missing, "
        "top.weight is unexpected, conv.weight is 4x1x3x3 instead of 4x3x3x3 and fc.weight is 5x9 instead of 5x4."
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize(
    "change",
    [
        {"fc.weight": torch.zeros(7, 9), "fc.bias": torch.zeros(7)},  # another width, too
        {"fc.weight": torch.zeros(7, 4), "fc.bias": torch.zeros(6)},  # counts that disagree
        {"fc.weight": torch.zeros(7, 4)},  # weight alone
        {"fc.bias": torch.tensor(0.0)},
    ],
)
def test_a_head_that_differs_in_more_than_its_classes_is_an_error(change: dict[str, Tensor]) -> None:
    net = Tiny(5)
    with pytest.raises(WeightsError, match=r"fc\.(weight|bias) is "):
        load_into(net, state_of(net) | change)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_not_finite_is_refused_and_nothing_is_changed(value: float, dtype: torch.dtype) -> None:
    net, given = Tiny(5), state_of(Tiny(5))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    given["bn.running_var"] = given["bn.running_var"].to(dtype)
    given["bn.running_var"][2] = value
    with pytest.raises(WeightsError) as caught:
        load_into(net, given)
    assert str(caught.value) == "weights: expected finite values; got NaN or infinity in bn.running_var."
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_a_head_that_is_left_behind_may_hold_anything() -> None:
    given = state_of(Tiny(7))
    given["fc.bias"][0] = float("nan")
    assert len(load_into(Tiny(5), given)) == 2


def test_a_net_that_names_no_head_has_none() -> None:
    with pytest.raises(WeightsError) as caught:
        load_into(nn.Linear(4, 5), state_of(nn.Linear(4, 7)))
    assert str(caught.value) == (
        "weights: expected exactly the tensors of the net; weight is 7x4 instead of 5x4 and bias is 7 instead of 5."
    )


def test_the_epsilon_of_keras_becomes_the_nets() -> None:
    keras = {"bn/moving_mean": torch.zeros(4), "bn/moving_variance": torch.full((4,), 0.25)}
    for epsilon in (1e-5, 1e-3):
        converted = tensors_for(Tiny(5, epsilon), keras, "keras")
        torch.testing.assert_close(converted["bn.running_var"] + epsilon, torch.full((4,), 0.251))


class ChannelsLast(nn.Module):
    """LeNet-5 as Keras has it: what the convolutions give is flattened as (H, W, C)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the net with its first linear layer fed so."""
        net = self.net
        x = net.features(images)[-1].permute(0, 2, 3, 1).flatten(1)  # type: ignore[operator]
        logits: Tensor = net.fc3(net.activation(net.fc2(net.activation(net.fc1(x)))))  # type: ignore[operator]
        return logits


def test_maps_that_keras_flattens_come_in_our_order() -> None:
    theirs, ours = create("lenet5").eval(), create("lenet5").eval()
    keras = {}
    for name, tensor in theirs.state_dict().items():
        layer, _, leaf = name.rpartition(".")
        turned = tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor.t()
        keras[f"{layer}/{'kernel' if leaf == 'weight' else 'bias'}"] = turned
    fit = fit_to(ours, keras)
    assert fit.layout == "keras"
    take(ours, fit)
    images = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), ChannelsLast(theirs)(images))


@pytest.mark.parametrize(
    ("name", "maps"),
    [
        ("vgg11", {"classifier.0": 512}),
        ("alexnet", {"classifier.1": 256}),
        ("lenet5", {"fc1": 16}),
        ("resnet18", {}),
        ("mobilenet_v2", {}),
    ],
)
def test_layers_that_take_flattened_maps_are_known(name: str, maps: dict[str, int]) -> None:
    assert flattened_maps(create(name)) == maps


@pytest.fixture
def lenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[nn.Module, Path, Path]:
    """A net, a file of its tensors with `module.` before them, and a manifest of the file."""
    monkeypatch.setenv("STRIATE_WEIGHTS", str(tmp_path))
    net = create("lenet5")
    path = tmp_path / "mine.safetensors"
    save_file({f"module.{name}": tensor for name, tensor in net.state_dict().items()}, path)
    row = {"name": "lenet5.mine", "file": path.name, "sha256": digest(path), "size": path.stat().st_size}
    row |= {"source": "here", "licence": "MIT", "layout": "module", "preprocessing": {}, "classes": ["a"]}
    more = tmp_path / "more.toml"
    more.write_text(tomli_w.dumps({"weights": [row]}), encoding="utf-8")
    return net, path, more


@pytest.mark.parametrize("by", ["name", "path", "string", "layout"])
def test_a_name_a_recognised_file_or_a_file_with_its_layout(lenet: tuple[nn.Module, Path, Path], by: str) -> None:
    net, path, more = lenet
    other = create("lenet5")
    sources: dict[str, str | Path] = {"name": "lenet5.mine", "string": str(path)}
    source = sources.get(by, path)
    if by == "layout":
        assert load(other, source, layout="module") == ()
    else:
        assert load(other, source, more=more) == ()
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_file_that_is_no_longer_as_published_is_refused_by_name(lenet: tuple[nn.Module, Path, Path]) -> None:
    net, path, more = lenet
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(WeightsError, match=r"mine\.safetensors: expected lenet5\.mine, with sha256"):
        load(net, "lenet5.mine", more=more)


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        load(Tiny(5), "lenet_cafe.mnist")
    assert str(caught.value) == (
        "`lenet_cafe.mnist`: expected the name of published weights, or a file. Did you mean `lenet_caffe.mnist`?"
    )
