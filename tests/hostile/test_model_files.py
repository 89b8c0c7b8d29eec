"""Model files made to hurt: each is refused by every verb that opens one, in one sentence."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from striate.data import Preprocessing
from striate.nets import create

Refusal = Callable[..., str]
Change = Callable[[dict[str, Any]], object]
DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "a.png"
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(path)
    return path


def about() -> dict[str, Any]:
    """What a good model file of `lenet5` says of itself."""
    return {
        "format_version": 1,
        "task": {"name": "classify", "several_labels": False},
        "net": {"name": "lenet5", "arguments": {"num_classes": 2}},
        "classes": ["dark", "light"],
        "preprocessing": asdict(Preprocessing((1, 32, 32), (0.5,), (0.5,))),
        "metrics": {},
    }


def put(path: str, value: Any) -> Change:
    """Sets the value at a place such as "net.arguments.hidden"."""
    *parents, last = path.split(".")

    def change(values: dict[str, Any]) -> None:
        for parent in parents:
            values = values.setdefault(parent, {})
        values[last] = value

    return change


def write(path: Path, metadata: str, tensors: dict[str, torch.Tensor] | None = None) -> Path:
    save_file(tensors or create("lenet5", num_classes=2).state_dict(), path, {"striate": metadata})
    return path


CHANGES = {
    "a name that is a number": (put("net.name", 7), "`net.name`: expected str; got int."),
    "a name that is a list": (put("net.name", ["lenet5"]), "`net.name`: expected str; got array."),
    "a long name": (put("net.name", "x" * 10**6), "`net.name`: expected str of length <= 1000"),
    "arguments that are no object": (put("net.arguments", [2]), "`net.arguments`: expected object; got array."),
    "classes without end": (put("net.arguments.num_classes", 10**30), "`num_classes`: expected a whole number from 1"),
    "a number of 5,000 digits": (put("net.arguments.num_classes", 10**4000), "`num_classes`: expected a whole number"),
    "a width of 1e308": (put("net", {"name": "mobilenet_v1", "arguments": {"width": 1e308}}), "`width`: expected a"),
    "a width of nothing": (put("net", {"name": "mobilenet_v1", "arguments": {"width": -1}}), "`width`: expected a"),
    "hidden units below 0": (put("net.arguments", {"head": "mlp", "hidden": -5}), "`hidden`: expected a whole number"),
    "an argument that is an object": (put("net.arguments.activation", {"a": 1}), "`activation`: expected 0 to 1,000"),
    "an activation of another type": (put("net.arguments.activation", True), "`activation`: expected 0 to 1,000"),
    "an unknown activation": (put("net.arguments.activation", "\x1b[2J"), "`activation`: expected one of"),
    "a grid without end": (put("net", {"name": "locator", "arguments": {"grid": 10**6}}), "`grid`: expected a whole"),
    "an encoder within itself": (
        put("net", {"name": "locator", "arguments": {"encoder": "locator"}}),
        "expected the name of a net",
    ),
    "classes that are numbers": (put("classes", [0, 1]), "`classes[0]`: expected str; got int."),
    "classes that are null": (put("classes", None), "`classes`: expected array; got null."),
    "classes that are lists": (put("classes", [["a"], ["b"]]), "`classes[0]`: expected str; got array."),
    "no classes": (put("classes", []), "`classes`: expected array of length >= 1; got []."),
    "a class twice": (put("classes", ["dark", "dark"]), "expected names of classes that differ; got dark more than"),
    "a class of a megabyte": (put("classes", ["a", "b" * 10**6]), "`classes[1]`: expected str of length <= 1000"),
    "a mean too short": (put("preprocessing.mean", []), "`preprocessing.mean`: expected array of length >= 1"),
    "a mean too long": (put("preprocessing.mean", [0.5, 0.5]), "`mean`: expected 1 values, one a channel"),
    "a mean of 10^5 numbers": (put("preprocessing.mean", [0.5] * 10**5), "`preprocessing.mean`: expected array of"),
    "a deviation of nothing": (put("preprocessing.std", [1e-300]), "`preprocessing.std[0]`: expected float >= 1e-06"),
    "sides below 0": (put("preprocessing.input_size", [1, -32, -32]), "`preprocessing.input_size[1]`: expected int >="),
    "an image of 4 GB": (put("preprocessing.input_size", [1, 20000, 20000]), "`preprocessing.input_size[1]`: expected"),
    "an image of 1 GB": (put("preprocessing.input_size", [1, 16384, 16384]), "`input_size`: expected at most 16,777,2"),
    "two channels": (put("preprocessing.input_size", [2, 32, 32]), "`mean`: expected 2 values, one a channel; got"),
    "many channels of many pixels": (
        put("preprocessing.input_size", [512, 4096, 4096]),
        "`input_size`: expected at most 50,331,648 values; got 512x4096x4096",
    ),
    "a crop of more than all": (put("preprocessing.crop_pct", 1e9), "`preprocessing.crop_pct`: expected float <= 1.0"),
    "a recipe that is no table": (put("recipe", 7), "`recipe`: expected object; got int."),
    "a recipe's transfer that is none": (
        put("recipe.transfer", "all"),
        "`recipe.transfer`: expected object | null; got str.",
    ),
    "epochs that are text": (
        put("recipe.training", {"epochs": "all"}),
        "`recipe.training.epochs`: expected int | null; got str.",
    ),
    "a recipe's table that is none": (put("recipe.data", [1]), "`recipe.data`: expected object | null; got array."),
    "a limit of pixels that is text": (
        put("recipe.data", {"max_pixels": "all", "max_bad": 0, "val_fraction": 0, "test_fraction": 0}),
        "`recipe.data.max_pixels`: expected int; got str.",
    ),
    "a task that is a number": (put("task.name", 3), "`task.name`: expected str; got int."),
    "a task of escapes": (put("task.name", "\x1b]0;x\x07"), "expected one of the tasks segment, locate, classify; got"),
    "a temperature of nothing": (
        put("task.temperature", 1e-300),
        "temperature: expected a number from 0.00673795 to 148",
    ),
    "metrics that are text": (put("metrics", {"accuracy": "high"}), "`metrics[...]`: expected float | null; got str."),
}


@pytest.mark.parametrize(("change", "sentence"), CHANGES.values(), ids=CHANGES.keys())
def test_what_a_model_file_says_of_itself(
    tmp_path: Path, image: Path, refusal: Refusal, change: Change, sentence: str
) -> None:
    values = about()
    change(values)
    path = write(tmp_path / "model.safetensors", json.dumps(values) if sentence else "")
    assert sentence in refusal("predict", path, image, code=1)
    if "task" not in sentence and "temperature" not in sentence and "exactly the tensors" not in sentence:
        assert sentence in refusal("inspect", path, code=1)


@pytest.mark.parametrize(
    "metadata", [DEEP, '{"net":' + DEEP + "]" * 100_000 + "}", "{", "[]", '{"format_version": 1e999}', "\x00", "NaN"]
)
def test_what_is_no_json_of_ours(tmp_path: Path, image: Path, refusal: Refusal, metadata: str) -> None:
    path = write(tmp_path / "model.safetensors", metadata)
    assert "its metadata is not what striate writes: " in refusal("predict", path, image, code=1)
    assert "its metadata is not what striate writes: " in refusal("inspect", path, code=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(tmp_path: Path, image: Path, refusal: Refusal, value: float) -> None:
    tensors = create("lenet5", num_classes=2).state_dict()
    tensors["fc3.bias"][0] = value
    path = write(tmp_path / "model.safetensors", json.dumps(about()), tensors)
    assert "expected finite values; got NaN or infinity in fc3.bias" in refusal("predict", path, image, code=1)
    assert "expected finite values; got NaN or infinity in fc3.bias" in refusal("evaluate", path, image.parent, code=1)
