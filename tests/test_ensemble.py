from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from striate.data import Preprocessing, read
from striate.ensemble import combined, members_of, share_held_out
from striate.errors import ModelFileError, UsageError
from striate.evaluation import evaluate
from striate.explain.activation import activation_maps
from striate.model import Model, load
from striate.nets import create
from striate.pretrained import pretrained
from striate.tasks.classify import Classify
from striate.tasks.ensemble import common_preprocessing

MakeModel = Callable[..., Model]


def members(untrained: MakeModel, count: int = 3, *, temperatures: tuple[float, ...] = (1.0, 2.0, 0.5)) -> list[Model]:
    """Models of one net with different weights and temperatures."""
    found = []
    for number in range(count):
        model = untrained()
        with torch.no_grad():
            for parameter in model.net.parameters():
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)))
        found.append(replace(model, task=Classify(model.classes, temperature=temperatures[number % 3])))
    return found


def shares(model: Model, paths: list[Path]) -> list[list[float]]:
    return [[each.probabilities[name] for name in model.classes] for each in model.predict(paths)]


def test_its_probabilities_are_the_means_of_its_members_also_from_its_file(
    untrained: MakeModel, two_classes: Path, tmp_path: Path
) -> None:
    paths = sorted(two_classes.rglob("*.png"))[::5]
    models = members(untrained)
    expected = np.mean([shares(model, paths) for model in models], axis=0)
    whole = combined(models)
    assert shares(whole, paths) == pytest.approx(expected, abs=1e-6)
    whole.save(tmp_path / "e.safetensors")
    again = load(tmp_path / "e.safetensors", device="cpu", precision="float32")
    assert shares(again, paths) == pytest.approx(expected, abs=1e-6)
    assert shares(replace(again, task=Classify(again.classes, temperature=2.0)), paths) != pytest.approx(expected)
    parts = members_of(again)
    assert [part.task.temperature for part in parts] == [1.0, 2.0, 0.5]
    for part, model in zip(parts, models, strict=True):
        assert shares(part, paths) == pytest.approx(np.array(shares(model, paths)), abs=1e-6)
    assert members_of(models[0]) == []


def test_a_temperature_of_its_own_is_kept(untrained: MakeModel, two_classes: Path, tmp_path: Path) -> None:
    paths = sorted(two_classes.rglob("*.png"))[::5]
    whole = combined(members(untrained))
    hot = replace(whole, task=Classify(whole.classes, temperature=3.0))
    hot.save(tmp_path / "e.safetensors")
    again = load(tmp_path / "e.safetensors", device="cpu", precision="float32")
    assert again.task.temperature == 3.0
    logs = np.log(shares(whole, paths)) / 3
    expected = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    assert shares(again, paths) == pytest.approx(expected, abs=1e-6)


def test_an_ensemble_in_an_ensemble_is_its_members(untrained: MakeModel) -> None:
    models = members(untrained)
    assert len(members_of(combined([combined(models[:2]), models[2]]))) == 3


def test_networks_and_sizes_of_images_may_differ(untrained: MakeModel, two_classes: Path, tmp_path: Path) -> None:
    small = untrained()
    arguments = {"num_classes": 2, "in_channels": 1}
    shown = Preprocessing((1, 48, 48), (0.3,), (0.2,), crop_pct=1.0)
    net = create("resnet20_cifar", **arguments).eval()
    large = Model(net, "resnet20_cifar", arguments, small.task, shown, machine=small.machine)
    whole = combined([small, large])
    assert whole.preprocessing == shown
    paths = sorted(two_classes.rglob("*.png"))[::5]
    expected = np.mean([shares(small, paths), shares(large, paths)], axis=0)
    assert shares(whole, paths) == pytest.approx(expected, abs=0.02)  # images are resampled once more
    whole.save(tmp_path / "e.safetensors")
    assert [each.name for each in members_of(load(tmp_path / "e.safetensors"))] == ["lenet5", "resnet20_cifar"]


def test_crops_that_differ_are_cut_from_the_largest() -> None:
    whole = Preprocessing((3, 224, 224), (0.5,) * 3, (0.5,) * 3, 1.0)
    middle = Preprocessing((3, 224, 224), (0.5,) * 3, (0.5,) * 3, 0.875)
    assert common_preprocessing([whole, middle]) == replace(whole, input_size=(3, 256, 256))
    assert common_preprocessing([whole, whole]) == whole
    with pytest.raises(UsageError, match="expected members with the same crop mode; got center and squash"):
        common_preprocessing([whole, replace(whole, crop_mode="squash")])


def test_it_evaluates_and_explains_as_any_model(untrained: MakeModel, two_classes: Path) -> None:
    whole, index = combined(members(untrained)), read(two_classes)
    found = evaluate(whole, index, "all")
    assert found.metrics["count"] == 24
    images = torch.zeros(2, 32, 32, 1, dtype=torch.uint8)
    images[:, 8:20, 8:20] = 200
    maps = activation_maps(whole, images)
    assert maps.maps.shape == (2, 32, 32)
    assert np.isfinite(maps.maps).all()
    assert len(whole.embed(sorted(two_classes.rglob("*.png"))[:3])) == 3


def test_what_cannot_answer_together_is_refused(untrained: MakeModel, tmp_path: Path) -> None:
    one = untrained()
    for models, sentence in (
        ([one], "expected 2 to 15 models; got 1"),
        ([one] * 16, "expected 2 to 15 models; got 16"),
        ([one, untrained(("cat", "light"))], "expected models with the same classes in one order; they differ in cat"),
        ([one, untrained(several_labels=True)], "expected models of one task; got classify and classify"),
    ):
        with pytest.raises(UsageError, match=sentence):
            combined(models)
    combined(members(untrained, 2)).save(tmp_path / "e.safetensors")
    with pytest.raises(UsageError, match="expected one network to begin with; got an ensemble"):
        pretrained(str(tmp_path / "e.safetensors"))


def test_a_file_with_a_member_too_few_is_refused(untrained: MakeModel, tmp_path: Path) -> None:
    whole = combined(members(untrained))
    broken = replace(whole, about=whole.about | {"members": whole.about["members"][:2]})
    broken.save(tmp_path / "e.safetensors")
    with pytest.raises(ModelFileError, match=r"members.2.*is foreign"):
        load(tmp_path / "e.safetensors")


def test_whether_the_same_images_were_held_out(untrained: MakeModel) -> None:
    about = {"data": "abc", "seed": 1, "recipe": {"data": {"val_fraction": 0.1, "test_fraction": 0.1}}}
    one = replace(untrained(), about=about)
    more = replace(untrained(), preprocessing=replace(one.preprocessing, crop_pct=0.9))
    other = replace(one, about={**about, "seed": 2})
    split = {**about, "recipe": {"data": {"val_fraction": 0.1, "test_fraction": 0.1, "split_seed": 1}}}
    same = replace(one, about={**split, "seed": 5})
    assert share_held_out([one, one])
    assert not share_held_out([one, other])
    assert share_held_out([one, same])
    assert combined([one, replace(more, about=same.about)]).about["data"] == "abc"
    assert "data" not in combined([one, replace(more, about=other.about)]).about
