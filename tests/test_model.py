import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import striate
from striate.data import Preprocessing, Source
from striate.errors import DataError, ModelFileError, UsageError
from striate.model import Model, load
from striate.nets import create
from striate.recipe.ranges import MAX_PIXELS
from striate.tasks import TASKS, Prediction
from striate.tasks.classify import Classify
from striate.training import RunFolder

MakeModel = Callable[..., Model]


def read(path: Path) -> Model:
    return load(path, device="cpu", precision="float32")


def write_grey(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 32), np.uint8)).save(path)
    return path


def same(a: Prediction, b: Prediction) -> bool:
    """Whether the answers agree to the bit."""
    return (a.probabilities, a.labels, a.error) == (b.probabilities, b.labels, b.error)


# Saving and loading


def test_a_loaded_model_predicts_the_same_bits(tmp_path: Path, untrained: MakeModel, two_classes: Path) -> None:
    model = untrained()
    model.metrics = {"accuracy": 1 / 3}
    model.about = {"seed": 5, "recipe": {"training": {"lr": 0.1}}}
    model.save(tmp_path / "model.safetensors")
    loaded = read(tmp_path / "model.safetensors")
    assert loaded.predict(two_classes) == model.predict(two_classes)
    assert len(model.predict(two_classes)) == 24
    for name in ("name", "arguments", "task", "preprocessing", "metrics", "about", "machine"):
        assert getattr(loaded, name) == getattr(model, name), name


