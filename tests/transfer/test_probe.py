"""From pictures and a weight file to a model file."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import striate
from striate.errors import DataError, StriateError
from striate.model import Model
from striate.nets import create
from striate.recipe import DataRecipe, MachineRecipe, Recipe, TrainingRecipe
from striate.transfer import Probed, backbone, install, probe

SHARED = Path(__file__).parents[3] / "shared"
RECIPE = Recipe(machine=MachineRecipe(device="cpu", precision="float32", workers=1))


@pytest.fixture
def base(untrained: Callable[..., Model], tmp_path: Path) -> Path:
    """A model file of five classes."""
    untrained(tuple("abcde")).save(tmp_path / "base.safetensors")
    return tmp_path / "base.safetensors"


def probed(data: Path, base: Path, output: Path, recipe: Recipe = RECIPE) -> tuple[Probed, list[str]]:
    said: list[str] = []
    return probe(data, base, output, recipe, say=said.append), said


def test_the_model_file_predicts_with_no_knowledge_of_transfer(two_classes: Path, base: Path, tmp_path: Path) -> None:
    result, said = probed(two_classes, base, tmp_path / "new" / "model.safetensors")
    assert said == [f"model: {tmp_path / 'new' / 'model.safetensors'}"]
    model = striate.load(tmp_path / "new" / "model.safetensors", device="cpu", precision="float32")
    assert model.classes == ("dark", "light")
    assert model.metrics == result.model.metrics
    assert model.metrics["accuracy"] == 1
    assert model.metrics["accuracy_low"] < 1
    paths = [result.index.root / path for path in result.index.paths(result.rows)]
    right = [p.label == path.parent.name for p, path in zip(model.predict(paths), paths, strict=True)]
    assert all(right)
    assert result.seconds.keys() == {"read", "load", "features", "head", "model"}
    assert model.about["transfer"]["freeze"] == "all"


def test_the_backbone_stays_as_it_was(two_classes: Path, base: Path, tmp_path: Path) -> None:
    result, _ = probed(two_classes, base, tmp_path / "model.safetensors")
    before = striate.load(base).net.state_dict()
    for name, tensor in result.model.net.state_dict().items():
        assert name.startswith("fc3.") or torch.equal(tensor, before[name])


def test_again_from_the_cache_it_is_the_same_to_the_bit(two_classes: Path, base: Path, tmp_path: Path) -> None:
    first, second = (probed(two_classes, base, tmp_path / f"{n}.safetensors")[0].model.net for n in range(2))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])


def test_balanced_weights_and_another_seed(two_classes: Path, base: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, training=TrainingRecipe(class_weights="balanced", seed=3))
    assert probed(two_classes, base, tmp_path / "model.safetensors", recipe)[0].model.about["seed"] == 3


def test_too_many_unreadable_pictures(
    write_pictures: Callable[[Path, Mapping[str, int]], Path], base: Path, tmp_path: Path
) -> None:
    root = write_pictures(tmp_path / "data", {"dark": 10, "light": 10})
    for number in range(5):
        (root / "dark" / f"{number:02d}.png").write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        probed(root, base, tmp_path / "model.safetensors")
    assert str(caught.value).startswith("data: expected at most 1.0% of the pictures to be unreadable; got ")
    recipe = replace(RECIPE, data=DataRecipe(max_bad=0.5))
    _, said = probed(root, base, tmp_path / "model.safetensors", recipe)
    assert said[0].startswith("left out: dark/0")


def test_a_file_that_is_no_weights(tmp_path: Path) -> None:
    with pytest.raises(StriateError, match="expected a model file; got nothing there"):
        backbone(tmp_path / "nothing.safetensors")


def test_install_puts_the_head_in_the_last_layer() -> None:
    net = create("resnet20_cifar", num_classes=4).eval()
    head = torch.nn.Linear(64, 4)
    install(net, head, (3, 32, 32))
    assert torch.equal(net.get_parameter("linear.weight"), head.weight)


@pytest.mark.slow
def test_photos_with_a_published_network(tmp_path: Path) -> None:
    data = SHARED / "data" / "hymenoptera"
    weights = SHARED / "weights" / "mobilenet_v1_100_224.keras-folded.safetensors"
    if not (data.exists() and weights.exists()):
        pytest.skip("needs the pictures and weights of ../shared")
    result = probe(data, weights, tmp_path / "model.safetensors", say=lambda _: None)
    assert result.model.metrics["accuracy"] >= 0.93
    assert result.model.metrics["loss"] < 0.2  # it is calibrated