def test_a_file_with_the_former_name_of_a_head(tmp_path: Path) -> None:
    arguments = {"encoder": "resnet20_cifar", "num_classes": 2, "in_channels": 1}
    shown = Preprocessing((1, 32, 32), (0.5,), (0.5,), 1.0)
    net, path = create("headed", **arguments).eval(), tmp_path / "model.safetensors"
    Model(net, "headed", arguments, Classify(("a", "b")), shown).save(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = {name.replace("classifier.", "head."): tensor for name, tensor in load_file(path).items()}
    assert "head.weight" in tensors
    save_file(tensors, path, metadata)
    for name, tensor in read(path).net.state_dict().items():
        assert torch.equal(tensor, net.state_dict()[name])


def test_buffers_and_counters_are_kept(tmp_path: Path) -> None:
    net = create("resnet18", num_classes=2).train()
    net(torch.rand(2, 3, 32, 32))
    model = Model(
        net.eval(), "resnet18", {"num_classes": 2}, Classify(("a", "b")), Preprocessing((3, 32, 32), (0,) * 3, (1,) * 3)
    )
    model.save(tmp_path / "model.safetensors")
    kept = read(tmp_path / "model.safetensors").net.state_dict()
    assert kept["bn1.num_batches_tracked"] == 1
    assert kept.keys() == net.state_dict().keys()
    assert all(torch.equal(kept[name], value) for name, value in net.state_dict().items())


def test_a_loaded_model_can_be_trained_on(tmp_path: Path, untrained: MakeModel) -> None:
    untrained().save(tmp_path / "model.safetensors")
    assert all(p.requires_grad for p in read(tmp_path / "model.safetensors").net.parameters())


def test_the_file_says_what_the_documentation_lists(finished: RunFolder) -> None:
    with safe_open(finished.model, "pt") as file:
        about = json.loads(file.metadata()["striate"])
    assert about.keys() == {
        "format_version", "task", "net", "classes", "preprocessing", "metrics", "recipe", "seed", "epoch", "commit",
        "data", "machine",
    }  # fmt: skip
    assert about["machine"].keys() == {"precision", "memory_format", "runtime", "threads"}
    assert about["format_version"] == 2
    assert about["task"] == {"name": "classify", "several_labels": False}
    assert about["net"] == {
        "name": "lenet5",
        "arguments": {"activation": "relu", "num_classes": 2, "in_channels": 1},
    }
    assert about["classes"] == ["dark", "light"]
    assert about["preprocessing"] == {
        "input_size": [1, 32, 32],
        "mean": [0.5],
        "std": [0.5],
        "crop_pct": 1.0,
        "crop_mode": "center",
        "interpolation": "bilinear",
        "pixel_range": None,
    }
    assert {"count", "accuracy", "accuracy_low", "accuracy_high", "loss"} == about["metrics"].keys()
    assert 1 <= about["epoch"] <= 3
    assert about["recipe"]["training"]["epochs"] == 3


def test_a_save_that_fails_leaves_the_old_file(
    tmp_path: Path, untrained: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    untrained().save(path)
    before = path.read_bytes()

    def fill_the_disk(tensors: object, aside: Path, metadata: object) -> None:
        aside.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("striate.model.save_file", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        untrained().save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_precision_and_device_are_the_caller_s(tmp_path: Path, untrained: MakeModel) -> None:
    path = tmp_path / "model.safetensors"
    untrained().save(path)
    assert load(path, device="cpu", precision="bfloat16").machine.precision == "bfloat16"
    assert load(str(path), precision="float32").machine.precision == "float32"
    with pytest.raises(UsageError, match="`device`: expected one that this machine has"):
        load(path, device="tpu")


def test_the_public_name_is_this_one(tmp_path: Path, untrained: MakeModel) -> None:
    untrained(("a", "b", "c")).save(tmp_path / "model.safetensors")
    assert striate.load(tmp_path / "model.safetensors").classes == ("a", "b", "c")


# Predicting


@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_source_gives_the_same_bits(tmp_path: Path, untrained: MakeModel, channels: int) -> None:
    path = write_grey(tmp_path / "a.png")
    pixels = np.asarray(Image.open(path))
    sources: dict[str, Any] = {
        "path": path,
        "str": str(path),
        "bytes": path.read_bytes(),
        "grey": pixels,
        "grey with one channel": pixels[:, :, None],
        "Pillow": Image.open(path),
    }
    if channels == 3:
        sources["RGB"] = np.repeat(pixels[:, :, None], 3, axis=2)
    model = untrained(channels=channels)
    predictions = {name: model.predict(source) for name, source in sources.items()}
    for name, prediction in predictions.items():
        assert same(prediction, predictions["path"]), name
    assert predictions["path"].path == predictions["str"].path == str(path)
    assert predictions["bytes"].path == "image 0"
    other = model.predict(255 - pixels)
    assert not same(other, predictions["path"])


def test_an_rgb_image_is_made_grey_for_a_grey_network(untrained: MakeModel) -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[:, :, 0] = 200
    grey = np.full((32, 32), round(0.299 * 200), np.uint8)  # ITU-R 601-2
    assert same(untrained().predict(red), untrained().predict(grey))


def test_a_list_is_predicted_in_order_whatever_the_batch(two_classes: Path, untrained: MakeModel) -> None:
    model = untrained()
    paths = [two_classes / "light" / "03.png", two_classes / "dark" / "00.png", two_classes / "light" / "01.png"]
    alone = [model.predict(path) for path in paths]
    assert len({prediction.probability for prediction in alone}) == 3
    for batch_size, workers in ((1, 1), (2, 2), (64, None)):
        together = model.predict(paths, batch_size, workers)
        assert [prediction.path for prediction in together] == [str(path) for path in paths]
        for one, many in zip(alone, together, strict=True):
            assert many.label == one.label
            assert many.probability == pytest.approx(one.probability, abs=1e-6)
    mixed: list[Source | str] = [str(paths[0]), paths[1].read_bytes()]
    assert [prediction.path for prediction in model.predict(mixed)] == [str(paths[0]), "image 1"]
    assert model.predict([]) == []


def test_a_folder_is_predicted_in_the_order_of_its_names(tmp_path: Path, untrained: MakeModel) -> None:
    for number, name in enumerate(("b/1.png", "a/10.png", "a/2.PNG", "a/c/0.png", "c.png", ".hidden.png")):
        write_grey(tmp_path / name, number)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    expected = [str(tmp_path / name) for name in ("a/10.png", "a/2.PNG", "a/c/0.png", "b/1.png", "c.png")]
    model = untrained()
    assert [prediction.path for prediction in model.predict(tmp_path)] == expected
    assert [prediction.path for prediction in model.predict(str(tmp_path))] == expected
    assert not any(prediction.error for prediction in model.predict(tmp_path))


def test_one_image_that_cannot_be_read_is_an_error(tmp_path: Path, untrained: MakeModel) -> None:
    with pytest.raises(DataError) as caught:
        untrained().predict(tmp_path / "none.png")
    assert str(caught.value) == f"{tmp_path / 'none.png'}: cannot be read: No such file or directory."
    with pytest.raises(DataError) as caught:
        untrained().predict(b"no image")
    assert str(caught.value).startswith("image 0: cannot be read: not an image of a known format (")


def test_in_a_list_it_has_the_reason_and_the_others_are_predicted(tmp_path: Path, untrained: MakeModel) -> None:
    good = write_grey(tmp_path / "good.png")
    bad = tmp_path / "bad.png"
    bad.write_bytes(good.read_bytes()[:100])
    first, second, third = untrained().predict([good, bad, good])
    assert (second.path, second.labels, second.label, second.probabilities) == (str(bad), (), "", {})
    assert np.isnan(second.probability)
    assert "truncated" in second.error
    assert second.top(3) == []
    assert same(first, third)
    assert first.label
    assert first.error == ""


def test_predicting_leaves_the_net_in_evaluation_mode_and_without_gradients(
    finished: RunFolder, two_classes: Path
) -> None:
    model = read(finished.model)
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    first = model.predict(two_classes)
    assert not any(module.training for module in model.net.modules())
    assert all(parameter.grad is None for parameter in model.net.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.net.state_dict().items())
    assert model.predict(two_classes) == first


def test_several_labels(untrained: MakeModel, tmp_path: Path) -> None:
    model = untrained(("a", "b", "c"), several_labels=True)
    model.save(tmp_path / "model.safetensors")
    prediction = read(tmp_path / "model.safetensors").predict(np.zeros((32, 32), np.uint8))
    assert prediction.labels == tuple(name for name, p in prediction.probabilities.items() if p >= 0.5)
    assert sum(prediction.probabilities.values()) != pytest.approx(1, abs=1e-3)


# Files that are refused

Edit = Callable[[dict[str, Tensor], dict[str, Any]], object]


@pytest.fixture
def altered(tmp_path: Path, untrained: MakeModel) -> Callable[[Edit], Path]:
    """Writes a model file, lets a test change its tensors and metadata, and writes it again."""

    def alter(edit: Edit) -> Path:
        path = tmp_path / "model.safetensors"
        untrained().save(path)
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["striate"])
        edit(tensors, about)
        save_file(tensors, path, {"striate": json.dumps(about)})
        return path

    return alter


def refusal(path: Path) -> str:
    """What `load` says of a file, after the name of it."""
    with pytest.raises(ModelFileError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def test_a_file_that_nobody_changed_is_read(altered: Callable[[Edit], Path]) -> None:
    assert load(altered(lambda tensors, about: None)).classes == ("dark", "light")


def test_an_absent_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.safetensors") == "expected a model file; got nothing there."


@pytest.mark.parametrize("kept", [0, 4, 1000, -1])
def test_a_file_that_is_cut_short(tmp_path: Path, untrained: MakeModel, kept: int) -> None:
    path = tmp_path / "model.safetensors"
    untrained().save(path)
    path.write_bytes(path.read_bytes()[:kept])
    assert refusal(path).startswith("expected a safetensors file that is whole; ")


def test_a_folder_and_a_image(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "expected a model file; got a folder."
    assert refusal(write_grey(tmp_path / "a.png")).startswith("expected a safetensors file that is whole; ")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_a_safetensors_file_of_another_program(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata)
    assert refusal(path) == "expected a model that striate wrote; got a safetensors file without its metadata."


def test_a_file_of_the_first_format_version_is_read(altered: Callable[[Edit], Path]) -> None:
    """It knew no other crop than that of the center, nor a task but classify."""

    def as_first(tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        about.update(format_version=1)
        del about["preprocessing"]["crop_mode"]

    loaded = load(altered(as_first))
    assert (loaded.task, loaded.preprocessing.crop_mode) == (Classify(("dark", "light")), "center")


@pytest.mark.parametrize("version", [0, 3, "1"])
def test_another_format_version(altered: Callable[[Edit], Path], version: object) -> None:
    path = altered(lambda tensors, about: about.update(format_version=version))
    assert refusal(path) == f"expected format version 1 to 2; got {version}. Try the striate that wrote it."


def test_no_format_version(altered: Callable[[Edit], Path]) -> None:
    path = altered(lambda tensors, about: about.pop("format_version"))
    assert refusal(path) == "expected format version 1 to 2; got None. Try the striate that wrote it."


@pytest.mark.parametrize(
    ("edit", "problems"),
    [
        (lambda tensors: tensors.pop("fc3.bias"), "fc3.bias is missing"),
        (lambda tensors: tensors.update({"fc4.bias": torch.zeros(2)}), "fc4.bias is foreign"),
        (
            lambda tensors: tensors.update({"fc3.bias": torch.zeros(3)}),
            "fc3.bias is (3,) of float32, not (2,) of float32",
        ),
        (
            lambda tensors: tensors.update({"fc3.bias": torch.zeros(2).half()}),
            "fc3.bias is (2,) of float16, not (2,) of float32",
        ),
        (
            lambda tensors: tensors.update({"fc4.bias": tensors.pop("fc3.bias")}),
            "fc3.bias is missing; fc4.bias is foreign",
        ),
    ],
)
def test_tensors_that_are_not_the_net_s(
    altered: Callable[[Edit], Path], edit: Callable[[dict[str, Tensor]], object], problems: str
) -> None:
    path = altered(lambda tensors, about: edit(tensors))
    assert refusal(path) == f"expected exactly the tensors of its net; {problems}."


def test_a_task_that_this_version_does_not_know(altered: Callable[[Edit], Path]) -> None:
    path = altered(lambda tensors, about: about.update({"task": {"name": "levitate"}}))
    assert refusal(path) == f"expected one of the tasks {', '.join(TASKS)}; got levitate. Try a newer striate."


def test_images_larger_than_in_training_are_refused(untrained: MakeModel) -> None:
    model = untrained(("a", "b"))
    model.about = {"recipe": {"data": {"max_pixels": 100}}}
    assert model.max_pixels == 100
    assert replace(model, about={"recipe": {"data": None}}).max_pixels == MAX_PIXELS
    with pytest.raises(DataError, match="11 x 10 pixels are more than the limit of 100"):
        model.predict(Image.new("L", (11, 10)))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null"])
def test_metadata_that_is_no_json_object(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path, {"striate": text})
    assert refusal(path).startswith("its metadata is not what striate writes: ")


@pytest.mark.parametrize(
    ("change", "end"),
    [
        ({"task": None}, "`task`: expected object; got null."),
        ({"task": {"name": "classify"}}, "KeyError('several_labels')"),
        ({"net": {"name": "lenet5"}}, "`net`: expected a field arguments; got none."),
        ({"classes": 2}, "`classes`: expected array; got int."),
        ({"preprocessing": {"input_size": "large"}}, "`preprocessing.input_size`: expected array; got str."),
        ({"preprocessing": {}}, "`preprocessing`: expected a field input_size; got none."),
    ],
)
def test_metadata_that_is_not_ours(altered: Callable[[Edit], Path], change: dict[str, Any], end: str) -> None:
    sentence = refusal(altered(lambda tensors, about: about.update(change)))
    assert sentence.startswith("its metadata is not what striate writes: ")
    assert end in sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"classes": ["dark"]}, "expected 2 outputs of its task, as its net was made for; got 1."),
        (
            {"preprocessing": {"input_size": [3, 32, 32], "mean": [0] * 3, "std": [1] * 3}},
            "expected 1 channels of preprocessing, as its net was made for; got 3.",
        ),
        (
            {"net": {"name": "lenet5", "arguments": {}}},
            "expected 10 outputs of its task, as its net was made for; got 2.",
        ),
    ],
)
def test_metadata_that_contradicts_itself(
    altered: Callable[[Edit], Path], change: dict[str, Any], sentence: str
) -> None:
    assert refusal(altered(lambda tensors, about: about.update(change))) == sentence


@pytest.mark.parametrize("key", ["task", "net", "classes", "preprocessing", "metrics"])
def test_metadata_that_lacks_a_key(altered: Callable[[Edit], Path], key: str) -> None:
    path = altered(lambda tensors, about: about.pop(key))
    assert refusal(path) == f"its metadata is not what striate writes: expected a field {key}; got none."


# The commit


def test_a_repr_says_what_the_model_is(untrained: MakeModel) -> None:
    model = untrained(tuple("abcdefg"))
    assert repr(model) == (
        "<Model lenet5, 61,451 parameters; classify, 7 classes: a, b, c, d, e, …; images 1x32x32, cpu, float32>"
    )
    model = untrained()
    model.metrics = {"accuracy": 0.75, "accuracy_low": 0.5, "accuracy_high": 0.875}
    assert repr(model).endswith("float32; val accuracy 0.7500 [0.5000, 0.8750]>")


def test_embeddings_are_what_the_head_is_given(tmp_path: Path, untrained: MakeModel) -> None:
    paths = [write_grey(tmp_path / f"{number}.png", seed=number) for number in range(5)]
    model = untrained()
    vectors = model.embed([str(path) for path in paths], batch_size=2)
    assert vectors.shape == (5, 84)
    assert vectors.dtype == torch.float32
    head = model.net.get_submodule("fc3")
    expected = [model.predict(path).probabilities["dark"] for path in paths]
    found = head(vectors).softmax(dim=1)[:, 0].tolist()
    assert found == pytest.approx(expected, rel=1e-5)
    assert torch.equal(model.embed(tmp_path, batch_size=2), vectors)
    assert torch.allclose(model.embed(paths[3]), vectors[3:4])
    assert not head._forward_pre_hooks


def test_a_network_that_names_no_head_cannot_embed(untrained: MakeModel, tmp_path: Path) -> None:
    model = untrained()
    model.net = torch.nn.Sequential()
    with pytest.raises(UsageError) as caught:
        model.embed(write_grey(tmp_path / "a.png"))
    assert str(caught.value) == "`lenet5`: expected a network that names its head; got one without `head`."


def test_an_image_that_cannot_be_embedded_is_named(tmp_path: Path, untrained: MakeModel) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(DataError, match=r"empty\.png: cannot be read: the file is empty\.$"):
        untrained().embed([write_grey(tmp_path / "a.png"), tmp_path / "empty.png"])


def test_a_score_that_there_is_none_of_stays_so_in_the_file(finished: RunFolder, tmp_path: Path) -> None:
    model = load(finished.model, device="cpu", precision="float32")
    replace(model, metrics=model.metrics | {"iou/cat": math.nan}).save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors", device="cpu", precision="float32")
    assert math.isnan(again.metrics.pop("iou/cat"))
    assert again.metrics == model.metrics
